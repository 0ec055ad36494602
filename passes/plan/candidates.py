"""The moves worth considering: layouts spread from where they arise through the rules until nothing new appears.

Layouts arise at operators on images (as the dialect would have them), at the Transposes already in the model, and at
the pinned graph inputs and outputs. Every node keeps the move that changes nothing, so a plan always exists.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from passes.layout.layout import ANY, Layout, permuted
from passes.layout.perm import channels_last
from passes.plan.flat_graph import FlatGraph, Known
from passes.rules.move import IN, Move, Slot
from passes.rules.node import Node

Ends = tuple[tuple[Layout, ...], tuple[Layout, ...]]


@dataclass(frozen=True)
class Candidates:
    """The moves that each node can make, and the layouts considered for each value."""

    moves: list[list[Move]]
    known: Known


def find_candidates(graph: FlatGraph, pins: Mapping[str, Layout]) -> Candidates:
    """The candidates of a graph whose inputs and outputs are stored as ``pins`` says."""
    spread = _Spread(graph, pins)
    spread.run()
    return Candidates(
        [demanded(n.node, m.values()) for n, m in zip(graph.nodes, spread.moves, strict=True)], spread.known
    )


def demanded(node: Node, moves: Iterable[Move]) -> list[Move]:
    """The moves that the node's dialect demands; if there are none, all."""
    every = list(moves)
    return [move for move in every if node.dialect.demands(move.domain, move.op)] or every


class _Spread:
    def __init__(self, graph: FlatGraph, pins: Mapping[str, Layout]) -> None:
        self.graph, self.pins = graph, pins
        self.moves: list[dict[Ends, Move]] = [{} for _ in graph.nodes]
        self.known = Known()
        self.queue: deque[tuple[str, Layout]] = deque()

    def run(self) -> None:
        for name, layout in self.pins.items():
            self._offer(name, layout)
        for i in range(len(self.graph.nodes)):
            self._start(i)
        while self.queue:
            name, layout = self.queue.popleft()
            for i, slot in self.graph.touching.get(name, ()):
                self._spread(i, slot, layout)

    def _start(self, i: int) -> None:
        """What the node makes of the original layout; it may stay, unless its rule always has it written anew."""
        ruled = self.graph.nodes[i]
        rule, stay = ruled.rule, ruled.node.move()
        rank = ruled.rank(IN(0))
        if rank is not None and rule is not None and rule.image and rank in ruled.node.dialect.ranks:
            self._offer(ruled.value(IN(0)), permuted(channels_last(rank)))
        if rule is None or not rule.always_rewrite:
            self._add(i, stay)
        for slot in ruled.live if rule is not None else ():
            self._spread(i, slot, ruled.node.natural(slot))
        if not self.moves[i]:
            self._add(i, stay)

    def _offer(self, name: str, layout: Layout) -> None:
        if self.known.learn(name, layout):
            self.queue.append((name, layout))

    def _spread(self, i: int, slot: Slot, layout: Layout) -> None:
        for move in self.graph.nodes[i].moves_with(slot, layout, self.known):
            self._add(i, move)

    def _add(self, i: int, move: Move) -> None:
        ruled, ends = self.graph.nodes[i], (move.inputs, move.outputs)
        changed = [slot for slot in ruled.live if not move.at(slot).is_natural and move.at(slot) != ANY]
        if ends in self.moves[i] or any(ruled.rank(s) is None and self._is_used(ruled.value(s)) for s in changed):
            return
        self.moves[i][ends] = move
        for slot in changed:
            self._offer(ruled.value(slot), move.at(slot))

    def _is_used(self, name: str) -> bool:
        return name in self.pins or name in self.graph.readers
