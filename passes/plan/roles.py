"""Which graph inputs and outputs are images: what decides the layout of the model's interface.

A spatial operator reads axes (batch, channel, spatial...), written "BCSS". From there the knowledge travels both ways
through the rules; where they do not keep the meaning of axes (Reshape, MatMul, reductions that drop axes), or two ways
disagree, it ends.
"""

from collections import deque
from collections.abc import Mapping

import onnx_graphsurgeon as gs

from passes.dialects.functions import FunctionDialect
from passes.layout import layout as lay
from passes.layout import perm
from passes.layout.formats import FORMATS
from passes.layout.layout import ANY, AS_IS, Layout
from passes.layout.perm import Perm
from passes.plan.flat_graph import FlatGraph, Known, RuledNode
from passes.refusal import Refusal
from passes.rules.move import IN, OUT, Move, Slot
from passes.rules.moves import named_axes

Roles = str
SPATIAL = "S"


def find_roles(graph: gs.Graph) -> dict[str, Roles]:
    """The roles of the axes of each value for which they are known."""
    return _Search(graph).run()


def channels_last_perm(roles: Roles) -> Perm | None:
    """The perm that stores a value with these roles as batch, spatial axes in their order, channel; ``None`` if these
    are not all there, once."""
    if len(roles) not in FORMATS or sorted(roles) != sorted("BC" + SPATIAL * (len(roles) - 2)):
        return None
    return tuple(sorted(range(len(roles)), key=lambda a: "BSC".index(roles[a])))


class _Search:
    def __init__(self, graph: gs.Graph) -> None:
        self.graph = FlatGraph(graph, FunctionDialect())
        self.roles: dict[str, Roles | None] = {}
        self.queue: deque[str] = deque()

    def run(self) -> dict[str, Roles]:
        for node in self.graph.nodes:
            rank = node.rank(IN(0))
            if node.rule is None or not node.rule.image or rank not in FORMATS:
                continue
            for slot in node.live:
                if slot.number == 0 and node.rank(slot) == rank:
                    self._learn(node.value(slot), "BC" + SPATIAL * (rank - 2))
        while self.queue:
            name = self.queue.popleft()
            for i, slot in self.graph.touching.get(name, ()):
                roles = self.roles[name]
                if roles is not None:
                    self._spread(self.graph.nodes[i], slot, roles)
        return {name: roles for name, roles in self.roles.items() if roles is not None}

    def _learn(self, name: str, roles: Roles) -> None:
        if name not in self.roles:
            self.roles[name] = roles
            self.queue.append(name)
        elif self.roles[name] != roles:
            self.roles[name] = None

    def _spread(self, node: RuledNode, slot: Slot, roles: Roles) -> None:
        if node.rule is None or node.rule.image or not node.rule.keeps_axes:
            return
        if node.node.op in ("Squeeze", "Unsqueeze"):
            self._across_unit_axes(node, slot, roles)
            return
        p = tuple(sorted(range(len(roles)), key=lambda a: ("BSC".index(roles[a]), a)))
        move = next(node.moves_with(slot, lay.make(p), Known()), None)
        if move is not None:
            self._follow(node, move, [roles[a] for a in p])

    def _follow(self, node: RuledNode, move: Move, stored: list[str]) -> None:
        """Every value of the same rank has the roles in the same stored order."""
        for slot in node.live:
            side = move.inputs if slot.side == "in" else move.outputs
            rank = node.rank(slot)
            if slot.number >= len(side) or rank != len(stored) or side[slot.number] == ANY:
                continue
            q = lay.of_rank(side[slot.number], rank).perm
            self._learn(node.value(slot), "".join(perm.reorder(perm.inverse(q), stored)))

    def _across_unit_axes(self, node: RuledNode, slot: Slot, roles: Roles) -> None:
        """An axis of size 1 that comes or goes is taken for a spatial one."""
        wide, narrow = (IN(0), OUT(0)) if node.node.op == "Squeeze" else (OUT(0), IN(0))
        rank = node.rank(wide)
        if not rank:
            return
        try:
            gone = named_axes(node.node, rank)
        except Refusal:
            return
        if slot == wide and all(roles[a] == SPATIAL for a in gone):
            self._learn(node.value(narrow), "".join(r for a, r in enumerate(roles) if a not in gone))
        elif slot == narrow:
            rest = iter(roles)
            self._learn(node.value(wide), "".join(SPATIAL if a in gone else next(rest) for a in range(rank)))


def interface(
    graph: gs.Graph, roles: Mapping[str, Roles], to: str, choices: Mapping[str, str], keep: bool
) -> tuple[dict[str, Layout], dict[str, Layout]]:
    """The layouts of graph inputs and of graph outputs when the model is converted to ``nhwc`` or ``nchw``.

    ``choices`` gives ``nhwc``, ``nchw`` or ``keep`` by name; with ``keep`` nothing else flips.
    """

    def wanted(tensor: gs.Tensor) -> Layout:
        choice = choices.get(tensor.name, "keep" if keep else to)
        rank = len(tensor.shape or ())
        if choice == "keep" or rank not in FORMATS:
            return AS_IS
        p = channels_last_perm(roles.get(tensor.name, ""))
        if p is None and tensor.name not in choices:
            return AS_IS
        if p is None:
            return lay.make(perm.channels_last(rank) if choice == "nhwc" else perm.channels_first(rank))
        return lay.make(p if choice == "nhwc" else perm.then(p, perm.channels_first(rank)))

    inputs = {tensor.name: wanted(tensor) for tensor in graph.inputs}
    return inputs, {tensor.name: inputs.get(tensor.name, wanted(tensor)) for tensor in graph.outputs}
