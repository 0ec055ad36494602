"""A graph as the planner sees it: one flat list of nodes with their rules, and who touches which value."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import permutations, product

import onnx_graphsurgeon as gs

from passes.dialects.base import Dialect
from passes.dialects.standard import StandardDialect
from passes.ir.control_flow import flat, in_other_bodies
from passes.rules.api import IN, OUT, Layout, Move, Node, Perm, Refusal, Slot, natural, permuted
from passes.rules.barriers import BARRIERS
from passes.rules.rule import lookup

MOST_LAYOUTS = 8  # per value
MOST_PERMS = 4  # rank up to which every perm of a slot is tried when a layout arrives at another one

Touch = tuple[int, Slot]  # a node, by its number, and where it reads or makes a value


class Known:
    """The layouts considered so far, of each value (besides the original's), and all their perms."""

    def __init__(self) -> None:
        self.layouts: dict[str, list[Layout]] = {}
        self.perms: set[Perm] = set()

    def learn(self, name: str, layout: Layout) -> bool:
        """Consider a layout; whether it is a new one. Of each value only the first few are considered."""
        have = self.layouts.setdefault(name, [])
        if layout.is_natural or layout in have or len(have) + 1 >= MOST_LAYOUTS:
            return False
        have.append(layout)
        self.perms.add(layout.axis_perm)
        return True


class RuledNode:
    """A node and its rule. ``slots``: the independent ones; ``live``: those that hold no constants."""

    def __init__(self, node: Node, known: Known) -> None:
        self.node, self.rule, (n_in, n_out) = node, lookup(node.domain, node.op, node.opset), node.arity
        self.live = [IN(i) for i in range(n_in) if node.has(IN(i)) and not node.is_constant(i)]
        self.live += [OUT(j) for j in range(n_out) if node.has(OUT(j))]
        self._known = known
        self.slots: tuple[Slot, ...] = ()
        if self.rule is not None:
            with suppress(Refusal):
                self.slots = self.rule.slots_of(node)

    def __str__(self) -> str:
        return f"{self.node.op} {self.node.name!r}" if self.node.name else self.node.op

    def value(self, slot: Slot) -> str:
        """The name of the value at a slot."""
        return str(self.node.tensor(slot).name)

    def rank(self, slot: Slot) -> int | None:
        """The rank of the value at a slot; ``None`` if it is unknown, or there is none."""
        shape = self.node.tensor(slot).shape if self.node.has(slot) else None
        return None if shape is None else len(shape)

    def ask(self, *layouts: Layout) -> list[Move]:
        """The rule's moves for these layouts of the independent slots. Raises Refusal with the rule's reason."""
        rule, node = self.rule, self.node
        if rule is None:
            unknown = f"there is no rule for {node.domain or 'ai.onnx'}::{node.op}"
            raise Refusal(unknown if node.domain else BARRIERS.get(node.op, unknown))
        return rule.moves(node, *layouts)

    def moves_with(self, slot: Slot, layout: Layout) -> Iterator[Move]:
        """The moves with ``layout`` at ``slot``."""
        for layouts in self._tried(slot, layout):
            try:
                moves = [move for move in self.ask(*layouts) if move.at(slot) == layout]
            except Refusal:
                continue
            yield from moves
            if moves and slot not in self.slots and self._is_likeliest(slot, layout, layouts[0]):
                return

    def _is_likeliest(self, slot: Slot, layout: Layout, tried: Layout) -> bool:
        """Whether a layout of the one independent slot makes others not worth a try."""
        if layout.is_natural:  # for the original's layout a rule names several: axes of size 1 may be anywhere
            return tried.is_natural and not self._is_named(slot)
        return layout == tried

    def _is_named(self, slot: Slot) -> bool:
        """Whether the rule itself names the layouts of the one independent slot that go with another one's."""
        return self.rule is not None and self.rule.inverse is not None and slot in (IN(0), OUT(0))

    def refusal(self, slot: Slot, layout: Layout) -> str | None:
        """The rule's reason not to have ``layout`` at ``slot``, if it gives one."""
        try:
            if slot not in self.slots and len(self.slots) == 1:
                for other in self._likely(slot, layout):
                    self.ask(other)
            else:
                self.ask(*(layout if s == slot else self._alike(s, layout) for s in self.slots or [slot]))
        except Refusal as reason:
            return str(reason)
        return None

    def _alike(self, slot: Slot, layout: Layout) -> Layout:
        return permuted(layout.axis_perm) if self.rank(slot) == layout.rank else self.node.natural(slot)

    def _tried(self, slot: Slot, layout: Layout) -> Iterator[tuple[Layout, ...]]:
        """The layouts of the independent slots that may give ``layout`` at ``slot``, the likeliest first."""
        if slot in self.slots or len(self.slots) > 1:
            yield from product(*([layout] if s == slot else self._worth(s, layout) for s in self.slots))
        elif self.slots:
            with suppress(Refusal):
                yield from ((other,) for other in self._likely(slot, layout))

    def _worth(self, slot: Slot, layout: Layout) -> list[Layout]:
        """Layouts of a slot to try when ``layout`` arrives at another one: the known ones, and the same."""
        alike = [permuted(layout.axis_perm), layout] if self.rank(slot) == layout.rank else []
        return list(dict.fromkeys([self.node.natural(slot), *self._known.layouts.get(self.value(slot), ()), *alike]))

    def _likely(self, slot: Slot, layout: Layout) -> Iterable[Layout]:
        """Layouts of the one independent slot that may give ``layout`` at another one, the likeliest first."""
        rank, other = self.rank(self.slots[0]), self.rank(slot)
        if rank is None or other is None or self.rule is None:
            return
        if self.rule.inverse is not None and self._is_named(slot):
            yield from self.rule.inverse(self.node, layout)
            return
        if rank == other:
            yield layout
        if rank <= MOST_PERMS:
            yield from map(permuted, permutations(range(rank)))
        else:
            yield from (permuted(p) for p in sorted(self._known.perms) if len(p) == rank)
            yield natural(rank)


class FlatGraph:
    """Nodes in the order of ``control_flow.flat``; values by name, who makes each, who makes or reads it.

    ``known`` fills as candidates are found; rules are asked about what is in it. The body of a SequenceMap keeps to
    standard operators: onnxruntime 1.31 does not load a model that calls a function there.
    """

    def __init__(self, graph: gs.Graph, dialect: Dialect) -> None:
        self.known = Known()
        dialects = {id(node): StandardDialect(dialect.weight_layout) for node in in_other_bodies(graph)}
        nodes = (Node(node, graph.opset, dialects.get(id(node), dialect)) for node in flat(graph))
        self.nodes = [RuledNode(node, self.known) for node in nodes]
        self.tensors: dict[str, gs.Tensor] = {t.name: t for t in graph.inputs}
        self.makers: dict[str, Touch] = {}
        self.touching: dict[str, list[Touch]] = {}
        for i, slot in ((i, slot) for i, ruled in enumerate(self.nodes) for slot in ruled.live):
            tensor = self.nodes[i].node.tensor(slot)
            self.tensors[tensor.name] = tensor
            self.touching.setdefault(tensor.name, []).append((i, slot))
            if slot.side == "out":
                self.makers[tensor.name] = (i, slot)

    def readers(self, name: str) -> list[Touch]:
        """The nodes that read a value, and where."""
        return [touch for touch in self.touching.get(name, ()) if touch[1].side == "in"]

    def made_by(self, name: str) -> str:
        """Who makes a value, as a user knows it."""
        return str(self.nodes[self.makers[name][0]]) if name in self.makers else "graph input"
