"""The integer program whose optimum is the plan of least transposed bytes.

``x[node, move]`` is 1 for the move a node makes. A value is stored as its producer's move says; where a reader needs
another layout, ``t[value, layout]`` pays for one Transpose of that value, shared by all readers who need it. Constants
are free: they are folded.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import onnx_graphsurgeon as gs

from passes.dialects.base import Dialect
from passes.ir.control_flow import executions_per_inference
from passes.ir.graph import natural_layout
from passes.plan.candidates import Candidates
from passes.plan.cost import ONNXRUNTIME_CPU, CostModel
from passes.plan.flat_graph import FlatGraph
from passes.plan.milp import ONE, IntegerProgram
from passes.rules.api import ANY, OUT, Layout, Move, Slot

Choices = Mapping[Layout, list[int]]  # variables by layout


class Level(NamedTuple):
    """A respect in which layouts of a value differ; ``price`` and ``tie`` of a change in it (``None``: impossible)."""

    kind: Callable[[Layout], Hashable]
    price: float | None
    tie: float = 0.0


class Program:
    """The integer program of a sorted graph. Variable ``ONE`` is fixed to 1; then come the moves, then the changes.

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
        self.moves = Candidates(self.flat, ends).moves
        given = {name: t for name, t in self.flat.tensors.items() if name not in self.flat.makers}
        self.inputs = {name: ends.get(name) or natural_layout(t) for name, t in given.items()}
        self.outputs = {t.name: ends.get(t.name) or natural_layout(t) for t in graph.outputs}
        self._sizes, self._cost = sizes or {}, cost
        self._executions = executions_per_inference(graph, cost.unknown_trips)
        self._first = [ONE + 1, *(ONE + 1 + np.cumsum([len(moves) for moves in self.moves], dtype=int)).tolist()]

    def solve(self, time_limit: float, forbidden: Collection[int] = ()) -> tuple[list[Move], float, bool]:
        """The chosen move of each node, a proven lower bound on the bytes, and whether the two meet.

        ``forbidden`` are variables that must be 0. Raises PlanError if there is no plan, or none found in time.
        """
        values, bound, optimal = self._program.solve(self._first[-1], time_limit, forbidden)
        ranges = zip(self.moves, pairwise(self._first), strict=True)
        chosen = [moves[int(np.argmax(values[begin:end]))] for moves, (begin, end) in ranges]
        return chosen, bound, optimal

    @cached_property
    def _program(self) -> IntegerProgram:
        program = IntegerProgram()
        tie = self._cost.moves_tie / sum(map(len, self.moves)) if self.moves else 0.0
        for i, moves in enumerate(self.moves):
            for move in moves:
                moved = any(not layout.is_natural and layout != ANY for layout in (*move.inputs, *move.outputs))
                program.variable(self.copied(i, move), tie * moved)
        for begin, end in pairwise(self._first):
            program.constrain(range(begin, end), at_least=1.0, at_most=1.0)
        for name in self.flat.tensors:
            self._pay_relayouts(program, name)
        return program

    def _pay_relayouts(self, program: IntegerProgram, name: str) -> None:
        """One variable per layout a reader may need, and one constraint per reader who may need it."""
        maker = self.flat.makers.get(name)
        supply = {self.inputs[name]: [ONE]} if maker is None else self.choices(*maker)
        demands = [self.choices(*reader) for reader in self.flat.readers(name)]
        demands += [{self.outputs[name]: [ONE]}] if name in self.outputs else []
        layouts = set(supply).union(*demands)
        for level in self._levels(name, layouts) if len(layouts) > 1 else ():
            stored = by_kind(level, supply)
            paid: dict[Hashable, list[int]] = {}
            for demand in demands:
                for kind, wanted in by_kind(level, demand).items():
                    if stored.get(kind) == [ONE]:
                        continue
                    if kind not in paid:
                        paid[kind] = [] if level.price is None else [program.variable(level.price, level.tie)]
                    program.constrain([*stored.get(kind, []), *paid[kind]], wanted, at_least=0.0)

    def _levels(self, name: str, layouts: Collection[Layout]) -> Iterator[Level]:
        """In which respects the layouts of a value differ."""

        def in_memory(layout: Layout) -> Hashable:
            return layout.memory_order(self.flat.tensors[name].shape)

        price, tie = self.price_of(name), self._cost.relayout_tie * max(self._executions.get(name, 1), 1)
        if len(set(map(in_memory, layouts))) == len(layouts):
            yield Level(exactly, price, tie)
        else:
            yield Level(in_memory, price)
            yield Level(exactly, 0.0, tie)
        never = exactly if self._is_pair(name) else along_axes
        if len(set(map(never, layouts))) > 1:
            yield Level(never, None)

    def _is_pair(self, name: str) -> bool:
        """Whether a value is quantised only to be dequantised: runtimes must see the two next to each other to fuse."""
        maker = self.flat.makers.get(name)
        if maker is None or name in self.outputs:
            return False
        readers = {self.flat.nodes[i].node.op for i, _ in self.flat.readers(name)}
        return self.flat.nodes[maker[0]].node.op == "QuantizeLinear" and readers == {"DequantizeLinear"}

    def bytes_of(self, name: str) -> int:
        """What one Transpose of the value moves per inference."""
        return self._cost.bytes_of(self.flat.tensors[name], self._sizes) * self._executions.get(name, 1)

    def price_of(self, name: str) -> float:
        """What one Transpose of the value costs per inference, in bytes."""
        return self._cost.price_of(self.flat.tensors[name], self._sizes) * self._executions.get(name, 1)

    def copied(self, i: int, move: Move) -> int:
        """The bytes that node ``i``, so moved, moves itself per inference."""
        copies = self._cost.runtime_copies(self.flat.nodes[i].node, move)
        return int(copies * self.price_of(self.flat.nodes[i].value(OUT(0)))) if copies else 0

    def choices(self, i: int, slot: Slot) -> Choices:
        """The variables of node ``i``, by the layout its move has at ``slot``."""
        choices: dict[Layout, list[int]] = {}
        for variable, move in enumerate(self.moves[i], self._first[i]):
            if move.at(slot) != ANY:
                choices.setdefault(move.at(slot), []).append(variable)
        return choices

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


def by_kind(level: Level, choices: Choices) -> dict[Hashable, list[int]]:
    """Variables by kind of layout."""
    kinds: dict[Hashable, list[int]] = {}
    for layout, variables in choices.items():
        kinds.setdefault(level.kind(layout), []).extend(variables)
    return kinds


def exactly(layout: Layout) -> Hashable:
    """Equal for equal layouts only."""
    return layout


def along_axes(layout: Layout) -> Hashable:
    """A Transpose cannot change the order of elements within an axis: producer and reader must agree on it."""
    return tuple((axis, layout.along(axis)) for axis in sorted(layout.lengths()))
