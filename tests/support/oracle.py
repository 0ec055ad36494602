"""The least that any plan can move, the slow way: every layout is offered to every value at once, and all is solved.

No layout is left out because another may do as well, no node stands for others, no answer of a rule is taken for that
of another node. Only rules, prices and the solver are those of the tool.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import permutations, product
from math import prod

import numpy as np
import onnx_graphsurgeon as gs

from passes.dialects.base import Dialect
from passes.ir.control_flow import executions_per_inference
from passes.layout import perm
from passes.layout.layout import ANY, Layout, natural, permuted
from passes.plan.cost import BYTES, UNKNOWN_TRIPS, Runtime, runtime
from passes.plan.flat_graph import FlatGraph, RuledNode
from passes.plan.milp import ONE, IntegerProgram
from passes.refusal import Refusal
from passes.rules.move import IN, OUT, Move, Slot

EVERY = 4  # rank up to which every perm is offered
MOST_COMBINATIONS = 20_000  # of one node

Layouts = Mapping[str, Layout]


def least(graph: gs.Graph, ends: Layouts, dialect: Dialect, prices: str = BYTES, seconds: float = 100.0) -> float:
    """What the best of all plans costs, in Transposes and inside of operators."""
    flat = FlatGraph(graph, dialect)
    return _Program(graph, flat, ends, Offered(flat, ends).moves, runtime(prices)).solve(seconds)


class Offered:
    """The moves of every node, asked for until no rule makes another layout."""

    def __init__(self, flat: FlatGraph, ends: Layouts) -> None:
        self.flat, self.ends = flat, ends
        self.suggested = self._suggested()
        self.layouts = {name: {*self._of_rank(rank_of(t))} for name, t in flat.tensors.items()}
        self.found: list[dict[tuple[tuple[Layout, ...], str | None], Move]] = [{} for _ in flat.nodes]
        self.asked: list[set[tuple[Layout, ...]]] = [set() for _ in flat.nodes]
        while sum(self._ask(i) for i in range(len(flat.nodes))):
            pass
        self.moves = [self._made(i) for i in range(len(flat.nodes))]

    def _suggested(self) -> dict[int | None, set[Layout]]:
        found: dict[int | None, set[Layout]] = {}
        for rank in (3, 4, 5):
            found[rank] = {permuted(perm.channels_last(rank)), permuted(perm.channels_first(rank))}
        for ruled in (ruled for ruled in self.flat.nodes if ruled.node.op == "Transpose"):
            p = tuple(ruled.node.attr("perm") or range(ruled.rank(IN(0)) or 0)[::-1])
            found.setdefault(len(p), set()).update([permuted(p), permuted(perm.inverse(p))])
        for layout in self.ends.values():
            found.setdefault(layout.rank, set()).add(layout)
        return found

    def _of_rank(self, rank: int | None) -> set[Layout]:
        if rank is not None and rank <= EVERY:
            return {permuted(p) for p in permutations(range(rank))}
        return {natural(rank), *self.suggested.get(rank, ())}

    def _ask(self, i: int) -> bool:
        """Ask node ``i`` what it was not asked yet; whether there was anything."""
        ruled = self.flat.nodes[i]
        new = {*self._combinations(ruled)} - self.asked[i]
        self.asked[i] |= new
        for layouts in new:
            try:
                moves = ruled.ask(*layouts)
            except Refusal:
                continue
            for move in filter(self._is_told(ruled), moves):
                self.found[i][(*move.inputs, *move.outputs), move.domain] = move
                for slot in ruled.live:
                    self.layouts[ruled.value(slot)].add(move.at(slot))
        return bool(new)

    def _combinations(self, ruled: RuledNode) -> Iterator[tuple[Layout, ...]]:
        if ruled.rule is None or not ruled.slots:
            return
        known = {slot: self._at(ruled, slot) for slot in dict.fromkeys((*ruled.live, *ruled.slots))}
        alike = known if len(ruled.slots) > 1 else {}
        options = [known[slot] | {one for some in alike.values() for one in some if one.rank == ruled.rank(slot)}
                   for slot in ruled.slots]  # fmt: skip
        if prod(map(len, options)) > MOST_COMBINATIONS:  # an Einsum
            options = [{ruled.node.natural(s), *self.suggested.get(ruled.rank(s), ())} for s in ruled.slots]
        yield from product(*options)
        if len(ruled.slots) == 1:
            yield from self._joined(ruled, known)
            others = known.keys() - set(ruled.slots)
            for slot, layout in ((other, layout) for other in others for layout in known[other]):
                with suppress(Refusal):
                    yield from ((one,) for one in ruled.likely(slot, layout))

    def _joined(self, ruled: RuledNode, known: Mapping[Slot, set[Layout]]) -> Iterator[tuple[Layout, ...]]:
        """The layouts of a value that has parts, by those of all parts."""
        if ruled.rule is None or ruled.rule.whole is None:
            return
        slots = [slot for slot in ruled.node.slots if slot.side != ruled.slots[0].side]
        options = [known.get(slot) or self._of_rank(ruled.rank(slot)) for slot in slots]
        for p in {one.axis_perm for some in options for one in some}:
            for parts in product(*([one for one in some if one.axis_perm == p] for some in options)):
                if any(one.is_divided for one in parts):
                    with suppress(Refusal):
                        yield (ruled.rule.whole(ruled.node, *parts),)

    def _at(self, ruled: RuledNode, slot: Slot) -> set[Layout]:
        return (self.layouts[ruled.value(slot)] if slot in ruled.live else self._of_rank(ruled.rank(slot))) - {ANY}

    def _is_told(self, ruled: RuledNode) -> Callable[[Move], bool]:
        """Of a value of unknown rank that is read, no other layout can be told."""
        blind = [slot for slot in ruled.live if ruled.rank(slot) is None]
        read = [slot for slot in blind if ruled.value(slot) in self.ends or self.flat.readers(ruled.value(slot))]
        return lambda move: all(move.at(slot).is_natural or move.at(slot) == ANY for slot in read)

    def _made(self, i: int) -> list[Move]:
        ruled, moves = self.flat.nodes[i], [*self.found[i].values()]
        if ruled.rule is None or not ruled.rule.always_rewrite or not moves:
            moves.append(ruled.node.move())
        dialect = ruled.node.dialect
        return [move for move in moves if dialect.demands(move.domain, move.op)] or moves


class _Program:
    """The plan as one integer program, without anything that breaks ties."""

    def __init__(
        self, graph: gs.Graph, flat: FlatGraph, ends: Layouts, moves: Sequence[Sequence[Move]], prices: Runtime
    ) -> None:
        self.prices = prices
        self.flat, self.program, self.times = (
            flat,
            IntegerProgram(),
            executions_per_inference(graph, UNKNOWN_TRIPS),
        )
        self.stored: dict[str, dict[Layout, list[int]]] = {}
        self.needed: dict[str, list[dict[Layout, list[int]]]] = {}
        for name, tensor in flat.tensors.items():
            if name not in flat.makers:
                self.stored[name] = {ends.get(name) or natural(rank_of(tensor)): [ONE]}
        for ruled, some in zip(flat.nodes, moves, strict=True):
            self._choose(ruled, some)
        for tensor in graph.outputs:
            self.needed.setdefault(tensor.name, []).append({ends.get(tensor.name) or natural(rank_of(tensor)): [ONE]})
        self.chosen = len(self.program.costs)
        for name, needs in self.needed.items():
            self._pay(name, needs)

    def solve(self, seconds: float) -> float:
        values, bound, optimal = self.program.solve(self.chosen, seconds)
        cost = float(np.asarray(self.program.costs) @ np.round(values, 6))
        if not optimal or abs(cost - bound) > 1:
            raise AssertionError(f"the best plan found costs {cost}, the least is {bound}")
        return round(cost)

    def price(self, name: str, stored: Layout, needed: Layout) -> float:
        touching = {self.flat.nodes[i].node.op for i, _ in self.flat.touching[name]}
        times = self.times.get(name, 1) * (2 if touching & {*self.prices.blocked} else 1)
        return self.prices.changes_of(self.flat.tensors[name], {}).between(stored, needed) * times

    def _choose(self, ruled: RuledNode, moves: Sequence[Move]) -> None:
        costs = [self.prices.inside(ruled.node, move, {}) for move in moves]
        times = self.times.get(ruled.value(OUT(0)), 1) if any(costs) else 0
        variables = [self.program.variable(cost * times) for cost in costs]
        self.program.constrain(variables, at_least=1, at_most=1)
        for slot in ruled.live:
            by_layout: dict[Layout, list[int]] = {}
            for variable, move in zip(variables, moves, strict=True):
                if move.at(slot) != ANY:
                    by_layout.setdefault(move.at(slot), []).append(variable)
            if slot.side == "out":
                self.stored[ruled.value(slot)] = by_layout
            else:
                self.needed.setdefault(ruled.value(slot), []).append(by_layout)

    def _pay(self, name: str, needs: Sequence[Mapping[Layout, list[int]]]) -> None:
        """Each order of the bytes that is needed and not stored costs a Transpose; orders along axes never change."""
        shape, paid = self.flat.tensors[name].shape, dict[tuple[Hashable, Hashable], int]()
        for need in needs:
            had, wanted = self._by_order(self.stored[name], shape), self._by_order(need, shape)
            for order, (needed, wanting) in wanted.items():
                if self.prices.is_uniform:
                    if ("any", order) not in paid:
                        paid["any", order] = self.program.variable(self.price(name, needed, needed))
                    self.program.constrain([paid["any", order], *had.get(order, (needed, []))[1]], wanting, at_least=0)
                for other, (stored, storing) in had.items() if not self.prices.is_uniform else ():
                    if other != order:
                        if (other, order) not in paid:
                            paid[other, order] = self.program.variable(self.price(name, stored, needed))
                        self.program.constrain([paid[other, order]], [*storing, *wanting], at_least=-1)
            never = self._exactly if self._is_pair(name) else self._along
            for kind in dict.fromkeys(map(never, need)):
                as_it_is = [v for one, some in self.stored[name].items() if never(one) == kind for v in some]
                self.program.constrain(as_it_is, [v for one, some in need.items() if never(one) == kind for v in some],
                                       at_least=0)  # fmt: skip

    def _by_order(
        self, choices: Mapping[Layout, list[int]], shape: Sequence[int | str | None] | None
    ) -> dict[Hashable, tuple[Layout, list[int]]]:
        """A layout and the variables for each order of the bytes."""
        found: dict[Hashable, tuple[Layout, list[int]]] = {}
        for layout, variables in choices.items():
            found.setdefault(layout.memory_order(shape), (layout, []))[1].extend(variables)
        return found

    def _exactly(self, layout: Layout) -> Hashable:
        return layout

    def _along(self, layout: Layout) -> Hashable:
        return tuple(layout.along(axis) if axis in layout.lengths() else None for axis in range(layout.rank))

    def _is_pair(self, name: str) -> bool:
        """Quantised, only to be dequantised for something to be computed of it."""
        made = name in self.flat.makers and self.flat.nodes[self.flat.makers[name][0]].node.op
        is_end = len(self.needed[name]) > len(self.flat.readers(name))
        readers = self._readers(name)
        ops = {ruled.node.op for ruled in readers}
        return (
            made == "QuantizeLinear" and ops == {"DequantizeLinear"} and not is_end and any(map(self._is_used, readers))
        )

    def _is_used(self, ruled: RuledNode) -> bool:
        """Whether anything but QuantizeLinear reads what a node makes, or a Transpose of it."""
        readers = self._readers(ruled.value(OUT(0)))
        return any(self._is_used(r) if r.node.op == "Transpose" else r.node.op != "QuantizeLinear" for r in readers)

    def _readers(self, name: str) -> list[RuledNode]:
        return [self.flat.nodes[i] for i, _ in self.flat.readers(name)]


def rank_of(tensor: gs.Tensor) -> int | None:
    return None if tensor.shape is None else len(tensor.shape)
