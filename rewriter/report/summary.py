"""The parts of a report, from the models and the plan."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import onnx_graphsurgeon as gs
from onnx import GraphProto, ModelProto

from passes.ir.control_flow import is_control_flow
from passes.ir.declared import body_protos
from passes.ir.graph import every_node, is_standard
from passes.layout import perm
from passes.layout.layout import ANY, Layout
from passes.plan.explain import Alternative, Explanation
from passes.plan.plan import Plan
from passes.rules.rule import lookup
from rewriter.interface import letters
from rewriter.report.data import Explained, Remaining


def operator_name(op: str, domain: str) -> str:
    """``Conv``, or ``my.domain::Conv``."""
    return op if domain in ("", "ai.onnx") else f"{domain}::{op}"


def count_ops(before: ModelProto, after: ModelProto) -> dict[str, tuple[int, int]]:
    """Operators of the main graphs, those that changed in number first."""
    counts = [Counter(operator_name(n.op_type, n.domain) for n in model.graph.node) for model in (before, after)]
    names = sorted({*counts[0], *counts[1]}, key=lambda name: (counts[0][name] == counts[1][name], name))
    return {name: (counts[0][name], counts[1][name]) for name in names}


def barriers(graph: gs.Graph) -> dict[str, int]:
    """Operators without a rule, by name."""
    without = (
        node
        for node in every_node(graph)
        if node.inputs and not lookup("" if is_standard(node) else node.domain, node.op, graph.opset)
    )
    counts = Counter(operator_name(node.op, node.domain or "") for node in without if not is_control_flow(node))
    return dict(sorted(counts.items()))


def remaining(plan: Plan, roles: Mapping[str, str]) -> list[Remaining]:
    """The changes of layout that a plan leaves, the dearest first, those of unknown size last."""
    ordered = sorted(
        plan.relayouts, key=lambda change: (-change.bytes if change.bytes is not None else 1, change.value)
    )
    return [
        Remaining(
            change.value,
            change.op,
            layout_text(change.stored, roles.get(change.value)),
            layout_text(change.needed, roles.get(change.value)),
            change.bytes,
            change.made_by,
            change.readers,
            change.blame,
        )
        for change in ordered
    ]


def explained(explanation: Explanation, roles: str | None) -> Explained:
    """A planner's explanation in words."""

    def cost(alternative: Alternative) -> str:
        if alternative.bytes is None:
            return f"not possible: {alternative.reason}"
        return f"then {alternative.bytes:,} bytes in all would be moved"

    others = [f"{layout_text(other.layout, roles)}: {cost(other)}" for other in explanation.alternatives]
    readings = [
        f"{one.reader} reads it as {layout_text(one.needed, roles)}"
        + (f", {one.bytes:,} bytes are moved: {one.reason}" if one.reason else "")
        for one in explanation.readings
    ]
    return Explained(explanation.value, explanation.made_by, layout_text(explanation.stored, roles), others, readings)


def layout_text(layout: Layout, roles: str | None) -> str:
    """A layout as letters, where the roles of the value's axes are known, else as einops writes it."""
    original = letters(roles) if roles else None
    if original is None:
        return "reversed" if layout == ANY else str(layout)
    return layout.text(original.lower()) if layout.is_divided else "".join(perm.reorder(layout.perm, original))


def changed(original: ModelProto, result: ModelProto) -> bool:
    """Whether any node or constant of the result differs from the original's by more than its name."""
    shapes = [set(_constant_shapes(model.graph)) for model in (original, result)]
    return _outline(original.graph) != _outline(result.graph) or shapes[1] - shapes[0] != set()


def _constant_shapes(graph: GraphProto) -> Iterator[tuple[int, ...]]:
    yield from (tuple(tensor.dims) for tensor in graph.initializer)
    for body in (body for node in graph.node for body in body_protos(node)):
        yield from _constant_shapes(body)


def _outline(graph: GraphProto) -> list[Any]:
    """Operators and attributes, in bodies too; a Constant node is as good as an initializer."""
    return [
        (
            node.op_type,
            node.domain,
            [a for a in node.attribute if not a.HasField("g")],
            [*map(_outline, body_protos(node))],
        )
        for node in graph.node
        if node.op_type not in ("Constant", "Identity")
    ]
