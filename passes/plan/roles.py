"""Which graph inputs and outputs are images: what decides the layout of the model's interface.

A spatial operator reads axes (batch, channel, spatial...), written "BCSS". From there the knowledge travels both ways
through the rules; where they do not keep the meaning of axes (Reshape, MatMul, reductions that drop axes), or two ways
disagree, it ends.
"""

from collections import deque
from collections.abc import Mapping

import onnx_graphsurgeon as gs

from passes.dialects.functions import FunctionDialect
from passes.ir.graph import natural_layout
from passes.layout.formats import FORMATS
from passes.plan.flat_graph import FlatGraph, RuledNode
from passes.rules.api import ANY, IN, OUT, Layout, Perm, Refusal, Slot, perm, permuted
from passes.rules.movement import named_axes

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
        self.roles: dict[str, Roles | None] = {}  # None: of some axis there are two opinions
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
        move = next(node.moves_with(slot, permuted(p)), None)
        if move is None:
            return
        for other in node.live:
            layout = move.at(other)
            if node.rank(other) == len(p) and layout != ANY:  # the roles in the same stored order
                stored = perm.reorder(p, roles)
                self._learn(node.value(other), "".join(perm.reorder(perm.inverse(layout.axis_perm), stored)))

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
) -> dict[str, Layout]:
    """The layouts of graph inputs and outputs when the model is converted to ``nhwc`` or ``nchw``.

    ``choices`` gives ``nhwc``, ``nchw`` or ``keep`` by name; with ``keep`` nothing else flips.
    """

    def wanted(tensor: gs.Tensor) -> Layout:
        choice = choices.get(tensor.name, "keep" if keep else to)
        rank = len(tensor.shape or ())
        p = channels_last_perm(roles.get(tensor.name, ""))
        if choice == "keep" or rank not in FORMATS or (p is None and tensor.name not in choices):
            return natural_layout(tensor)
        if p is None:
            return permuted(perm.channels_last(rank) if choice == "nhwc" else perm.channels_first(rank))
        return permuted(p if choice == "nhwc" else perm.then(p, perm.channels_first(rank)))

    return {tensor.name: wanted(tensor) for tensor in (*graph.inputs, *graph.outputs)}
