"""InstanceNormalization of groups of channels (see ``passes.normalize.fuse_group_norm``)."""

from passes.dialects.base import form_named
from passes.layout import perm
from passes.layout.layout import AS_IS, Layout
from passes.refusal import Refusal
from passes.rules.move import PREVIOUS, Move, Step
from passes.rules.node import Node
from passes.rules.registry import register
from passes.rules.rule import Rule

DOMAIN, NAME = "group", "GroupedInstanceNormalization"  # of the three nodes as one


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
    form = form_named(NAME, node.opset)
    spelling = None if form is None or p[-1] != 1 else node.dialect.spell(form, len(p))
    if spelling is None:
        raise Refusal("InstanceNormalization of groups of channels is defined channels-first only")
    return node.move({0: layout}, {0: layout}, op=spelling.op, domain=spelling.domain, operands=(0, 1, 2))


register(NAME, Rule(grouped_norm, always_rewrite=True), domain=DOMAIN)
