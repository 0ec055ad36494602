"""A graph as the planner sees it: one flat list of nodes with their rules, and who touches which value."""

from contextlib import suppress
from itertools import permutations

import onnx_graphsurgeon as gs

from passes.dialects.base import Dialect
from passes.dialects.standard import StandardDialect
from passes.ir.control_flow import flat, in_other_bodies
from passes.plan.answers import WatchedNode
from passes.rules.api import IN, OUT, Layout, Move, Refusal, Slot, natural, permuted
from passes.rules.barriers import BARRIERS
from passes.rules.rule import lookup

MOST_PERMS = 4  # rank up to which every perm is considered

Touch = tuple[int, Slot]  # a node, by its number, and where it reads or makes a value


class RuledNode:
    """A node and its rule. ``slots``: the independent ones; ``live``: those that hold no constants."""

    def __init__(self, node: WatchedNode) -> None:
        self.node, self.rule = node, lookup(node.domain, node.op, node.opset)
        self.live = [slot for slot in node.slots if slot.side == "out" or not node.is_constant(slot.number)]
        self.slots: tuple[Slot, ...] = ()
        if self.rule is not None:
            with suppress(Refusal):
                self.slots = self.rule.slots_of(node)

    def __str__(self) -> str:
        return f"{self.node.op} {self.node.name!r}" if self.node.name else self.node.op

    def value(self, slot: Slot) -> str:
        """The name of the value at a slot."""
        return self.node.value(slot)

    def rank(self, slot: Slot) -> int | None:
        """The rank of the value at a slot; ``None`` if it is unknown, or there is none."""
        return self.node.known_rank(slot)

    def ask(self, *layouts: Layout) -> list[Move]:
        """The rule's moves for these layouts of the independent slots. Raises Refusal with the rule's reason."""
        rule, node = self.rule, self.node
        if rule is None:
            unknown = node.barrier or f"there is no rule for {node.domain or 'ai.onnx'}::{node.op}"
            raise Refusal(unknown if node.domain else BARRIERS.get(node.op, unknown))
        return rule.moves(node, *layouts)

    def refusal(self, slot: Slot, layout: Layout) -> str | None:
        """The rule's reason not to have ``layout`` at ``slot``, if it gives one."""
        try:
            if slot not in self.slots and len(self.slots) == 1:
                for other in self.likely(slot, layout):
                    self.ask(other)
            else:
                self.ask(*(layout if s == slot else self._alike(s, layout) for s in self.slots or [slot]))
        except Refusal as reason:
            return str(reason)
        return None

    def _alike(self, slot: Slot, layout: Layout) -> Layout:
        return permuted(layout.axis_perm) if self.rank(slot) == layout.rank else self.node.natural(slot)

    def likely(self, slot: Slot, layout: Layout) -> list[Layout]:
        """Layouts of the one independent slot that may give ``layout`` at another one, the likeliest first."""
        rank, other = self.rank(self.slots[0]), self.rank(slot)
        if rank is None or other is None or self.rule is None:
            return []
        if self.rule.inverse is not None and slot in (IN(0), OUT(0)):
            return self.rule.inverse(self.node, layout)
        perms = map(permuted, permutations(range(rank))) if rank <= MOST_PERMS else [natural(rank)]
        return [*[layout] * (rank == other), *perms]


class FlatGraph:
    """Nodes in the order of ``control_flow.flat``; values by name, who makes each, who makes or reads it.

    The body of a SequenceMap keeps to standard operators: onnxruntime 1.31 does not load a model that calls a function
    there.
    """

    def __init__(self, graph: gs.Graph, dialect: Dialect) -> None:
        dialects = {id(node): StandardDialect(dialect.weight_layout) for node in in_other_bodies(graph)}
        nodes = (WatchedNode(node, graph.opset, dialects.get(id(node), dialect)) for node in flat(graph))
        self.nodes = [RuledNode(node) for node in nodes]
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
