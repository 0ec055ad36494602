"""Layouts that no plan needs, proven so before the program is solved.

A layout ``a`` of a value can be *folded* onto another ``b`` where every move with ``a`` has its like with ``b``: one
that costs no more, with the same layouts elsewhere, or with others onto which those are folded at once. Then any plan
with ``a`` becomes one with ``b``: what agreed agrees, and what moved no byte moves none. It costs no more, so ``a``
need not be considered (an improving mapping, as it is called for Markov random fields).
"""

from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from passes.plan.forms import Form
from passes.plan.groups import Groups
from passes.plan.table import WHATEVER, Cell, Key, Row

Place = tuple[str, int]  # a group of values, and the number of a layout of these


class Folding:
    """``kept``: by group the layouts that some plan may need.

    Values that cells read and make in one layout are a group, named like one of them, and what is folded is folded for
    all. ``fixed``: by value the layouts that it is given or asked for in.
    """

    def __init__(
        self, cells: Sequence[Cell], fixed: Mapping[str, Collection[int]], form_of: Callable[[str], Form]
    ) -> None:
        self._group = grouped(cells)
        self._forms: dict[str, dict[Form, None]] = {}  # of its values, by group
        self._alongs: dict[Place, Hashable] = {}
        for name, group in self._group.items():
            self._forms.setdefault(group, {})[form_of(name)] = None
        self.fixed: dict[str, set[int]] = {group: set() for group in self._forms}
        for name, layouts in fixed.items():
            self.fixed.setdefault(self._group.get(name, name), set()).update(layouts)
        self.kept = {group: dict.fromkeys(sorted(layouts)) for group, layouts in self.fixed.items()}
        self.touching: dict[str, list[tuple[Cell, int]]] = {group: [] for group in self._forms}
        self.failed: set[tuple[Place, int]] = set()
        for cell in {(one.table, *self._groups(one)): one for one in cells}.values():
            self._touch(replace(cell, values=self._groups(cell)))
        for group in self.touching:
            self._fold_group(group)

    def rows(self, cell: Cell) -> Iterator[Key]:
        """The rows of a cell that are left."""
        here = replace(cell, values=self._groups(cell))
        return (key for key in cell.table.rows if self.is_left(here, key))

    def is_left(self, cell: Cell, key: Key) -> bool:
        """Whether all layouts of a row are kept."""
        for group, layout in zip(cell.values, key, strict=True):
            if layout != WHATEVER and layout not in self.kept[group]:
                return False
        return True

    def are_along(self, group: str, layout: int, other: int) -> bool:
        """Whether Transposes turn one layout of the values of a group into another."""
        return self._along(group, layout) == self._along(group, other)

    def _along(self, group: str, layout: int) -> Hashable:
        place = (group, layout)
        if place not in self._alongs:
            self._alongs[place] = tuple([form.along_kind(layout) for form in self._forms[group]])
        return self._alongs[place]

    def _groups(self, cell: Cell) -> tuple[str, ...]:
        return tuple(self._group[name] for name in cell.values)

    def _touch(self, cell: Cell) -> None:
        for column, group in enumerate(cell.values):
            self.touching[group].append((cell, column))
            layouts = (layout for at, layout in cell.table.having if at == column and layout != WHATEVER)
            self.kept[group].update(dict.fromkeys(layouts))

    def _fold_group(self, group: str) -> None:
        """Fold what can be of a group, last come first."""
        alike: dict[Hashable, list[int]] = {}
        for layout in sorted(self.kept[group]):
            alike.setdefault(self._along(group, layout), []).append(layout)
        layouts = tuple(sorted(self.kept[group], reverse=True))
        cheaper = np.logical_and.reduce([form.cheaper(layouts) for form in self._forms[group]])
        at = {layout: i for i, layout in enumerate(layouts)}
        takers = {layout: self._takers(group, layout) for layout in layouts}
        for layout in layouts:
            for onto in alike[self._along(group, layout)]:
                if layout not in self.kept[group]:
                    break
                is_likely = takers[layout] <= takers[onto] and cheaper[at[layout], at[onto]]
                if onto != layout and onto in self.kept[group] and is_likely:
                    self._fold(group, layout, onto)

    def _takers(self, group: str, layout: int) -> set[int]:
        """Which of the cells that touch a group can have it in a layout."""
        return {i for i, (cell, column) in enumerate(self.touching[group]) if (column, layout) in cell.table.having}

    def _fold(self, group: str, layout: int, onto: int) -> None:
        if ((group, layout), onto) in self.failed:
            return
        fold = _Fold(self)
        if not fold.spread(group, layout, onto) or not self._keeps_prices(fold.onto):
            self.failed.update(fold.onto.items())
            return
        for place in fold.onto:
            del self.kept[place[0]][place[1]]

    def _keeps_prices(self, onto: Mapping[Place, int]) -> bool:
        """Whether changes cost no more between the layouts that others are folded onto; so none where no byte moved."""

        def then(group: str, layout: int) -> int:
            return onto.get((group, layout), layout)

        return all(
            form.keeps_prices(layout, partial(then, group), self.kept[group])
            for group, layout in onto for form in self._forms[group]
        )  # fmt: skip


def grouped(cells: Sequence[Cell]) -> dict[str, str]:
    """The group of each value: those that a cell always has in one layout are in one."""
    groups = Groups(name for cell in cells for name in cell.values)
    for cell in (cell for cell in cells if cell.table.is_uniform):
        for name in cell.values[1:]:
            groups.join(name, cell.values[0])
    return {name: groups.of(name) for cell in cells for name in cell.values}


def does_as_well(row: Row, other: Row) -> bool:
    """Whether a row costs no more than another."""
    return row.cost <= other.cost and row.moved <= other.moved


class _Fold:
    """One layout folded onto another, with all that follows: ``onto``, by place."""

    def __init__(self, folding: Folding) -> None:
        self.onto: dict[Place, int] = {}
        self._folding = folding
        self._targets: set[Place] = set()
        self._settled: set[tuple[Cell, Key]] = set()
        self._queue: deque[Place] = deque()

    def spread(self, group: str, layout: int, onto: int) -> bool:
        """Fold, and fold what must be for that; whether it can be."""
        if not self._add(group, layout, onto):
            return False
        while self._queue:
            group, layout = self._queue.popleft()
            for cell, column in self._folding.touching[group]:
                for key in cell.table.having.get((column, layout), ()):
                    if (cell, key) in self._settled or not self._folding.is_left(cell, key):
                        continue
                    if not self._has_like(cell, column, key):
                        return False
                    if all(place in self.onto for place in zip(cell.values, key, strict=True)):
                        self._settled.add((cell, key))
        return True

    def _add(self, group: str, layout: int, onto: int) -> bool:
        place, target = (group, layout), (group, onto)
        if place in self.onto:
            return self.onto[place] == onto
        self.onto[place] = onto
        self._targets.add(target)
        self._queue.append(place)
        return (
            layout not in self._folding.fixed[group]
            and (place, onto) not in self._folding.failed
            and place not in self._targets
            and target not in self.onto
            and self._folding.are_along(group, layout, onto)
        )

    def _has_like(self, cell: Cell, column: int, key: Key) -> bool:
        """Whether a row can be replaced by another, folding more if need be."""
        places, rows = [*zip(cell.values, key, strict=True)], cell.table.rows
        target = tuple([self.onto.get(place, place[1]) for place in places])
        if target in rows and does_as_well(rows[target], rows[key]):
            return True
        best, fewest = key, len(key) + 1
        for other in cell.table.having.get((column, target[column]), ()):
            changed = [place for place, want, got in zip(places, target, other, strict=True) if want != got]
            free = len(changed) < fewest and not any(place in self.onto for place in changed)
            if free and does_as_well(rows[other], rows[key]) and self._folding.is_left(cell, other):
                best, fewest = other, len(changed)
        if best is key:
            return False
        pairs = ((place, got) for place, want, got in zip(places, target, best, strict=True) if want != got)
        return all(WHATEVER not in (place[1], got) and self._add(*place, got) for place, got in pairs)
