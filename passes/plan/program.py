"""The integer program whose optimum is the plan of least transposed bytes.

``x[node, move]`` is 1 for the move a node makes. A value is stored as its producer's move says; where a reader needs
another layout, ``t[value, layout]`` pays for one Transpose of that value, shared by all readers who need it. Constants
are free: they are folded. The program is solved by HiGHS (scipy.optimize.milp) to a zero gap.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from passes.ir.control_flow import executions_per_inference
from passes.layout.layout import ANY, AS_IS, Layout
from passes.plan.candidates import Candidates
from passes.plan.changes import data_order, exactly, same_orders
from passes.plan.cost import ONNXRUNTIME_CPU, CostModel
from passes.rules.move import OUT, Move, Slot

INFEASIBLE = 2  # scipy.optimize.milp's status
ONE = 0  # the variable that is 1

Level = tuple[Callable[[Layout, gs.Tensor], Hashable], float | None, float]


class PlanError(Exception):
    """No plan was found; the message says why."""


class Program:
    """The integer program of a graph. Variable ``ONE`` is fixed to 1; then come the moves, then the changes."""

    def __init__(
        self,
        found: Candidates,
        graph: gs.Graph,
        pins: Mapping[str, Layout],
        outputs: Mapping[str, Layout],
        hints: Mapping[str, int],
        cost: CostModel = ONNXRUNTIME_CPU,
    ) -> None:
        self.cost = cost
        self.found, self.pins, self.outputs, self.hints = found, pins, outputs, hints
        self.times = executions_per_inference(graph, cost.unknown_trips)
        self.moves = [list(moves.values()) for moves in found.moves]
        self.first = [ONE + 1, *(ONE + 1 + np.cumsum([len(moves) for moves in self.moves], dtype=int)).tolist()]
        self.tensors: dict[str, gs.Tensor] = {t.name: t for t in graph.inputs}
        self.producer: dict[str, tuple[int, Slot]] = {}
        self.readers: dict[str, list[tuple[int, Slot]]] = defaultdict(list)
        for i, node in enumerate(found.nodes):
            for slot in found.live[i]:
                name = node.tensor(slot).name
                self.tensors[name] = node.tensor(slot)
                if slot.side == "in":
                    self.readers[name].append((i, slot))
                else:
                    self.producer[name] = (i, slot)

    def solve(self, time_limit: float, forbidden: Collection[int] = ()) -> tuple[list[Move], float, bool]:
        """The chosen move of each node, a proven lower bound on the bytes, and whether the two meet.

        ``forbidden`` are variables that must be 0. Raises PlanError if there is no plan, or none found in time.
        """
        built = self._built
        variables = np.arange(len(built.costs))
        result = milp(
            built.costs,
            constraints=built.constraint,
            integrality=(variables < self.first[-1]).astype(int),
            bounds=Bounds((variables == ONE).astype(float), ~np.isin(variables, [*forbidden])),
            options={"mip_rel_gap": 0.0, "time_limit": time_limit},
        )
        if result.status == INFEASIBLE:
            raise PlanError("its readers and makers could not agree")
        if result.x is None:
            raise PlanError(f"the planner found no plan within {time_limit:g} s: {result.message}")
        ranges = zip(self.moves, pairwise(self.first), strict=True)
        chosen = [moves[int(np.argmax(result.x[begin:end]))] for moves, (begin, end) in ranges]
        return chosen, max(float(result.mip_dual_bound or 0.0) - built.ties, 0.0), result.status == 0

    @cached_property
    def _built(self) -> "Built":
        every = [(i, move) for i, moves in enumerate(self.moves) for move in moves]
        moved = [any(at not in (AS_IS, ANY) for at in (*move.inputs, *move.outputs)) for _, move in every]
        inside = [self.inside_of(i, move) for i, move in every]
        costs, rows = (
            [0.0, *(self.cost.moves_tie / len(every) * a + b for a, b in zip(moved, inside, strict=True))],
            Rows(),
        )
        for begin, end in pairwise(self.first):
            rows.add(range(begin, end), (), at_most=1.0, at_least=1.0)
        ties = self.cost.moves_tie + sum(
            self._price(name, tensor, rows, costs) for name, tensor in self.tensors.items()
        )
        return Built(np.asarray(costs), rows.constraint(len(costs)), ties)

    def _price(self, name: str, tensor: gs.Tensor, rows: "Rows", costs: list[float]) -> float:
        """One variable per layout a reader may need, and one constraint per reader who may need it.

        Returns what all changes of the value could add to the price for breaking ties.
        """
        supply = self.choices(*self.producer[name]) if name in self.producer else {self.pins.get(name, AS_IS): [ONE]}
        demands = [self.choices(*reader) for reader in self.readers[name]]
        demands += [{self.outputs[name]: [ONE]}] if name in self.outputs else []
        layouts = set(supply).union(*demands)
        if len(layouts) < 2:
            return 0.0
        ties = 0.0
        for kind, paid, tie in self._levels(name, tensor, layouts):
            given = grouped(supply, kind, tensor)
            change: dict[Hashable, list[int]] = {}
            for demand in demands:
                for key, wanted in grouped(demand, kind, tensor).items():
                    if given.get(key) == [ONE]:
                        continue
                    if key not in change:
                        change[key] = [] if paid is None else [len(costs)]
                        costs += [] if paid is None else [float(paid)]
                        ties += tie
                    rows.add([*given.get(key, []), *change[key]], wanted, at_least=0.0)
        return ties

    def _levels(self, name: str, tensor: gs.Tensor, layouts: Collection[Layout]) -> Iterator[Level]:
        """In which respects layouts of a value differ, the price of a change in each (``None``: not possible), and how
        much of that is for breaking ties."""
        moved, tie = self.bytes_of(name), self.cost.relayout_tie * max(self.times.get(name, 1), 1)
        if len({data_order(layout, tensor) for layout in layouts}) == len(layouts):
            yield exactly, moved + tie, tie
        else:
            yield data_order, moved, 0
            yield exactly, tie, tie
        never = exactly if self._is_pair(name) else same_orders
        if len({never(layout, tensor) for layout in layouts}) > 1:
            yield never, None, 0

    def _is_pair(self, name: str) -> bool:
        """Whether a value is quantised only to be dequantised: runtimes must see the two next to each other to fuse."""
        if name not in self.producer or name in self.outputs:
            return False
        readers = {self.found.nodes[i].op for i, _ in self.readers[name]}
        return self.found.nodes[self.producer[name][0]].op == "QuantizeLinear" and readers == {"DequantizeLinear"}

    def bytes_of(self, name: str) -> int:
        """What one Transpose of the value moves per inference."""
        return self.cost.bytes_of(self.tensors[name], self.hints) * self.times.get(name, 1)

    def inside_of(self, i: int, move: Move) -> int:
        """What node ``i``, so moved, moves itself per inference."""
        node = self.found.nodes[i]
        copies = self.cost.runtime_copies(node, move)
        return int(copies * self.bytes_of(node.tensor(OUT(0)).name)) if copies else 0

    def inside(self, chosen: list[Move]) -> int:
        return sum(self.inside_of(i, move) for i, move in enumerate(chosen))

    def choices(self, i: int, slot: Slot) -> dict[Layout, list[int]]:
        """The variables of node ``i``, by the layout its move has at ``slot``."""
        choices: dict[Layout, list[int]] = defaultdict(list)
        for k, move in enumerate(self.moves[i], self.first[i]):
            if move.at(slot) != ANY:
                choices[move.at(slot)].append(k)
        return choices


class Built(NamedTuple):
    """Costs of the variables, constraints on them, and how much of the costs breaks ties at most."""

    costs: NDArray[np.float64]
    constraint: LinearConstraint
    ties: float


class Rows:
    """Constraints ``at_least <= sum(plus) - sum(minus) <= at_most`` over variables, as a sparse matrix."""

    def __init__(self) -> None:
        self.data: list[float] = []
        self.columns: list[int] = []
        self.ends = [0]
        self.lower: list[float] = []
        self.upper: list[float] = []

    def add(self, plus: Iterable[int], minus: Iterable[int], at_least: float, at_most: float = np.inf) -> None:
        for sign, variables in ((1.0, plus), (-1.0, minus)):
            for variable in variables:
                self.data.append(sign)
                self.columns.append(variable)
        self.ends.append(len(self.data))
        self.lower.append(at_least)
        self.upper.append(at_most)

    def constraint(self, variables: int) -> LinearConstraint:
        matrix = csr_array((self.data, self.columns, self.ends), shape=(len(self.lower), variables))
        matrix.sum_duplicates()  # a Loop that gives a state back reads what it stores
        matrix.eliminate_zeros()
        return LinearConstraint(matrix, np.asarray(self.lower), np.asarray(self.upper))


def grouped(
    choices: Mapping[Layout, list[int]], kind: Callable[[Layout, gs.Tensor], Hashable], tensor: gs.Tensor
) -> dict[Hashable, list[int]]:
    """Variables by kind of layout."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for layout, variables in choices.items():
        groups[kind(layout, tensor)].extend(variables)
    return groups
