"""The moves worth considering: layouts spread from where they arise through the rules until nothing new appears.

Layouts arise at spatial operators (channels-last), at the Transposes already in the model, and at the pinned graph
inputs and outputs. Every node keeps the move that changes nothing, so a plan always exists.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from itertools import permutations, product

import onnx_graphsurgeon as gs

from passes.dialects.base import Dialect
from passes.ir.control_flow import flat
from passes.layout import layout as lay
from passes.layout import perm
from passes.layout.layout import ANY, AS_IS, Layout
from passes.refusal import Refusal
from passes.rules.barriers import BARRIERS
from passes.rules.move import IN, OUT, Move, Slot
from passes.rules.node import Node
from passes.rules.registry import lookup

MOST_LAYOUTS = 8  # per value
MOST_PERMS = 4  # rank up to which every perm of a pivot is tried when a layout arrives at another slot


class Candidates:
    """``nodes[i]`` (of ``ports.flat``) can make any of ``moves[i]``; ``layouts[name]`` are those considered."""

    def __init__(self, graph: gs.Graph, pins: Mapping[str, Layout], dialect: Dialect, spread: bool = True) -> None:
        every = list(flat(graph))
        self.nodes = [Node(node, graph.opset, dialect) for node in every]
        self.rules = [lookup(node.domain, node.op, node.opset) for node in self.nodes]
        self.slots = [self._slots(i) for i in range(len(self.nodes))]
        self.live = [live_slots(node) for node in self.nodes]
        self.moves: list[dict[tuple[tuple[Layout, ...], tuple[Layout, ...]], Move]] = [{} for _ in self.nodes]
        self.layouts: dict[str, dict[Layout, None]] = defaultdict(lambda: {AS_IS: None})
        self.touching: dict[str, list[tuple[int, Slot]]] = defaultdict(list)
        self._used = {*pins, *(t.name for node in every for t in node.inputs)}
        self._known: set[perm.Perm] = set()
        self._queue: deque[tuple[str, Layout]] = deque()
        for i, node in enumerate(self.nodes):
            for slot in self.live[i]:
                self.touching[node.tensor(slot).name].append((i, slot))
        if spread:
            self._spread_all(pins)

    def _spread_all(self, pins: Mapping[str, Layout]) -> None:
        self._seed(pins)
        while self._queue:
            name, layout = self._queue.popleft()
            for i, slot in self.touching[name]:
                self._spread(i, slot, layout)
        self._keep_pinned()

    def ask(self, i: int, *layouts: Layout) -> list[Move]:
        """The rule's moves for these layouts of the pivots. Raises Refusal with the rule's reason."""
        rule, node = self.rules[i], self.nodes[i]
        if rule is None:
            unknown = f"there is no rule for {node.domain or 'ai.onnx'}::{node.op}"
            raise Refusal(unknown if node.domain else BARRIERS.get(node.op, unknown))
        ranks = [node.rank(slot) for slot in rule.slots_of(node)]
        moves = rule.fn(node, *(lay.of_rank(at, rank) for at, rank in zip(layouts, ranks, strict=True)))
        return moves if isinstance(moves, list) else [moves]

    def refusal(self, i: int, slot: Slot, layout: Layout) -> str | None:
        """Why node ``i`` would not have ``layout`` at ``slot``; ``None`` if it would."""
        if any(move.at(slot) == layout for move in self.moves[i].values()):
            return None
        node, pivots = self.nodes[i], self.slots[i]
        try:
            if slot in pivots or len(pivots) != 1:
                alike = lay.make(layout.perm)
                same = {s: alike if known_rank(node, s) == len(layout.perm) else AS_IS for s in pivots}
                self.ask(i, *(layout if s == slot else same[s] for s in pivots or [slot]))
            else:
                for at in self._pivots_for(i, slot, pivots[0], layout):
                    self.ask(i, at)
        except Refusal as reason:
            return str(reason)
        if self._is_pinned(i):
            return f"{node.op} is channels-last in this dialect"
        return f"{node.op} has no form with this layout here"

    def _slots(self, i: int) -> tuple[Slot, ...]:
        rule = self.rules[i]
        try:
            return rule.slots_of(self.nodes[i]) if rule else ()
        except Refusal:
            return ()

    def _seed(self, pins: Mapping[str, Layout]) -> None:
        for name, layout in pins.items():
            self._offer(name, layout)
        for i, (node, rule) in enumerate(zip(self.nodes, self.rules, strict=True)):
            image = node.dialect.image_layout(known_rank(node, IN(0)) or 0)
            if rule is not None and rule.image and image is not None:
                self._offer(node.tensor(IN(0)).name, image)
            n_in, n_out = node.arity
            stay = Move((AS_IS,) * n_in, (AS_IS,) * n_out)
            if rule is None or not rule.always_rewrite:
                self._add(i, stay)
            for slot in self.live[i] if rule is not None else ():
                self._spread(i, slot, AS_IS)
            if not self.moves[i]:
                self._add(i, stay)

    def _offer(self, name: str, layout: Layout) -> None:
        if layout not in self.layouts[name] and len(self.layouts[name]) < MOST_LAYOUTS:
            self.layouts[name][layout] = None
            self._known.add(layout.perm)
            self._queue.append((name, layout))

    def _spread(self, i: int, slot: Slot, layout: Layout) -> None:
        for move in self.moves_with(i, slot, layout):
            self._add(i, move)

    def moves_with(self, i: int, slot: Slot, layout: Layout) -> Iterator[Move]:
        """The moves of node ``i`` with ``layout`` at ``slot``."""
        pivots = self.slots[i]
        for layouts in self._tried(i, slot, layout):
            try:
                moves = [move for move in self.ask(i, *layouts) if move.at(slot) == layout]
            except Refusal:
                continue
            yield from moves
            if moves and slot not in pivots and layout == layouts[0]:
                return

    def _tried(self, i: int, slot: Slot, layout: Layout) -> Iterator[tuple[Layout, ...]]:
        """The layouts of the pivots that may give ``layout`` at ``slot``, the likeliest first."""
        pivots = self.slots[i]
        if slot in pivots or len(pivots) > 1:
            yield from product(*([layout] if s == slot else self._known_for(i, s, layout) for s in pivots))
        elif pivots:
            with suppress(Refusal):
                yield from ((at,) for at in self._pivots_for(i, slot, pivots[0], layout))

    def _known_for(self, i: int, pivot: Slot, layout: Layout) -> list[Layout]:
        """Layouts of a pivot to try when ``layout`` arrives at another slot: the known ones, and the same."""
        known = self.layouts[self.nodes[i].tensor(pivot).name]
        alike = [lay.make(layout.perm), layout] if len(layout.perm) == known_rank(self.nodes[i], pivot) else []
        return list(dict.fromkeys([*known, *alike]))

    def _pivots_for(self, i: int, slot: Slot, pivot: Slot, layout: Layout) -> Iterable[Layout]:
        """Layouts of the pivot that may give ``layout`` at another slot, the likeliest first."""
        node, rule = self.nodes[i], self.rules[i]
        rank, other = known_rank(node, pivot), known_rank(node, slot)
        if rank is None or other is None or rule is None:
            return
        if rule.inverse is not None and slot in (IN(0), OUT(0)):
            yield from rule.inverse(node, lay.of_rank(layout, other))
            return
        if rank == other:
            yield layout
        if rank <= MOST_PERMS:
            yield from every_layout(rank)
        else:
            yield from (lay.make(p) for p in sorted(self._known) if len(p) == rank)
            yield AS_IS

    def _add(self, i: int, move: Move) -> None:
        key = (move.inputs, move.outputs)
        if key in self.moves[i]:
            return
        node = self.nodes[i]
        changed = [slot for slot in self.live[i] if move.at(slot) not in (AS_IS, ANY)]
        if any(known_rank(node, slot) is None and node.tensor(slot).name in self._used for slot in changed):
            return
        self.moves[i][key] = move
        for slot in changed:
            self._offer(node.tensor(slot).name, move.at(slot))

    def _is_pinned(self, i: int) -> bool:
        demands = self.nodes[i].dialect.demands
        return any(demands(move.domain, move.op) for move in self.moves[i].values())

    def _keep_pinned(self) -> None:
        """Where the dialect demands its way of writing a node, that is the request, not a preference."""
        for i, node in enumerate(self.nodes):
            demands = node.dialect.demands
            if self._is_pinned(i):
                self.moves[i] = {key: move for key, move in self.moves[i].items() if demands(move.domain, move.op)}


@cache
def every_layout(rank: int) -> list[Layout]:
    return [lay.make(p) for p in permutations(range(rank))]


def live_slots(node: Node) -> list[Slot]:
    """The inputs and outputs of a node that hold computed values, not constants."""
    n_in, n_out = node.arity
    slots = [IN(i) for i in range(n_in) if node.has(IN(i)) and not node.is_constant(i)]
    return slots + [OUT(j) for j in range(n_out) if node.has(OUT(j))]


def known_rank(node: Node, slot: Slot) -> int | None:
    if not node.has(slot):
        return None
    shape = node.tensor(slot).shape
    return None if shape is None else len(shape)
