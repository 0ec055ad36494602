"""The plan of least transposed bytes: one move per node, and the changes of layout that remain, with their reasons."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx_graphsurgeon as gs

from passes.dialects.base import Dialect
from passes.layout.layout import ANY, AS_IS, Layout
from passes.plan.candidates import find_candidates
from passes.plan.cost import ONNXRUNTIME_CPU, CostModel
from passes.plan.flat_graph import FlatGraph, Touch
from passes.plan.program import Program
from passes.plan.relayout import memory_order, nearest, relayout_op
from passes.rules.move import IN, Move


@dataclass(frozen=True)
class Relayout:
    """A value stored one way and needed another: a Transpose of ``bytes``, or a Reshape where no byte moves.

    ``bytes`` is ``None`` for a Transpose of the model's own that stays because the rank of its value is unknown;
    ``needed`` then is ANY if it reverses all axes.
    """

    value: str
    stored: Layout
    needed: Layout
    op: str
    bytes: int | None
    made_by: str
    readers: tuple[str, ...]  # empty: only the interface
    blame: str


@dataclass(frozen=True)
class Plan:
    """One move per node (in the order of ``control_flow.flat``), the layout each value is stored in, what remains.

    ``bytes`` are those of the Transposes that remain, ``inside`` those that operators move themselves because of how
    they are stored; ``bound`` is proven: no plan has a smaller sum of the two.
    """

    moves: list[Move]
    stored: Mapping[str, Layout]
    relayouts: list[Relayout]
    bytes: int
    bound: float
    optimal: bool
    inside: int = 0


def make_program(
    graph: gs.Graph,
    pins: Mapping[str, Layout],
    outputs: Mapping[str, Layout],
    dialect: Dialect,
    sizes: Mapping[str, int] | None = None,
    cost: CostModel = ONNXRUNTIME_CPU,
) -> Program:
    """The integer program of a sorted graph.

    ``pins`` are the layouts of graph inputs, ``outputs`` those of graph outputs, ``sizes`` those of symbolic dims (for
    pricing only).
    """
    flat = FlatGraph(graph, dialect)
    return Program(graph, flat, find_candidates(flat, {**pins, **outputs}), pins, outputs, sizes or {}, cost)


def make_plan(program: Program, time_limit: float = 60.0, forbidden: Collection[int] = ()) -> Plan:
    """The cheapest plan without the ``forbidden`` variables.

    Raises PlanError if there is none, or the solver finds none within ``time_limit`` seconds.
    """
    chosen, bound, optimal = program.solve(time_limit, forbidden)
    stored = {**program.pins, **{name: chosen[i].at(slot) for name, (i, slot) in program.makers.items()}}
    relayouts = [*_relayouts(program, chosen, stored), *_left(program, chosen)]
    total = sum(relayout.bytes or 0 for relayout in relayouts)
    inside = sum(program.copied(i, move) for i, move in enumerate(chosen))
    return Plan(chosen, stored, relayouts, total, total + inside if optimal else bound, optimal, inside)


def _relayouts(program: Program, chosen: Sequence[Move], stored: Mapping[str, Layout]) -> Iterator[Relayout]:
    """What remains, by value and needed layout."""
    had: dict[str, list[Layout]] = {name: [layout] for name, layout in stored.items()}
    for (name, needed), readers in _needs(program, chosen).items():
        have, tensor = had.setdefault(name, [AS_IS]), program.tensors.get(name)
        if tensor is None or needed in have:  # a constant that is a graph output costs nothing
            continue
        source = nearest(tensor, have, needed)
        moved = 0 if memory_order(source, tensor) == memory_order(needed, tensor) else program.bytes_of(name)
        labels = tuple(program.label(i) for i, _ in readers)
        culprit, op = _blame(program, name, have[0], readers), relayout_op(tensor, source, needed)
        yield Relayout(name, source, needed, op, moved, program.made_by(name), labels, culprit)
        have.append(needed)


def _needs(program: Program, chosen: Sequence[Move]) -> dict[tuple[str, Layout], list[Touch]]:
    """Who reads which value in which layout; nobody where only a graph output is in it."""
    needs: dict[tuple[str, Layout], list[Touch]] = {}
    for name in program.tensors:
        for i, slot in program.readers(name):
            if chosen[i].at(slot) != ANY:
                needs.setdefault((name, chosen[i].at(slot)), []).append((i, slot))
    for demand in program.outputs.items():
        needs.setdefault(demand, [])
    return needs


def _left(program: Program, chosen: Sequence[Move]) -> Iterator[Relayout]:
    """The model's own Transposes that stay: of values whose rank is unknown no other layout can be told."""
    for i, move in enumerate(chosen):
        node = program.node(i)
        if (node.domain, node.op, move.op) == ("", "Transpose", None):
            name, p = str(node.tensor(IN(0)).name), node.attr("perm")
            needed = Layout(tuple(p)) if p else ANY
            reason, made_by = "its rank is unknown", program.made_by(name)
            yield Relayout(name, AS_IS, needed, "Transpose", None, made_by, (program.label(i),), reason)


def _blame(program: Program, name: str, layout: Layout, readers: Sequence[Touch]) -> str:
    """The first node (or graph output) behind the readers that will not have the layout the value is stored in."""
    if not readers:
        return f"graph output {name!r} has a fixed layout"
    pending, seen = [(*reader, layout) for reader in readers], set()
    while pending:
        i, slot, layout = pending.pop(0)
        if (i, slot, layout) in seen:
            continue
        seen.add((i, slot, layout))
        reason = program.refusal(i, slot, layout)
        if reason is not None:
            return f"{program.label(i)}: {reason}"
        move = next(move for move in program.moves[i] if move.at(slot) == layout)
        for result, end in program.results(i):
            if program.outputs.get(result, move.at(end)) != move.at(end):
                return f"graph output {result!r} has a fixed layout"
            pending.extend((*reader, move.at(end)) for reader in program.readers(result))
    return "it is cheapest here: another place would move more bytes"
