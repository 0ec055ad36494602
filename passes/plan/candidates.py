"""All moves that every node can make with the layouts considered.

Those are, for each value: every perm of its axes up to rank 4; above, the perms that the model suggests; and whatever
rules make of these from node to node, as orders of elements along an axis. Where the independent slots of an operator
would allow too many combinations (Einsum), the perms that the model suggests are combined; where the parts of a Concat
would, orders that are alike.
"""

from collections import deque
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, cached_property, partial
from itertools import permutations, product
from math import prod

from passes.layout.vector import parts_in, sizes_and_perm
from passes.plan.answers import Answers
from passes.plan.flat_graph import MOST_PERMS, FlatGraph, RuledNode
from passes.rules.api import ANY, Layout, Move, Perm, Refusal, Slot, natural, perm, permuted

MOST_COMBINATIONS = 1000  # of layouts of the independent slots of one node

Key = tuple[tuple[Layout, ...], tuple[Layout, ...], str | None]
Moves = dict[Key, Move]  # by the layouts of inputs and outputs, and the domain if it becomes another operator
Beyond = list[tuple[Slot, Layout]]


class Candidates:
    """``moves`` of each node, where ``ends`` are the layouts of graph inputs and outputs.

    Nodes that look alike share one list. What keeps everything as it is is among them, unless the rule always has the
    node written anew or the dialect demands another move, so that a plan always exists.
    """

    def __init__(self, graph: FlatGraph, ends: Mapping[str, Layout]) -> None:
        self._graph, self._ends, self._answers = graph, ends, Answers()
        self._beyond: dict[str, dict[Layout, None]] = {}  # layouts that rules make, besides those of the rank
        self._by_rank: dict[int | None, Collection[Layout]] = {}
        self._queue: deque[tuple[str, Layout]] = deque()
        numbers: dict[Hashable, int] = {}
        self._looks = [numbers.setdefault((one.node.appearance, one.slots), len(numbers)) for one in graph.nodes]
        self._found = [self._start(i) for i in range(len(graph.nodes))]
        self._more: list[Moves] = [{} for _ in graph.nodes]  # of layouts beyond those of the rank
        while self._queue:
            name, layout = self._queue.popleft()
            for i, slot in graph.touching.get(name, ()):
                self._spread(i, slot, layout)
        alike = [(id(self._found[i]), *map(id, more.values())) for i, more in enumerate(self._more)]
        demanded = {alike[i]: self._demanded(i) for i in dict(zip(alike, range(len(alike)), strict=True)).values()}
        self.moves = [demanded[key] for key in alike]

    def _of_rank(self, rank: int | None) -> Sequence[Layout]:
        return self._suggest(rank) if rank is None or rank > MOST_PERMS else every_perm(rank)

    def _suggest(self, rank: int | None) -> Sequence[Layout]:
        return self._suggested.get(rank) or [natural(rank)]

    @cached_property
    def _suggested(self) -> dict[int | None, list[Layout]]:
        """By rank: the original's layout, images with channels first and last, those of ends and what rules suggest."""
        found = {rank: [perm.channels_last(rank), perm.channels_first(rank)] for rank in range(3, 6)}
        asked = ((ruled.node, ruled.rule.suggests) for ruled in self._graph.nodes if ruled.rule is not None)
        for node, suggests in ((node, suggests) for node, suggests in asked if suggests is not None):
            with suppress(Refusal):
                for p in suggests(node):
                    found.setdefault(len(p), []).append(p)
        for layout in self._ends.values():
            found.setdefault(layout.rank, []).append(layout.perm)
        return {rank: [*dict.fromkeys([natural(rank), *map(permuted, perms)])] for rank, perms in found.items()}

    def _start(self, i: int) -> Moves:
        """What node ``i`` makes of the layouts of its values' ranks."""
        ruled = self._graph.nodes[i]
        moves, beyond = self._answers.of(ruled.node, self._looks[i], partial(self._first_moves, ruled))
        if any(ruled.rank(slot) is None for slot in ruled.live):
            moves = {key: move for key, move in moves.items() if self._is_told(ruled, move)}
            moves = moves or {((), (), None): ruled.node.move()}
            beyond = self._new(ruled, moves.values())
        self._learn(ruled, beyond)
        return moves

    def _first_moves(self, ruled: RuledNode) -> tuple[Moves, Beyond]:
        stay = ruled.node.move()
        moves = {} if ruled.rule is not None and ruled.rule.always_rewrite else {key_of(stay): stay}
        options = self._options(ruled)
        if len(options) == 1 and (ruled.rank(ruled.slots[0]) or 0) > MOST_PERMS:
            options = [[*dict.fromkeys([*options[0], *self._from_others(ruled)])]]
        for layouts in combinations(ruled, options):
            for move in answered(ruled, layouts):
                moves.setdefault(key_of(move), move)
        moves = moves or {key_of(stay): stay}
        return moves, self._new(ruled, moves.values())

    def _options(self, ruled: RuledNode) -> list[Sequence[Layout]]:
        """The layouts of each independent slot that its rank suggests; fewer where there are too many combinations."""
        suggest = self._suggest if self._is_wide(ruled) else self._of_rank
        return [suggest(ruled.rank(slot)) for slot in ruled.slots]

    def is_limited(self, ruled: RuledNode) -> bool:
        """Whether not all layouts of a node's values are combined: only perms that the model suggests, or orders that
        are alike, of parts.
        """
        if ruled.rule is None or ruled.rule.whole is None:
            return self._is_wide(ruled)
        known = (one for slot in ruled.live for one in self._beyond.get(ruled.value(slot), ()) if one.is_divided)
        return any(is_too_many(self._parts(ruled, p).values()) for p in {one.axis_perm for one in known})

    def _is_wide(self, ruled: RuledNode) -> bool:
        """Whether the independent slots have too many layouts to combine."""
        usual = (self._of_rank(ruled.rank(slot)) for slot in ruled.slots)
        return is_too_many(usual) and (ruled.rule is None or ruled.rule.partners is None)

    def _from_others(self, ruled: RuledNode) -> Iterator[Layout]:
        """The layouts of the one independent slot that the ranks of the other values suggest."""
        for slot in (slot for slot in ruled.live if slot not in ruled.slots):
            for layout in self._of_rank(ruled.rank(slot)):
                yield from guessed(ruled, slot, layout)

    def _new(self, ruled: RuledNode, moves: Iterable[Move]) -> Beyond:
        """The layouts of moves that the ranks of the values alone do not suggest."""
        usual = {slot: self._usual(ruled.rank(slot)) for slot in ruled.live}
        found = ((slot, move.at(slot)) for move in moves for slot in ruled.live)
        return [*dict.fromkeys((slot, layout) for slot, layout in found if layout not in usual[slot])]

    def _usual(self, rank: int | None) -> Collection[Layout]:
        if rank not in self._by_rank:
            self._by_rank[rank] = {ANY, *self._of_rank(rank)}
        return self._by_rank[rank]

    def _learn(self, ruled: RuledNode, found: Beyond) -> None:
        for name, layout in ((ruled.value(slot), layout) for slot, layout in found):
            beyond = self._beyond.setdefault(name, {})
            if layout not in beyond:
                beyond[layout] = None
                self._queue.append((name, layout))

    def _spread(self, i: int, slot: Slot, layout: Layout) -> None:
        """What node ``i`` makes of a layout of the value at a slot that its rank alone does not suggest."""
        ruled, moves, more = self._graph.nodes[i], list[Move](), self._more[i]
        for layouts in self._tried(ruled, slot, layout):
            question = (self._looks[i], layouts)
            for move in self._answers.of(ruled.node, question, partial(answered, ruled, layouts)):
                key = key_of(move)
                if key not in self._found[i] and key not in more and self._is_told(ruled, move):
                    more[key] = move
                    moves.append(move)
        self._learn(ruled, self._new(ruled, moves))

    def _tried(self, ruled: RuledNode, slot: Slot, layout: Layout) -> Iterator[tuple[Layout, ...]]:
        """The layouts of the independent slots that may give ``layout`` at ``slot``."""
        if slot not in ruled.slots and len(ruled.slots) == 1:
            asked = self._of_rank(ruled.rank(ruled.slots[0]))
            yield from ((other,) for other in guessed(ruled, slot, layout) if other not in asked)
            yield from self._joined(ruled, slot, layout)
        elif ruled.slots:
            alike = (([layout] if ruled.rank(s) == layout.rank else []) for s in ruled.slots)
            usual = zip(ruled.slots, self._options(ruled), strict=True)
            offered = ([*some, *self._beyond.get(ruled.value(s), ())] for s, some in usual)
            worth = [[*dict.fromkeys([*some, *more])] for some, more in zip(offered, alike, strict=True)]
            options = [[layout] if s == slot else some for s, some in zip(ruled.slots, worth, strict=True)]
            yield from combinations(ruled, options)

    def _joined(self, ruled: RuledNode, slot: Slot, layout: Layout) -> Iterator[tuple[Layout, ...]]:
        """The layouts of the independent slot, whose value has parts, if the part at ``slot`` has ``layout``."""
        if ruled.rule is None or ruled.rule.whole is None or not layout.is_divided:
            return
        options = self._parts(ruled, layout.axis_perm)
        if is_too_many(options.values()):
            same = patterns(layout)
            options = {other: [min(known, key=lambda one: patterns(one) != same)] for other, known in options.items()}
        for parts in product(*{**options, slot: [layout]}.values()):
            with suppress(Refusal):
                yield (ruled.rule.whole(ruled.node, *parts),)

    def _parts(self, ruled: RuledNode, p: Perm) -> dict[Slot, Sequence[Layout]]:
        """The layouts of each part of the value at the independent slot, with the axes in the order ``p``."""
        known = {
            slot: self._beyond.get(ruled.value(slot), ()) if slot in ruled.live else () for slot in ruled.node.slots
        }
        return {
            slot: [permuted(p), *(one for one in beyond if one.is_divided and one.axis_perm == p)]
            for slot, beyond in known.items()
            if slot.side != ruled.slots[0].side
        }

    def _is_told(self, ruled: RuledNode, move: Move) -> bool:
        """Of a value of unknown rank, which somebody reads, no other layout can be told."""
        blind = (slot for slot in ruled.live if ruled.rank(slot) is None)
        names = {ruled.value(slot) for slot in blind if move.at(slot) != ANY and not move.at(slot).is_natural}
        return not any(name in self._ends or self._graph.readers(name) for name in names)

    def _demanded(self, i: int) -> list[Move]:
        """The moves of a node that its dialect demands; if there are none, all."""
        dialect, moves = self._graph.nodes[i].node.dialect, [*self._found[i].values(), *self._more[i].values()]
        return [move for move in moves if dialect.demands(move.domain, move.op)] or moves


def is_too_many(options: Iterable[Collection[Layout]]) -> bool:
    """Whether layouts of several values allow more combinations than are tried."""
    return prod(map(len, options)) > MOST_COMBINATIONS


def patterns(layout: Layout) -> set[Perm]:
    """In which order the factors of divided axes are stored, whatever their sizes."""
    orders = (part for axis in layout.lengths() for part in parts_in(layout.along(axis)))
    return {sizes_and_perm(order)[1] for order in orders}


@cache
def every_perm(rank: int) -> Sequence[Layout]:
    """All perms of so many axes, the original's first."""
    return [permuted(p) for p in permutations(range(rank))]


def answered(ruled: RuledNode, layouts: Sequence[Layout]) -> list[Move]:
    """The moves of a node for layouts of its independent slots, none if its rule refuses."""
    try:
        return ruled.ask(*layouts)
    except Refusal:
        return []


def guessed(ruled: RuledNode, slot: Slot, layout: Layout) -> list[Layout]:
    """The layouts of the one independent slot to try for ``layout`` at another one."""
    try:
        return ruled.likely(slot, layout)
    except Refusal:
        return []


def key_of(move: Move) -> Key:
    """What tells the moves of a node apart."""
    return move.inputs, move.outputs, move.domain


def combinations(ruled: RuledNode, options: Sequence[Sequence[Layout]]) -> Iterator[tuple[Layout, ...]]:
    """One layout for each independent slot."""
    if ruled.rule is None or ruled.rule.partners is None:
        yield from product(*options) if options else ()
        return
    by_perm: dict[Perm, list[Layout]] = {}
    for layout in options[0]:
        by_perm.setdefault(layout.axis_perm, []).append(layout)
    for layout in options[1]:
        with suppress(Refusal):
            perms = ruled.rule.partners(ruled.node, layout)
            yield from ((other, layout) for p in perms for other in by_perm.get(p, ()))
