"""Why a value is stored as it is: who makes it, who reads it, and what every other layout would cost in all."""

from collections.abc import Sequence
from dataclasses import dataclass

from passes.layout.layout import ANY, AS_IS, Layout
from passes.plan.milp import PlanError
from passes.plan.plan import Plan, make_plan
from passes.plan.program import Program
from passes.rules.move import Slot

TIME_LIMIT = 10.0  # seconds, per alternative


@dataclass(frozen=True)
class Alternative:
    """A layout considered for the value, and the bytes that the best plan with it moves (``None``: why none)."""

    layout: Layout
    bytes: int | None
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
    if name not in program.tensors:
        raise KeyError(name)
    stored = plan.stored.get(name, AS_IS)
    others = [layout for layout in program.layouts(name) if layout != stored]
    alternatives = [_alternative(program, name, layout) for layout in others]
    return Explanation(name, program.made_by(name), stored, alternatives, _readings(program, plan, name, stored))


def _alternative(program: Program, name: str, layout: Layout) -> Alternative:
    if name not in program.makers:
        return Alternative(layout, None, "the layout of a graph input is chosen by its role, --layout or --keep-io")
    choices = program.choices(*program.makers[name])
    if layout not in choices:
        return Alternative(layout, None, program.refusal(*program.makers[name], layout) or "no rule gives it")
    forbidden = [variable for other, variables in choices.items() if other != layout for variable in variables]
    try:
        best = make_plan(program, TIME_LIMIT, forbidden)
    except PlanError as error:
        return Alternative(layout, None, str(error))
    return Alternative(layout, best.bytes + best.inside, "")


def _readings(program: Program, plan: Plan, name: str, stored: Layout) -> list[Reading]:
    moved = {r.needed: r.bytes for r in plan.relayouts if r.value == name and r.bytes is not None}
    readings = [_reading(program, plan, i, slot, stored, moved) for i, slot in program.readers(name)]
    if name in program.outputs:
        needed = program.outputs[name]
        readings.append(
            Reading("graph output", needed, moved.get(needed, 0), "" if needed == stored else "it is fixed")
        )
    return readings


def _reading(program: Program, plan: Plan, i: int, slot: Slot, stored: Layout, moved: dict[Layout, int]) -> Reading:
    needed = plan.moves[i].at(slot)
    if needed in (ANY, stored):
        return Reading(program.label(i), stored, 0, "")
    reason = program.refusal(i, slot, stored) or "that is cheaper than to have it as stored"
    return Reading(program.label(i), needed, moved.get(needed, 0), reason)
