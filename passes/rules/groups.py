"""InstanceNormalization of groups of channels (see ``passes.groups``)."""

from passes.dialects.dialect import spec_of
from passes.layout import perm
from passes.layout.layout import AS_IS, Layout
from passes.normalize.group_norm import DOMAIN, NAME
from passes.refusal import Refusal
from passes.rules.move import IN, PREVIOUS, Move, Step
from passes.rules.node import Node
from passes.rules.registry import register
from passes.rules.rule import Rule


def grouped_norm(node: Node, layout: Layout) -> Move:
    """The three nodes, or the dialect's function."""
    p = layout.perm
    if layout.orders or p[0] != 0:
        raise Refusal("InstanceNormalization of groups of channels needs their original order")
    if p == perm.identity(len(p)):
        attrs = {} if node.attr("epsilon") is None else {"epsilon": node.attr("epsilon")}
        steps = (
            Step("Reshape", (0, 3), same_shape=False),
            Step("InstanceNormalization", (PREVIOUS, 1, 2), attrs, same_shape=False),
            Step("Reshape", (PREVIOUS, 4)),
        )
        return node.move({0: AS_IS}, {0: AS_IS}, steps=steps)
    if p[-1] != 1 or not node.dialect.functions:
        raise Refusal("InstanceNormalization of groups of channels is defined channels-first only")
    if spec_of(NAME, node.opset) is None:
        raise Refusal(f"{NAME} has no function at opset {node.opset}")
    return node.move({0: layout}, {0: layout}, op=NAME, domain=node.dialect.domain(len(p)), order=(0, 1, 2))


register(NAME, Rule(grouped_norm, (IN(0),), "channel_norm", anew=True), domain=DOMAIN)
