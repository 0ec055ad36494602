"""The integer program of a choice of moves.

``x[cell, row]`` is 1 for the moves that are made. A value is stored as its maker's row says; where a reader needs
another layout, ``t[value, layout]`` pays for one Transpose of that value, shared by all readers who need it. Constants
are free: they are folded.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from passes.plan.milp import ONE, IntegerProgram
from passes.plan.program import Program
from passes.plan.reduced import Reduced
from passes.plan.table import WHATEVER, Cell, Row
from passes.rules.api import Move

Choices = Mapping[int, list[int]]  # variables by layout


class Level(NamedTuple):
    """A respect in which layouts of a value differ; ``price`` and ``tie`` of a change in it (``None``: impossible).

    ``between`` prices a change from one layout to another, where that matters.
    """

    kind: Callable[[int], Hashable]
    price: float | None
    tie: float = 0.0
    between: Callable[[int, int], float] | None = None


class Formulation:
    """Variable ``ONE`` is fixed to 1; then come the rows of the cells, then the changes."""

    def __init__(self, program: Program, reduced: Reduced) -> None:
        self._program, self._reduced, self._integers = program, reduced, IntegerProgram()
        number = program.forms.numbers.of
        self._first, self._made, self._read = [ONE + 1], dict[str, Choices](), dict[str, list[Choices]]()
        for name in program.inputs:
            self._made[name] = {number(program.inputs[name]): [ONE]}
        for cell, keys in zip(reduced.cells, reduced.rows, strict=True):
            variables = [self._integers.variable(*self._costs(cell, cell.table.rows[key])) for key in keys]
            self._first.append(self._first[-1] + len(keys))
            self._integers.constrain(variables, at_least=1.0, at_most=1.0)
            for column, name in enumerate(cell.values):
                choices: dict[int, list[int]] = {}
                for variable, key in zip(variables, keys, strict=True):
                    if key[column] != WHATEVER:
                        choices.setdefault(key[column], []).append(variable)
                if column < cell.read:
                    self._read.setdefault(name, []).append(choices)
                else:
                    self._made[name] = choices
        for name, layout in program.outputs.items():
            self._read.setdefault(name, []).append({number(layout): [ONE]})
        for name, demands in self._read.items():
            self._pay_relayouts(name, self._made.get(name, {}), demands)

    def solve(self, time_limit: float, at_most: float) -> tuple[list[Move], float, bool]:
        """The chosen move of each node, a proven lower bound on the bytes, and whether the two meet.

        Raises PlanError if there is no plan, or none found within ``time_limit`` seconds; Dearer, if it is proven early
        that none costs ``at_most`` so much.
        """
        values, bound, optimal = self._integers.solve(self._first[-1], time_limit, at_most)
        ranges = zip(self._reduced.rows, pairwise(self._first), strict=True)
        chosen = [keys[int(np.argmax(values[begin:end]))] for keys, (begin, end) in ranges]
        return self._reduced.chosen(chosen), bound, optimal

    def _costs(self, cell: Cell, row: Row) -> tuple[float, float]:
        inside = self._program.per_inference(cell.nodes[0], row.cost)
        return inside, self._program.tie_of_moves * row.moved

    def _pay_relayouts(self, name: str, supply: Choices, demands: list[Choices]) -> None:
        """One variable per layout a reader may need, and one constraint per reader who may need it."""
        layouts = set(supply).union(*demands)
        for level in self._levels(name, layouts) if len(layouts) > 1 else ():
            if level.between is not None:
                self._pay_by_pair(level, level.between, supply, demands)
                continue
            stored = by_kind(level, supply)
            paid: dict[Hashable, list[int]] = {}
            for demand in demands:
                for kind, wanted in by_kind(level, demand).items():
                    if stored.get(kind) == [ONE]:
                        continue
                    if kind not in paid:
                        paid[kind] = [] if level.price is None else [self._integers.variable(level.price, level.tie)]
                    self._integers.constrain([*stored.get(kind, []), *paid[kind]], wanted, at_least=0.0)

    def _pay_by_pair(
        self, level: Level, between: Callable[[int, int], float], supply: Choices, demands: list[Choices]
    ) -> None:
        """One variable per pair of layouts, stored and needed, and for each reader a flow from the ones to the others.

        What flows from a layout is no more than is stored so. With it the relaxed program is nearly always whole, which
        it is not where all readers may draw on all that is stored.
        """
        stored, sources = by_kind(level, supply), {level.kind(layout): layout for layout in supply}
        paid: dict[tuple[Hashable, Hashable], int] = {}
        for demand in demands:
            flows: dict[Hashable, list[int]] = {kind: [] for kind in stored}
            needed = {level.kind(layout): layout for layout in demand}
            for kind, wanted in by_kind(level, demand).items():
                arriving = []
                for source, layout in sources.items():
                    price = 0.0 if source == kind else between(layout, needed[kind])
                    alone = len(demands) == 1 or source == kind
                    flow = self._integers.variable(price if alone else 0.0, level.tie * (alone and source != kind))
                    arriving.append(flow)
                    flows[source].append(flow)
                    if not alone:
                        if (source, kind) not in paid:
                            paid[source, kind] = self._integers.variable(price, level.tie)
                        self._integers.constrain([paid[source, kind]], [flow], at_least=0.0)
                self._integers.constrain(arriving, wanted, at_least=0.0)
            for source, some in flows.items():
                self._integers.constrain(stored[source], some, at_least=0.0)

    def _levels(self, name: str, layouts: Collection[int]) -> Iterator[Level]:
        """In which respects the layouts of a value differ."""

        form = self._program.form_of(name)
        between = None if self._program.runtime.is_uniform else form.price_between
        if len(set(map(form.bytes_kind, layouts))) == len(layouts):
            yield Level(exactly, form.price, form.tie, between)
        else:
            yield Level(form.bytes_kind, form.price, between=between)
            yield Level(exactly, 0.0, form.tie)
        if len(set(map(form.along_kind, layouts))) > 1:
            yield Level(form.along_kind, None)


def by_kind(level: Level, choices: Choices) -> dict[Hashable, list[int]]:
    """Variables by kind of layout."""
    kinds: dict[Hashable, list[int]] = {}
    for layout, variables in choices.items():
        kinds.setdefault(level.kind(layout), []).extend(variables)
    return kinds


def exactly(layout: int) -> Hashable:
    """Equal for equal layouts only."""
    return layout
