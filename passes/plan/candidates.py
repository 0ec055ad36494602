"""The moves worth considering: layouts spread from where they arise through the rules until nothing new appears.

Layouts arise at operators on images (as the dialect would have them), at the Transposes already in the model, and at
the pinned graph inputs and outputs. Every node keeps the move that changes nothing, so a plan always exists.
"""

from collections import deque
from collections.abc import Mapping

from passes.plan.flat_graph import FlatGraph, RuledNode
from passes.rules.api import ANY, IN, Layout, Move, Node, Slot, perm, permuted


class Candidates:
    """The moves that each node can make, where ``ends`` are the layouts of graph inputs and outputs."""

    def __init__(self, graph: FlatGraph, ends: Mapping[str, Layout]) -> None:
        self._graph, self._ends = graph, ends
        self._moves: list[dict[tuple[tuple[Layout, ...], ...], Move]] = [{} for _ in graph.nodes]
        self._queue: deque[tuple[str, Layout]] = deque()
        for name, layout in ends.items():
            self._offer(name, layout)
        for i in range(len(graph.nodes)):
            self._start(i)
        while self._queue:
            name, layout = self._queue.popleft()
            for i, slot in graph.touching.get(name, ()):
                self._spread(i, slot, layout)
        self.moves = [demanded(n.node, [*moves.values()]) for n, moves in zip(graph.nodes, self._moves, strict=True)]

    def _start(self, i: int) -> None:
        """What the node makes of the original layout; it may stay, unless its rule always has it written anew."""
        ruled = self._graph.nodes[i]
        rule, stay = ruled.rule, ruled.node.move()
        rank = ruled.rank(IN(0))
        if rank is not None and rule is not None and rule.image and rank in ruled.node.dialect.ranks:
            self._offer(ruled.value(IN(0)), permuted(perm.channels_last(rank)))
        if rule is None or not rule.always_rewrite:
            self._add(i, stay)
        for slot in ruled.live if rule is not None else ():
            self._spread(i, slot, ruled.node.natural(slot))
        if not self._moves[i]:
            self._add(i, stay)

    def _offer(self, name: str, layout: Layout) -> None:
        if self._graph.known.learn(name, layout):
            self._queue.append((name, layout))

    def _spread(self, i: int, slot: Slot, layout: Layout) -> None:
        for move in self._graph.nodes[i].moves_with(slot, layout):
            self._add(i, move)

    def _add(self, i: int, move: Move) -> None:
        ruled, layouts = self._graph.nodes[i], (move.inputs, move.outputs)
        changed = [slot for slot in ruled.live if not move.at(slot).is_natural and move.at(slot) != ANY]
        if layouts in self._moves[i] or any(self._must_stay(ruled, slot) for slot in changed):
            return
        self._moves[i][layouts] = move
        for slot in changed:
            self._offer(ruled.value(slot), move.at(slot))

    def _must_stay(self, ruled: RuledNode, slot: Slot) -> bool:
        """Of a value of unknown rank, which somebody reads, no other layout can be told."""
        name = ruled.value(slot)
        return ruled.rank(slot) is None and (name in self._ends or bool(self._graph.readers(name)))


def demanded(node: Node, moves: list[Move]) -> list[Move]:
    """The moves that the node's dialect demands; if there are none, all."""
    return [move for move in moves if node.dialect.demands(move.domain, move.op)] or moves
