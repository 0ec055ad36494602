"""What a plan chooses from and what that costs: moves of nodes, layouts of graph inputs and outputs, prices."""

from collections.abc import Mapping

import onnx_graphsurgeon as gs

from passes.dialects.base import Dialect
from passes.ir.control_flow import executions_per_inference
from passes.ir.graph import natural_layout
from passes.plan.candidates import Candidates
from passes.plan.cost import BYTES, UNKNOWN_TRIPS, Changes, Runtime, bytes_of, runtime
from passes.plan.flat_graph import FlatGraph
from passes.plan.forms import Form, Forms
from passes.rules.api import IN, OUT, Layout, Move, Node, Slot, permuted


class Program:
    """The ``moves`` of each node of a sorted graph, and prices; ``limited``: nodes that could make others, too.

    ``ends`` are the layouts of graph inputs and outputs (the original's where nothing is said), ``sizes`` those of
    symbolic dims (for pricing only). ``like``: another at the same prices, to tell these once.
    """

    def __init__(
        self,
        graph: gs.Graph,
        ends: Mapping[str, Layout],
        dialect: Dialect,
        sizes: Mapping[str, int] | None = None,
        cost: Runtime | None = None,
        like: "Program | None" = None,
    ) -> None:
        self.graph, self.ends, self.flat = graph, ends, FlatGraph(graph, dialect)
        self.forms: Forms = like.forms if like else Forms()
        self._form_of: dict[str, Form] = {}
        candidates = Candidates(self.flat, ends)
        self.moves = candidates.moves
        self.limited = [str(ruled) for ruled in self.flat.nodes if candidates.is_limited(ruled)]
        given = {name: t for name, t in self.flat.tensors.items() if name not in self.flat.makers}
        self.inputs = {name: ends.get(name) or natural_layout(t) for name, t in given.items()}
        self.outputs = {t.name: ends.get(t.name) or natural_layout(t) for t in graph.outputs}
        self._sizes, self.runtime = sizes or {}, cost or runtime(BYTES)
        self._executions = executions_per_inference(graph, UNKNOWN_TRIPS)

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
        return bytes_of(self.flat.tensors[name], self._sizes) * self._executions.get(name, 1)

    def changes_of(self, name: str) -> Changes:
        """What Transposes of the value cost per inference, in units of the runtime's."""
        return self.runtime.changes_of(self.flat.tensors[name], self._sizes, self._times(name))

    def _times(self, name: str) -> int:
        """How often a value changes its layout, where it does: twice if it leaves, or comes to be, blocks as well."""
        touching = (self.flat.nodes[i].node.op for i, _ in self.flat.touching.get(name, ()))
        is_blocked = bool(self.runtime.blocked) and any(op in self.runtime.blocked for op in touching)
        return self._executions.get(name, 1) * (2 if is_blocked else 1)

    def form_of(self, name: str) -> Form:
        """What layouts are to the value; ties are so that there are few changes."""
        form = self._form_of.get(name)
        if form is None:
            tie = self.runtime.tie * max(self._executions.get(name, 1), 1)
            shape, changes = self.flat.tensors[name].shape, self.changes_of(name)
            form = self._form_of[name] = self.forms.of(shape, changes, tie, self.is_pair(name))
        return form

    @property
    def tie_of_moves(self) -> float:
        """What it costs that a node is not as it was, so that there are few."""
        return self.runtime.tie / max(4 * len(self.moves), 1)

    def inside(self, node: Node, move: Move) -> float:
        """What one run of a node, so moved, costs because of how its data is stored."""
        return self.runtime.inside(node, move, self._sizes)

    @property
    def cost_before(self) -> float:
        """What the graph as it is costs per inference: its Transposes, and operators because of how data is stored."""
        nodes = [(i, ruled.node) for i, ruled in enumerate(self.flat.nodes)]
        changes = (self._price_before(self.flat.nodes[i].value(IN(0)), node) for i, node in nodes if is_transpose(node))
        return sum(self.per_inference(i, self.inside(node, node.move())) for i, node in nodes) + sum(changes)

    def _price_before(self, name: str, node: Node) -> float:
        """What a Transpose of the graph's own costs; of a constant, or a value of unknown rank, nothing."""
        tensor = self.flat.tensors.get(name)
        if tensor is None or tensor.shape is None:
            return 0.0
        perm = node.attr("perm") or reversed(range(len(tensor.shape)))
        return self.changes_of(name).between(natural_layout(tensor), permuted(tuple(perm)))

    def per_inference(self, i: int, cost: float) -> float:
        """What node ``i`` costs per inference, if one run of it costs so much."""
        return cost * self._executions.get(self.flat.nodes[i].value(OUT(0)), 1) if cost else 0.0

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


def is_transpose(node: Node) -> bool:
    """Whether a node is a standard Transpose."""
    return (node.domain, node.op) == ("", "Transpose")
