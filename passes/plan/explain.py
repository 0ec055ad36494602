"""Why a value is stored as it is: who makes it, who reads it, and what other layouts would cost in all.

Those that others stand in for (``folding``) are left out: with them no plan is cheaper.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from passes.ir.graph import natural_layout
from passes.layout.layout import ANY, Layout
from passes.plan.milp import PlanError
from passes.plan.plan import Plan, make_plan
from passes.plan.program import Program
from passes.plan.reduced import Reduced

TIME_LIMIT = 10.0  # seconds, per alternative


@dataclass(frozen=True)
class Alternative:
    """A layout considered for the value, and what the best plan with it costs (``None``: why none)."""

    layout: Layout
    cost: float | None
    reason: str


@dataclass(frozen=True)
class Reading:
    """A reader, the layout it reads the value in, the bytes moved for that and why it does not read it as stored."""

    reader: str
    needed: Layout
    bytes: int
    reason: str


@dataclass(frozen=True)
class Explanation:
    """``made_by`` is a node or the graph input."""

    value: str
    made_by: str
    stored: Layout
    alternatives: Sequence[Alternative]
    readings: Sequence[Reading]


def explain(program: Program, plan: Plan, name: str) -> Explanation:
    """The plan's reasons for one value of the graph; ``KeyError`` if it has none of that name."""
    stored = plan.stored[name]
    needed = sorted(Reduced(program, {}).layouts(name), key=str)
    layouts = dict.fromkeys([natural_layout(program.flat.tensors[name]), *needed])
    alternatives = [_alternative(program, name, layout) for layout in layouts if layout != stored]
    return Explanation(name, program.flat.made_by(name), stored, alternatives, [*_readings(program, plan, name)])


def _alternative(program: Program, name: str, layout: Layout) -> Alternative:
    if name not in program.flat.makers:
        return Alternative(layout, None, "the layout of a graph input is chosen by its role, --layout or --keep-io")
    i, slot = program.flat.makers[name]
    moves = [move for move in program.moves[i] if move.at(slot) == layout]
    if not moves:
        return Alternative(layout, None, program.refusal(i, slot, layout) or "no rule gives it")
    try:
        best = make_plan(program, TIME_LIMIT, {i: moves})
    except PlanError as error:
        return Alternative(layout, None, str(error))
    return Alternative(layout, best.cost, "")


def _readings(program: Program, plan: Plan, name: str) -> Iterator[Reading]:
    stored = plan.stored[name]
    moved = {r.needed: r.bytes for r in plan.relayouts if r.value == name and r.bytes is not None}
    for i, slot in program.flat.readers(name):
        reader, needed, reason = str(program.flat.nodes[i]), plan.moves[i].at(slot), ""
        if needed not in (ANY, stored):
            reason = program.refusal(i, slot, stored) or "that is cheaper than to have it as stored"
        yield Reading(reader, stored if needed == ANY else needed, moved.get(needed, 0), reason)
    if name in program.outputs:
        needed = program.outputs[name]
        yield Reading("graph output", needed, moved.get(needed, 0), "" if needed == stored else "it is fixed")
