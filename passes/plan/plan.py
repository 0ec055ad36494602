"""The plan of least transposed bytes: one move per node, and the changes of layout that remain, with their reasons."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import onnx_graphsurgeon as gs

from passes.dialects.base import Dialect
from passes.layout.layout import ANY, AS_IS, Layout
from passes.plan.candidates import Candidates
from passes.plan.changes import change_op, data_order, nearest
from passes.plan.program import Program
from passes.rules.move import OUT, Move, Slot
from passes.rules.node import Node


@dataclass(frozen=True)
class Change:
    """A value stored one way and needed another: a Transpose of ``bytes``, or a Reshape where no byte moves."""

    value: str
    stored: Layout
    needed: Layout
    op: str
    bytes: int
    made_by: str
    readers: tuple[str, ...]  # empty: only the interface
    blame: str


@dataclass(frozen=True)
class Plan:
    """One move per node (in the order of ``ports.flat``), the layout each value is stored in, and what remains.

    ``bytes`` are those of the Transposes that remain, ``inside`` those that operators move themselves because of how
    they are stored; ``bound`` is proven: no plan has a smaller sum of the two.
    """

    moves: list[Move]
    stored: Mapping[str, Layout]
    changes: list[Change]
    bytes: int
    bound: float
    optimal: bool
    hints: Mapping[str, int] = field(default_factory=dict)
    inside: int = 0


def make_program(
    graph: gs.Graph,
    pins: Mapping[str, Layout],
    outputs: Mapping[str, Layout],
    dialect: Dialect,
    hints: Mapping[str, int] | None = None,
) -> Program:
    """The integer program of a sorted graph.

    ``pins`` are the layouts of graph inputs, ``outputs`` those of graph outputs, ``hints`` sizes of symbolic dims (for
    pricing only).
    """
    return Program(Candidates(graph, {**pins, **outputs}, dialect), graph, pins, outputs, hints or {})


def make_plan(program: Program, time_limit: float = 60.0, forbidden: Collection[int] = ()) -> Plan:
    """The cheapest plan without the ``forbidden`` variables.

    Raises PlanError if there is none, or the solver finds none within ``time_limit`` seconds.
    """
    chosen, bound, optimal = program.solve(time_limit, forbidden)
    stored = stored_layouts(program, chosen)
    changes = changes_of(program, chosen, stored)
    total, inside = sum(change.bytes for change in changes), program.inside(chosen)
    least = total + inside if optimal else bound
    return Plan(chosen, stored, changes, total, least, optimal, program.hints, inside)


def stored_layouts(program: Program, chosen: Sequence[Move]) -> dict[str, Layout]:
    made = {name: chosen[i].at(slot) for name, (i, slot) in program.producer.items()}
    return {**program.pins, **made}


def changes_of(program: Program, chosen: Sequence[Move], stored: Mapping[str, Layout]) -> list[Change]:
    """What remains, by value and needed layout."""
    wanted: dict[tuple[str, Layout], list[tuple[int, Slot]]] = defaultdict(list)
    for name, readers in program.readers.items():
        for i, slot in readers:
            if chosen[i].at(slot) != ANY:
                wanted[name, chosen[i].at(slot)].append((i, slot))
    for demand in program.outputs.items():
        wanted[demand] += []
    changes = []
    had: dict[str, list[Layout]] = {name: [layout] for name, layout in stored.items()}
    for (name, needed), readers in wanted.items():
        have, tensor = had.setdefault(name, [AS_IS]), program.tensors.get(name)
        if tensor is None or needed in have:  # a constant that is a graph output costs nothing
            continue
        at = nearest(tensor, have, needed)
        moved = 0 if data_order(at, tensor) == data_order(needed, tensor) else program.bytes_of(name)
        labels = tuple(label(program.found.nodes[i]) for i, _ in readers)
        culprit = blame(program, name, have[0], readers)
        op, maker = change_op(tensor, at, needed), made_by(program, name)
        changes.append(Change(name, at, needed, op, moved, maker, labels, culprit))
        have.append(needed)
    return changes


def made_by(program: Program, name: str) -> str:
    return label(program.found.nodes[program.producer[name][0]]) if name in program.producer else "graph input"


def blame(program: Program, name: str, at: Layout, readers: Sequence[tuple[int, Slot]]) -> str:
    """The first node (or graph output) behind the readers that will not have the layout the value is stored in."""
    if not readers:
        return f"graph output {name!r} has a fixed layout"
    pending, seen = [(*reader, at) for reader in readers], set()
    while pending:
        i, slot, layout = pending.pop(0)
        if (i, slot, layout) in seen:
            continue
        seen.add((i, slot, layout))
        node, reason = program.found.nodes[i], program.found.refusal(i, slot, layout)
        if reason is not None:
            return f"{label(node)}: {reason}"
        move = next(move for move in program.moves[i] if move.at(slot) == layout)
        for j in (j for j in range(node.arity[1]) if node.has(OUT(j))):
            result = node.tensor(OUT(j)).name
            if program.outputs.get(result, move.outputs[j]) != move.outputs[j]:
                return f"graph output {result!r} has a fixed layout"
            pending.extend((*reader, move.outputs[j]) for reader in program.readers[result])
    return "it is cheapest here: another place would move more bytes"


def label(node: Node) -> str:
    return f"{node.op} {node.name!r}" if node.name else node.op
