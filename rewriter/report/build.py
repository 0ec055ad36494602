"""A report of what the passes did to a model."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx_graphsurgeon as gs
from onnx import GraphProto, ModelProto

from passes.dialects.spelled import MARK
from passes.ir.control_flow import is_control_flow
from passes.ir.declared import body_protos, every_graph_proto, standard_opset
from passes.ir.graph import every_node, is_standard
from passes.normalize.constant_nodes import HELD
from passes.pipeline import Work
from passes.plan.explain import explain
from passes.plan.plan import Relayout
from passes.plan.sizes import guessed
from passes.rules.rule import lookup
from rewriter.errors import UsageError
from rewriter.interface import InterfaceValue, layout_text
from rewriter.metadata import entry_of
from rewriter.report.causes import causes
from rewriter.report.data import NO_GRAPHS, Explained, Remaining, Report
from rewriter.report.graphs import graphs, operator
from rewriter.report.preprocessing import preprocessing

NOTHING_FLIPPED = "No input or output is an image stored otherwise: all keep their layouts."
RAISED = "The file's opset is raised from {} to {}, which has Attention."
TIME_LIMIT = "The planner's time limit was reached: a cheaper plan may be possible."


def make_report(
    work: Work,
    result: ModelProto,
    written: ModelProto,
    inputs: Sequence[InterfaceValue],
    outputs: Sequence[InterfaceValue],
    names: Sequence[str],
    with_graphs: bool,
) -> Report:
    """The report of a rewrite that gave ``result``, with an explanation of each value in ``names``, and no times.

    ``written``: the same in the words of its dialect. ``with_graphs``: whether it has both graphs, which take a
    while of large models. Raises UsageError if there is no such value.
    """
    original, dialect, plan = work.program.graph.origin.model, work.request.dialect, work.plan
    flipped = any(value.flipped for value in (*inputs, *outputs))
    changes = sorted(plan.relayouts, key=_rank)
    remaining = _remaining(changes, work.roles)
    return Report(
        to=work.request.to,
        dialect=dialect.name,
        changed=_changed(original, result) or flipped or bool(work.preprocessed),
        inputs=inputs,
        outputs=outputs,
        ops=_count_ops(original, written),
        preprocessed=[*map(preprocessing, work.preprocessed)],
        remaining=remaining,
        causes=causes(remaining, dialect.name),
        barriers=_barriers(work.program.graph),
        bytes_before=work.bytes_before,
        bytes=plan.bytes,
        held=_count_einsums(result) - _count_einsums(original) if plan.held else 0,
        runtime=work.program.runtime.name,
        unit=work.program.runtime.unit,
        cost_before=work.program.cost_before,
        cost=plan.cost,
        guessed=len(guessed(work.program.graph, work.sizes)),
        bound=plan.bound,
        optimal=plan.optimal,
        limited=work.program.limited,
        explained=[_explained(work, name) for name in names],
        seconds=work.seconds,
        graphs=graphs(work, written, changes) if with_graphs else NO_GRAPHS,
        notes=[*_notes(work, result, written, flipped)],
    )


def _rank(one: Relayout) -> tuple[bool, int, str]:
    """The dearest first, those of unknown size last."""
    return one.bytes is None, -(one.bytes or 0), one.value


def _notes(work: Work, result: ModelProto, written: ModelProto, flipped: bool) -> Iterator[str]:
    """What else is to be known of the result."""
    dialect, opsets = work.request.dialect, (standard_opset(work.program.graph.origin.model), standard_opset(result))
    if not flipped and not work.request.keep_io:
        yield NOTHING_FLIPPED
    if any(function.domain in dialect.domains for function in written.functions):
        yield dialect.note
    if mark := entry_of(written, MARK):
        yield mark
    if 0 < opsets[0] < opsets[1]:
        yield RAISED.format(*opsets)
    if not work.plan.optimal:
        yield TIME_LIMIT


def _count_ops(before: ModelProto, after: ModelProto) -> dict[str, tuple[int, int]]:
    """Operators of the main graphs, those that changed in number first."""
    old, new = (Counter(operator(n.op_type, n.domain) for n in model.graph.node) for model in (before, after))
    return {name: (old[name], new[name]) for name in sorted({*old, *new}, key=lambda n: (old[n] == new[n], n))}


def _count_einsums(model: ModelProto) -> int:
    return sum(node.op_type == "Einsum" for node in model.graph.node)


def _barriers(graph: gs.Graph) -> dict[str, int]:
    """Operators without a rule, by name."""
    without = (
        operator(node.op, node.domain or "")
        for node in every_node(graph)
        if node.inputs
        and not is_control_flow(node)
        and not lookup("" if is_standard(node) else node.domain, node.op, graph.opset)
    )
    return dict(sorted(Counter(without).items()))


def _remaining(changes: Sequence[Relayout], roles: Mapping[str, str]) -> list[Remaining]:
    """The changes of layout as the report tells them."""
    found = []
    for one in changes:
        stored, needed = (layout_text(layout, roles.get(one.value, "")) for layout in (one.stored, one.needed))
        who = one.made_by, one.readers, one.reason, one.blocker
        found.append(Remaining(one.value, one.op, stored, needed, one.bytes, *who))
    return found


def _explained(work: Work, name: str) -> Explained:
    """Why a value is stored as it is. Raises UsageError if the model computes none of that name."""
    try:
        explanation = explain(work.program, work.plan, name)
    except KeyError:
        raise UsageError(f"--explain {name}: the model computes no value of that name") from None
    roles, unit = work.roles.get(name, ""), work.program.runtime.unit
    alternatives = [
        f"{layout_text(one.layout, roles)}: not possible: {one.reason}"
        if one.cost is None
        else f"{layout_text(one.layout, roles)}: then the plan would cost {one.cost:,.0f} {unit} in all"
        for one in explanation.alternatives
    ]
    readings = [
        f"{one.reader} reads it as {layout_text(one.needed, roles)}"
        + (f", {one.bytes:,} bytes are moved: {one.reason}" if one.reason else "")
        for one in explanation.readings
    ]
    return Explained(name, explanation.made_by, layout_text(explanation.stored, roles), alternatives, readings)


def _changed(original: ModelProto, result: ModelProto) -> bool:
    """Whether any node or constant of the result differs from the original's by more than its name."""
    new_shapes = _constant_shapes(result.graph) - _constant_shapes(original.graph)
    return bool(new_shapes) or _outline(original.graph) != _outline(result.graph)


def _constant_shapes(graph: GraphProto) -> set[tuple[int, ...]]:
    """Of initializers, and of what Constant nodes hold."""
    graphs = [*every_graph_proto(graph)]
    nodes = (node for each in graphs for node in each.node if node.op_type == "Constant")
    held = (HELD[attr.name](attr) for node in nodes for attr in node.attribute if attr.name in HELD)
    return {tuple(tensor.dims) for each in graphs for tensor in each.initializer} | {tuple(one.shape) for one in held}


def _outline(graph: GraphProto) -> list[Any]:
    """Operators and attributes, in bodies too, in any order; a Constant node is as good as an initializer."""
    nodes = (node for node in graph.node if node.op_type not in ("Constant", "Identity"))
    return sorted(
        (
            n.op_type,
            n.domain,
            [a.SerializeToString() for a in n.attribute if not a.HasField("g")],
            [*map(_outline, body_protos(n))],
        )
        for n in nodes
    )
