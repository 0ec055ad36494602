"""Why a value is needed in another layout than it is stored in."""

from collections import deque
from collections.abc import Iterator, Sequence

from passes.plan.flat_graph import Touch
from passes.plan.program import Program
from passes.rules.api import Layout, Slot

State = tuple[int, Slot, Layout]  # a node, and a layout that it might have at a slot
Blame = tuple[str, str]  # a reason, and the node that it is of, if there is one
CHEAPEST = "it is cheapest here: another place would cost more", ""


class Blames:
    """Who will not have a layout; what was found on the way is not looked for again."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._known: dict[State, Blame] = {}
        self._free = set[State]()  # behind these nobody refuses

    def of(self, name: str, layout: Layout, readers: Sequence[Touch]) -> Blame:
        """The first node (or graph output) behind the readers of a value that will not have the layout it is stored
        in."""
        if not readers:
            return fixed(name)
        before: dict[State, State | None] = dict.fromkeys((*reader, layout) for reader in readers)
        pending = deque(before)
        while pending:
            state = pending.popleft()
            reason = self._known.get(state) or self._reason(*state)
            if reason is not None:
                return self._learned(before, state, reason)
            for behind in self._behind(*state):
                if behind not in before and behind not in self._free:
                    before[behind] = state
                    pending.append(behind)
        self._free.update(before)
        return CHEAPEST

    def _learned(self, before: dict[State, State | None], state: State | None, reason: Blame) -> Blame:
        while state is not None:
            self._known[state], state = reason, before[state]
        return reason

    def _reason(self, i: int, slot: Slot, layout: Layout) -> Blame | None:
        """Why the node itself, or a graph output that it makes, will not have the layout."""
        refusal = self._program.refusal(i, slot, layout)
        if refusal is not None:
            return refusal, str(self._program.flat.nodes[i])
        made = self._made(i, slot, layout)
        return next((fixed(name) for name, needed in made if self._program.outputs.get(name, needed) != needed), None)

    def _behind(self, i: int, slot: Slot, layout: Layout) -> Iterator[State]:
        """The readers of what a node makes, given the layout, and the layouts that they get."""
        for name, made in self._made(i, slot, layout):
            yield from ((*reader, made) for reader in self._program.flat.readers(name))

    def _made(self, i: int, slot: Slot, layout: Layout) -> Iterator[tuple[str, Layout]]:
        ruled = self._program.flat.nodes[i]
        move = next(move for move in self._program.moves[i] if move.at(slot) == layout)
        return ((ruled.value(end), move.at(end)) for end in ruled.live if end.side == "out")


def fixed(name: str) -> Blame:
    """That a graph output has the layout that it has."""
    return f"graph output {name!r} has a fixed layout", ""
