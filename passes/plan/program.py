"""What a plan chooses from and what that costs: moves of nodes, layouts of graph inputs and outputs, prices."""

from collections.abc import Mapping

import onnx_graphsurgeon as gs

from passes.dialects.base import Dialect
from passes.ir.control_flow import executions_per_inference
from passes.ir.graph import natural_layout
from passes.plan.candidates import Candidates
from passes.plan.cost import ONNXRUNTIME_CPU, CostModel
from passes.plan.flat_graph import FlatGraph
from passes.rules.api import OUT, Layout, Move, Node, Slot


class Program:
    """The ``moves`` of each node of a sorted graph, and prices; ``limited``: nodes that could make others, too.

    ``ends`` are the layouts of graph inputs and outputs (the original's where nothing is said), ``sizes`` those of
    symbolic dims (for pricing only).
    """

    def __init__(
        self,
        graph: gs.Graph,
        ends: Mapping[str, Layout],
        dialect: Dialect,
        sizes: Mapping[str, int] | None = None,
        cost: CostModel = ONNXRUNTIME_CPU,
    ) -> None:
        self.graph, self.ends, self.flat = graph, ends, FlatGraph(graph, dialect)
        candidates = Candidates(self.flat, ends)
        self.moves = candidates.moves
        self.limited = [str(ruled) for ruled in self.flat.nodes if candidates.is_limited(ruled)]
        given = {name: t for name, t in self.flat.tensors.items() if name not in self.flat.makers}
        self.inputs = {name: ends.get(name) or natural_layout(t) for name, t in given.items()}
        self.outputs = {t.name: ends.get(t.name) or natural_layout(t) for t in graph.outputs}
        self._sizes, self._cost = sizes or {}, cost
        self._executions = executions_per_inference(graph, cost.unknown_trips)

    def is_pair(self, name: str) -> bool:
        """Whether a value is quantised only to be dequantised: runtimes must see the two next to each other to fuse.

        Not so what is given out, or quantised again, before anything is computed of it: as integers it moves cheapest.
        """
        maker = self.flat.makers.get(name)
        if maker is None or name in self.outputs or self.flat.nodes[maker[0]].node.op != "QuantizeLinear":
            return False
        readers = [self.flat.nodes[i] for i, _ in self.flat.readers(name)]
        dequantised = {ruled.node.op for ruled in readers} == {"DequantizeLinear"}
        return dequantised and any(self._computed_of(ruled.value(OUT(0))) - {"QuantizeLinear"} for ruled in readers)

    def _computed_of(self, name: str) -> set[str]:
        """The operators that read a value, or what Transposes make of it."""
        found, pending = set[str](), [name]
        while pending:
            for ruled in (self.flat.nodes[i] for i, _ in self.flat.readers(pending.pop())):
                if (ruled.node.domain, ruled.node.op) == ("", "Transpose"):
                    pending.append(ruled.value(OUT(0)))
                else:
                    found.add(ruled.node.op)
        return found

    def bytes_of(self, name: str) -> int:
        """What one Transpose of the value moves per inference."""
        return self._cost.bytes_of(self.flat.tensors[name], self._sizes) * self._executions.get(name, 1)

    def price_of(self, name: str) -> float:
        """What one Transpose of the value costs per inference, in bytes."""
        return self._cost.price_of(self.flat.tensors[name], self._sizes) * self._executions.get(name, 1)

    def tie_of(self, name: str) -> float:
        """What one change of the value's layout costs besides, so that there are few."""
        return self._cost.relayout_tie * max(self._executions.get(name, 1), 1)

    @property
    def tie_of_moves(self) -> float:
        """What it costs that a node is not as it was, so that there are few."""
        return self._cost.moves_tie / max(2 * len(self.moves), 1)

    def copies(self, node: Node, move: Move) -> float:
        """How often a node, so moved, moves its data itself."""
        return self._cost.runtime_copies(node, move)

    def copied(self, i: int, copies: float) -> int:
        """The bytes per inference if node ``i`` moves its data itself so often."""
        return int(copies * self.price_of(self.flat.nodes[i].value(OUT(0)))) if copies else 0

    def refusal(self, i: int, slot: Slot, layout: Layout) -> str | None:
        """Why node ``i`` would not have ``layout`` at ``slot``; ``None`` if it would."""
        if any(move.at(slot) == layout for move in self.moves[i]):
            return None
        ruled = self.flat.nodes[i]
        reason = ruled.refusal(slot, layout)
        if reason is not None:
            return reason
        if any(ruled.node.dialect.demands(move.domain, move.op) for move in self.moves[i]):
            return f"{ruled.node.op} is channels-last in this dialect"
        return f"{ruled.node.op} has no form with this layout here"
