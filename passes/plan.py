"""The plan of least transposed bytes: one move per node, found as the exact optimum of an integer program.

``x[node, move]`` is 1 for the move a node makes. A value is stored as its producer's move says; where a reader needs
another layout, ``t[value, layout]`` pays for one Transpose of that value, shared by all readers who need it. Constants
are free: they are folded. The program is solved by HiGHS (scipy.optimize.milp) to a zero gap.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod

import numpy as np
import onnx_graphsurgeon as gs
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from passes import perm
from passes.candidates import Candidates, live_slots
from passes.dialect import Dialect
from passes.layout import ANY, AS_IS, Layout, of_rank
from passes.ports import weights
from passes.rule import OUT, Move, Node, Slot

DEFAULT_BATCH, DEFAULT_DIM = 1, 64  # prices of dynamic dims: the first axis, any other
ONE = 0  # the variable that is 1
CHANGE_PRICE = 1  # bytes, per Transpose: among plans of equal bytes the one with fewest of them
MOVES_PRICE = CHANGE_PRICE / 2  # of all moves together: among those plans the one that leaves most nodes as they are


class PlanError(Exception):
    """No plan was found; the message says why."""


@dataclass(frozen=True)
class Change:
    """A value stored one way and needed another: a Transpose of ``bytes``, or a Reshape where no byte moves."""

    value: str
    stored: Layout
    needed: Layout
    op: str
    bytes: int
    readers: tuple[str, ...]  # empty: only the interface
    blame: str


@dataclass(frozen=True)
class Plan:
    """One move per node (in the order of ``ports.flat``), the layout each value is stored in, and what remains.

    ``bytes`` are those of the Transposes that remain, ``inside`` those that operators move themselves because of how
    they are stored; ``bound`` is proven: no plan has a smaller sum of the two.
    """

    moves: list[Move]
    stored: Mapping[str, Layout]
    changes: list[Change]
    bytes: int
    bound: float
    optimal: bool
    hints: Mapping[str, int] = field(default_factory=dict)
    inside: int = 0


def make_plan(
    graph: gs.Graph,
    pins: Mapping[str, Layout],
    outputs: Mapping[str, Layout],
    dialect: Dialect,
    hints: Mapping[str, int] | None = None,
    time_limit: float = 60.0,
) -> Plan:
    """The cheapest plan for a sorted graph.

    ``pins`` are the layouts of graph inputs, ``outputs`` those of graph outputs, ``hints`` sizes of symbolic dims (for
    pricing only). Raises PlanError if the solver finds none within ``time_limit`` seconds.
    """
    found = Candidates(graph, {**pins, **outputs}, dialect)
    program = Program(found, graph, pins, outputs, hints or {})
    chosen, bound, optimal = program.solve(time_limit)
    stored = program.stored(chosen)
    changes = program.changes(chosen, stored)
    total, inside = sum(change.bytes for change in changes), program.inside(chosen)
    return Plan(chosen, stored, changes, total, min(bound, total + inside), optimal, hints or {}, inside)


class Program:
    """The integer program of a graph. Variable ``ONE`` is fixed to 1; then come the moves, then the changes."""

    def __init__(
        self,
        found: Candidates,
        graph: gs.Graph,
        pins: Mapping[str, Layout],
        outputs: Mapping[str, Layout],
        hints: Mapping[str, int],
    ) -> None:
        self.found, self.pins, self.outputs, self.hints = found, pins, outputs, hints
        self.times = weights(graph)
        self.moves = [list(moves.values()) for moves in found.moves]
        self.first = [ONE + 1, *(ONE + 1 + np.cumsum([len(moves) for moves in self.moves], dtype=int)).tolist()]
        self.tensors: dict[str, gs.Tensor] = {t.name: t for t in graph.inputs}
        self.producer: dict[str, tuple[int, Slot]] = {}
        self.readers: dict[str, list[tuple[int, Slot]]] = defaultdict(list)
        for i, node in enumerate(found.nodes):
            for slot in live_slots(node):
                name = node.tensor(slot).name
                self.tensors[name] = node.tensor(slot)
                if slot.side == "in":
                    self.readers[name].append((i, slot))
                else:
                    self.producer[name] = (i, slot)

    def solve(self, time_limit: float) -> tuple[list[Move], float, bool]:
        """The chosen move of each node, the proven lower bound on the price, and whether the two meet."""
        every = [(i, move) for i, moves in enumerate(self.moves) for move in moves]
        moved = [any(at not in (AS_IS, ANY) for at in (*move.inputs, *move.outputs)) for _, move in every]
        inside = [self._inside(i, move) for i, move in every]
        costs, rows = [0.0, *(MOVES_PRICE / len(every) * a + b for a, b in zip(moved, inside, strict=True))], Rows()
        for begin, end in pairwise(self.first):
            rows.add(range(begin, end), (), at_most=1.0, at_least=1.0)
        for name, tensor in self.tensors.items():
            self._price(name, tensor, rows, costs)
        result = milp(
            np.asarray(costs),
            constraints=rows.constraint(len(costs)),
            integrality=(np.arange(len(costs)) < self.first[-1]).astype(int),
            bounds=Bounds((np.arange(len(costs)) == ONE).astype(float), 1.0),
            options={"mip_rel_gap": 0.0, "time_limit": time_limit},
        )
        if result.x is None:
            raise PlanError(f"the planner found no plan within {time_limit:g} s: {result.message}")
        ranges = zip(self.moves, pairwise(self.first), strict=True)
        chosen = [moves[int(np.argmax(result.x[begin:end]))] for moves, (begin, end) in ranges]
        return chosen, float(result.mip_dual_bound or 0.0), result.status == 0

    def _price(self, name: str, tensor: gs.Tensor, rows: "Rows", costs: list[float]) -> None:
        """One variable per layout a reader may need, and one constraint per reader who may need it."""
        supply = self._choices(*self.producer[name]) if name in self.producer else {self.pins.get(name, AS_IS): [ONE]}
        demands = [self._choices(*reader) for reader in self.readers[name]]
        demands += [{self.outputs[name]: [ONE]}] if name in self.outputs else []
        if len(set(supply).union(*demands)) < 2:
            return
        never = exactly if self._is_pair(name) else same_orders
        prices = self._bytes(name), CHANGE_PRICE * self.times.get(name, 1), None
        for kind, paid in zip((data_order, exactly, never), prices, strict=True):
            given = grouped(supply, kind, tensor)
            change: dict[Hashable, list[int]] = {}
            for demand in demands:
                for key, wanted in grouped(demand, kind, tensor).items():
                    if given.get(key) == [ONE]:
                        continue
                    if key not in change:
                        change[key] = [] if paid is None else [len(costs)]
                        costs += [] if paid is None else [float(paid)]
                    rows.add([*given.get(key, []), *change[key]], wanted, at_least=0.0)

    def _is_pair(self, name: str) -> bool:
        """Whether a value is quantised only to be dequantised: runtimes must see the two next to each other to fuse."""
        if name not in self.producer or name in self.outputs:
            return False
        readers = {self.found.nodes[i].op for i, _ in self.readers[name]}
        return self.found.nodes[self.producer[name][0]].op == "QuantizeLinear" and readers == {"DequantizeLinear"}

    def _bytes(self, name: str) -> int:
        """What one Transpose of the value moves per inference."""
        return price(self.tensors[name], self.hints) * self.times.get(name, 1)

    def _inside(self, i: int, move: Move) -> int:
        """What node ``i``, so moved, moves itself per inference."""
        return move.inside and move.inside * self._bytes(self.found.nodes[i].tensor(OUT(0)).name)

    def inside(self, chosen: list[Move]) -> int:
        return sum(self._inside(i, move) for i, move in enumerate(chosen))

    def _choices(self, i: int, slot: Slot) -> dict[Layout, list[int]]:
        """The variables of node ``i``, by the layout its move has at ``slot``."""
        choices: dict[Layout, list[int]] = defaultdict(list)
        for k, move in enumerate(self.moves[i], self.first[i]):
            if move.at(slot) != ANY:
                choices[move.at(slot)].append(k)
        return choices

    def stored(self, chosen: list[Move]) -> dict[str, Layout]:
        made = {name: chosen[i].at(slot) for name, (i, slot) in self.producer.items()}
        return {**self.pins, **made}

    def changes(self, chosen: list[Move], stored: Mapping[str, Layout]) -> list[Change]:
        """What remains, by value and needed layout."""
        wanted: dict[tuple[str, Layout], list[tuple[int, Slot]]] = defaultdict(list)
        for name, readers in self.readers.items():
            for i, slot in readers:
                if chosen[i].at(slot) != ANY:
                    wanted[name, chosen[i].at(slot)].append((i, slot))
        for demand in self.outputs.items():
            wanted[demand] += []
        changes = []
        had: dict[str, list[Layout]] = {name: [layout] for name, layout in stored.items()}
        for (name, needed), readers in wanted.items():
            have, tensor = had.setdefault(name, [AS_IS]), self.tensors.get(name)
            if tensor is None or needed in have:  # a constant that is a graph output costs nothing
                continue
            at = nearest(tensor, have, needed)
            moved = 0 if data_order(at, tensor) == data_order(needed, tensor) else self._bytes(name)
            labels = tuple(label(self.found.nodes[i]) for i, _ in readers)
            blame = self._blame(name, have[0], readers)
            changes.append(Change(name, at, needed, change_op(tensor, at, needed), moved, labels, blame))
            have.append(needed)
        return changes

    def _blame(self, name: str, at: Layout, readers: list[tuple[int, Slot]]) -> str:
        """The first node (or graph output) behind the readers that will not have the layout the value is stored in."""
        if not readers:
            return f"graph output {name!r} has a fixed layout"
        pending, seen = [(*reader, at) for reader in readers], set()
        while pending:
            i, slot, layout = pending.pop(0)
            if (i, slot, layout) in seen:
                continue
            seen.add((i, slot, layout))
            node, reason = self.found.nodes[i], self.found.refusal(i, slot, layout)
            if reason is not None:
                return f"{label(node)}: {reason}"
            move = next(move for move in self.moves[i] if move.at(slot) == layout)
            for j in (j for j in range(node.arity[1]) if node.has(OUT(j))):
                result = node.tensor(OUT(j)).name
                if self.outputs.get(result, move.outputs[j]) != move.outputs[j]:
                    return f"graph output {result!r} has a fixed layout"
                pending.extend((*reader, move.outputs[j]) for reader in self.readers[result])
        return "it is cheapest here: another place would move more bytes"


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


def data_order(layout: Layout, tensor: gs.Tensor) -> Hashable:
    """Equal for layouts that hold the same bytes: they differ in axes of size 1 only, and a Reshape does."""
    if tensor.shape is None:
        return layout
    stored = of_rank(layout, len(tensor.shape)).perm
    return tuple(a for a in stored if tensor.shape[a] != 1), layout.orders


def nearest(tensor: gs.Tensor, have: Sequence[Layout], needed: Layout) -> Layout:
    """Of the layouts ``have``, the one to make ``needed`` from: one that holds the same bytes, else the first."""
    order = data_order(needed, tensor)
    return next((at for at in have if data_order(at, tensor) == order), have[0])


def change_op(tensor: gs.Tensor, stored: Layout, needed: Layout) -> str:
    """What turns one layout into another: a Reshape if no byte moves and its target can be written down."""
    return "Transpose" if reshape_target(tensor, stored, needed) is None else "Reshape"


def reshape_target(tensor: gs.Tensor, stored: Layout, needed: Layout) -> list[int] | None:
    """The target shape (0 copies a dynamic dim in place, -1 is the one that moved) of a Reshape that does."""
    if data_order(stored, tensor) != data_order(needed, tensor):
        return None
    before, after = (perm.reorder(of_rank(at, len(tensor.shape)).perm, tensor.shape) for at in (stored, needed))
    target = [d if isinstance(d, int) else 0 if d == e else -1 for d, e in zip(after, before, strict=True)]
    return target if target.count(-1) < 2 and 0 not in tensor.shape else None


def exactly(layout: Layout, _: gs.Tensor) -> Hashable:
    return layout


def same_orders(layout: Layout, _: gs.Tensor) -> Hashable:
    """A Transpose cannot change the order of elements within an axis: producer and reader must agree on it."""
    return layout.orders


def price(tensor: gs.Tensor, hints: Mapping[str, int]) -> int:
    """Bytes that one Transpose of the tensor moves."""
    itemsize = np.dtype(tensor.dtype).itemsize if tensor.dtype is not None and not isinstance(tensor.dtype, int) else 2
    sizes = (
        d if isinstance(d, int) else hints.get(str(d), DEFAULT_DIM if axis else DEFAULT_BATCH)
        for axis, d in enumerate(tensor.shape or ())
    )
    return itemsize * prod(sizes)


def label(node: Node) -> str:
    return f"{node.op} {node.name!r}" if node.name else node.op
