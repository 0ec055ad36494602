"""Changes of layout that a runtime would undo, though its own operators are faster with them.

onnxruntime's optimiser carries a Transpose through operators to the next one, where the two cancel; it knows nothing of
what these operators cost in either layout. What it leaves alone is an Einsum (docs/prices.md). One side of a region is
enough: where nothing can be carried in, or nothing out, it stays. And it has products read transposed what a Transpose
before them swaps, which for the first operand may be dearer; where it is not, the plan says so itself.
"""

from dataclasses import replace

from passes.layout.recipe import Transpose, recipe
from passes.plan.groups import Groups
from passes.plan.plan import Plan, Relayout
from passes.plan.program import Program
from passes.rules.api import ANY, IN, Move, Slot


def hold_changes(program: Program, plan: Plan) -> Plan:
    """The plan with the changes marked that must not be undone."""
    if not program.runtime.undoes:
        return plan
    regions = _Regions(program, plan)
    worth = {regions.of[i] for i, move in enumerate(plan.moves) if i in regions.of and _is_better(program, i, move)}
    held = {(one.value, one.needed) for one in plan.relayouts if _is_folded(program, plan, one)}
    for region in worth:
        sides = [
            [change for change in plan.relayouts if side(change) == region] for side in (regions.into, regions.out_of)
        ]
        if all(sides):
            held.update((one.value, one.needed) for one in min(sides, key=lambda side: sum(c.bytes or 0 for c in side)))
    return replace(plan, held=frozenset(held))


def _is_better(program: Program, i: int, move: Move) -> bool:
    """Whether a node runs faster so than as it was."""
    node = program.flat.nodes[i].node
    return program.inside(node, move) < program.inside(node, node.move())


def _is_folded(program: Program, plan: Plan, change: Relayout) -> bool:
    """Whether a change swaps the last two axes of the first operand of a product."""
    shape = program.flat.tensors[change.value].shape
    if change.op != "Transpose" or shape is None or len(shape) < 2:
        return False
    *batch, row, column = range(len(shape))
    if recipe(change.stored, change.needed, shape) != (Transpose((*batch, column, row)),):
        return False
    return any(
        program.flat.nodes[i].node.op in program.runtime.folds
        and plan.moves[i].at(slot) == change.needed
        and slot == IN(plan.moves[i].first)
        for i, slot in program.flat.readers(change.value)
    )


class _Regions:
    """Nodes that hand on values stored otherwise than in the original: ``of`` tells one node of each region."""

    def __init__(self, program: Program, plan: Plan) -> None:
        self._flat, self._plan = program.flat, plan
        moved = (
            i
            for i, move in enumerate(plan.moves)
            if any(self._is_moved(move, slot) for slot in self._flat.nodes[i].live)
        )
        groups = Groups(moved)
        for i in groups:
            for slot in (slot for slot in self._flat.nodes[i].live if slot.side == "in"):
                value, layout = self._flat.nodes[i].value(slot), plan.moves[i].at(slot)
                maker = self._flat.makers.get(value, (i, slot))[0]
                if self._is_moved(plan.moves[i], slot) and plan.stored[value] == layout and maker in groups:
                    groups.join(i, maker)
        self.of = {i: groups.of(i) for i in groups}

    def into(self, change: Relayout) -> int | None:
        """The region that reads what a change makes."""
        for i, slot in self._flat.readers(change.value):
            if i in self.of and self._plan.moves[i].at(slot) == change.needed and not change.needed.is_natural:
                return self.of[i]
        return None

    def out_of(self, change: Relayout) -> int | None:
        """The region that makes what a change changes."""
        maker = self._flat.makers.get(change.value, (None,))[0]
        return self.of.get(maker) if maker is not None and not self._plan.stored[change.value].is_natural else None

    def _is_moved(self, move: Move, slot: Slot) -> bool:
        return move.at(slot) != ANY and not move.at(slot).is_natural
