"""What a rewrite did, as plain data."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import onnx_graphsurgeon as gs
from onnx import ModelProto

from passes.ir.control_flow import executions_per_inference, is_control_flow
from passes.ir.graph import every_node, is_standard
from passes.layout import perm
from passes.layout.layout import Layout, of_rank
from passes.plan.cost import ONNXRUNTIME_CPU, CostModel
from passes.plan.explain import Alternative, Explanation
from passes.plan.plan import Plan
from passes.rules.registry import lookup
from rewriter.interface import InterfaceValue, letters


@dataclass(frozen=True)
class Remaining:
    """A Transpose (or a Reshape that moves nothing) in the result. ``bytes`` are moved per inference."""

    value: str
    op: str
    stored: str
    needed: str
    bytes: int
    made_by: str
    readers: tuple[str, ...]
    blocked_by: str


@dataclass(frozen=True)
class Explained:
    """Why a value is stored as it is (see `passes.explain`), in words."""

    value: str
    made_by: str
    stored: str
    alternatives: Sequence[str]
    readings: Sequence[str]


@dataclass(frozen=True)
class Report:
    """``ops`` counts operators before and after; ``seconds`` are by stage.

    Bytes are per inference: of Transposes (``bytes_before``, ``bytes``), and those that operators move ``inside``
    themselves because of how they are stored. ``bound`` is proven: no plan moves less than it in both ways together.
    """

    to: str
    dialect: str
    changed: bool
    inputs: Sequence[InterfaceValue]
    outputs: Sequence[InterfaceValue]
    ops: Mapping[str, tuple[int, int]]
    remaining: Sequence[Remaining]
    barriers: Mapping[str, int]
    bytes_before: int
    bytes: int
    inside: int
    bound: float
    optimal: bool
    explained: Sequence[Explained]
    seconds: Mapping[str, float]
    notes: Sequence[str]

    @property
    def transposes(self) -> tuple[int, int]:
        """Transpose nodes in the main graph, before and after."""
        return self.ops.get("Transpose", (0, 0))

    def to_json(self) -> dict[str, Any]:
        """The report as plain dicts, lists, strings and numbers."""
        return asdict(self)


def operator_name(op: str, domain: str) -> str:
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
    found = Counter(operator_name(node.op, node.domain or "") for node in without if not is_control_flow(node))
    return dict(sorted(found.items()))


def remaining(plan: Plan, roles: Mapping[str, str]) -> list[Remaining]:
    """The changes of layout that a plan leaves, the dearest first."""
    ordered = sorted(plan.changes, key=lambda change: (-change.bytes, change.value))
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


def transposed_bytes(graph: gs.Graph, sizes: Mapping[str, int], cost: CostModel = ONNXRUNTIME_CPU) -> int:
    """What the Transposes of a graph move per inference, in bodies too."""
    times = executions_per_inference(graph, cost.unknown_trips)
    results = [n.outputs[0] for n in every_node(graph) if n.op == "Transpose" and is_standard(n)]
    return sum(cost.bytes_of(t, sizes) * times.get(t.name, 1) for t in results if not isinstance(t, gs.Constant))


def explained(found: Explanation, roles: str | None) -> Explained:
    """A planner's explanation in words."""

    def cost(alternative: Alternative) -> str:
        if alternative.bytes is None:
            return f"not possible: {alternative.reason}"
        return f"then {alternative.bytes:,} bytes in all would be moved"

    others = [f"{layout_text(other.layout, roles)}: {cost(other)}" for other in found.alternatives]
    readings = [
        f"{one.reader} reads it as {layout_text(one.needed, roles)}"
        + (f", {one.bytes:,} bytes are moved: {one.reason}" if one.reason else "")
        for one in found.readings
    ]
    return Explained(found.value, found.made_by, layout_text(found.stored, roles), others, readings)


def layout_text(layout: Layout, roles: str | None) -> str:
    """A layout as letters, where the roles of the value's axes are known, else as its perm of the original's."""
    known = letters(roles) if roles else None
    if known is None:
        return str(layout)
    return "".join(perm.reorder(of_rank(layout, len(known)).perm, known)) + layout.orders_text
