"""The integer program whose optimum is the plan of least transposed bytes.

``x[node, move]`` is 1 for the move a node makes. A value is stored as its producer's move says; where a reader needs
another layout, ``t[value, layout]`` pays for one Transpose of that value, shared by all readers who need it. Constants
are free: they are folded.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir.control_flow import executions_per_inference
from passes.layout.layout import ANY, AS_IS, Layout
from passes.plan.candidates import Candidates
from passes.plan.cost import CostModel
from passes.plan.flat_graph import FlatGraph, Touch
from passes.plan.milp import ONE, IntegerProgram
from passes.plan.relayout import exactly, memory_order, same_orders
from passes.rules.move import OUT, Move, Slot
from passes.rules.node import Node


class Level(NamedTuple):
    """A respect in which layouts of a value differ; ``price`` and ``tie`` of a change in it (``None``: impossible)."""

    kind: Callable[[Layout, gs.Tensor], Hashable]
    price: float | None
    tie: float = 0.0


class Program:
    """The integer program of a graph. Variable ``ONE`` is fixed to 1; then come the moves, then the changes.

    ``pins`` are the layouts of graph inputs, ``outputs`` those of graph outputs, ``sizes`` those of symbolic dims (for
    pricing only).
    """

    def __init__(
        self,
        graph: gs.Graph,
        flat: FlatGraph,
        candidates: Candidates,
        pins: Mapping[str, Layout],
        outputs: Mapping[str, Layout],
        sizes: Mapping[str, int],
        cost: CostModel,
    ) -> None:
        self.pins, self.outputs = pins, outputs
        self.moves, self.tensors, self.makers = candidates.moves, flat.tensors, flat.makers
        self._flat, self._known, self._sizes, self._cost = flat, candidates.known, sizes, cost
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
                moved = any(layout not in (AS_IS, ANY) for layout in (*move.inputs, *move.outputs))
                program.variable(self.copied(i, move), tie * moved)
        for begin, end in pairwise(self._first):
            program.constrain(range(begin, end), at_least=1.0, at_most=1.0)
        for name in self.tensors:
            self._pay_relayouts(program, name)
        return program

    def _pay_relayouts(self, program: IntegerProgram, name: str) -> None:
        """One variable per layout a reader may need, and one constraint per reader who may need it."""
        maker = self.makers.get(name)
        supply = {self.pins.get(name, AS_IS): [ONE]} if maker is None else self.choices(*maker)
        demands = [self.choices(*reader) for reader in self.readers(name)]
        demands += [{self.outputs[name]: [ONE]}] if name in self.outputs else []
        layouts = set(supply).union(*demands)
        for level in self._levels(name, layouts) if len(layouts) > 1 else ():
            stored = self._by_key(level, name, supply)
            paid: dict[Hashable, list[int]] = {}
            for demand in demands:
                for key, wanted in self._by_key(level, name, demand).items():
                    if stored.get(key) == [ONE]:
                        continue
                    if key not in paid:
                        paid[key] = [] if level.price is None else [program.variable(level.price, level.tie)]
                    program.constrain([*stored.get(key, []), *paid[key]], wanted, at_least=0.0)

    def _levels(self, name: str, layouts: Collection[Layout]) -> Iterator[Level]:
        """In which respects the layouts of a value differ."""
        moved, tie = self.bytes_of(name), self._cost.relayout_tie * max(self._executions.get(name, 1), 1)
        if len({memory_order(layout, self.tensors[name]) for layout in layouts}) == len(layouts):
            yield Level(exactly, moved, tie)
        else:
            yield Level(memory_order, moved)
            yield Level(exactly, 0.0, tie)
        never = exactly if self._is_pair(name) else same_orders
        if len({never(layout, self.tensors[name]) for layout in layouts}) > 1:
            yield Level(never, None)

    def _by_key(self, level: Level, name: str, choices: Mapping[Layout, list[int]]) -> dict[Hashable, list[int]]:
        """Variables by kind of layout."""
        keys: dict[Hashable, list[int]] = {}
        for layout, variables in choices.items():
            keys.setdefault(level.kind(layout, self.tensors[name]), []).extend(variables)
        return keys

    def _is_pair(self, name: str) -> bool:
        """Whether a value is quantised only to be dequantised: runtimes must see the two next to each other to fuse."""
        maker = self.makers.get(name)
        if maker is None or name in self.outputs:
            return False
        readers = {self.node(i).op for i, _ in self.readers(name)}
        return self.node(maker[0]).op == "QuantizeLinear" and readers == {"DequantizeLinear"}

    def bytes_of(self, name: str) -> int:
        """What one Transpose of the value moves per inference."""
        return self._cost.bytes_of(self.tensors[name], self._sizes) * self._executions.get(name, 1)

    def copied(self, i: int, move: Move) -> int:
        """The bytes that node ``i``, so moved, moves itself per inference."""
        copies = self._cost.runtime_copies(self.node(i), move)
        return int(copies * self.bytes_of(self._flat.nodes[i].value(OUT(0)))) if copies else 0

    def choices(self, i: int, slot: Slot) -> dict[Layout, list[int]]:
        """The variables of node ``i``, by the layout its move has at ``slot``."""
        choices: dict[Layout, list[int]] = {}
        for variable, move in enumerate(self.moves[i], self._first[i]):
            if move.at(slot) != ANY:
                choices.setdefault(move.at(slot), []).append(variable)
        return choices

    def readers(self, name: str) -> Sequence[Touch]:
        """The nodes that read a value, and where."""
        return self._flat.readers.get(name, ())

    def layouts(self, name: str) -> Sequence[Layout]:
        """The layouts considered for a value."""
        return self._known.of(name)

    def node(self, i: int) -> Node:
        """A node, by its number."""
        return self._flat.nodes[i].node

    def label(self, i: int) -> str:
        """A node as a user knows it."""
        return str(self._flat.nodes[i])

    def made_by(self, name: str) -> str:
        """Who makes a value: a node, as a user knows it, or the graph input."""
        maker = self.makers.get(name)
        return "graph input" if maker is None else self.label(maker[0])

    def results(self, i: int) -> list[tuple[str, Slot]]:
        """The values that node ``i`` makes."""
        node = self._flat.nodes[i]
        return [(node.value(slot), slot) for slot in node.live if slot.side == "out"]

    def refusal(self, i: int, slot: Slot, layout: Layout) -> str | None:
        """Why node ``i`` would not have ``layout`` at ``slot``; ``None`` if it would."""
        if any(move.at(slot) == layout for move in self.moves[i]):
            return None
        ruled = self._flat.nodes[i]
        reason = ruled.refusal(slot, layout, self._known)
        if reason is not None:
            return reason
        if any(ruled.node.dialect.demands(move.domain, move.op) for move in self.moves[i]):
            return f"{ruled.node.op} is channels-last in this dialect"
        return f"{ruled.node.op} has no form with this layout here"
