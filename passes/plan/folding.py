"""Layouts that no plan needs, proven so before the program is solved.

A layout ``a`` of a value can be *folded* onto another ``b`` where every move with ``a`` has its like with ``b``: one
that costs no more, with the same layouts elsewhere, or with others onto which those are folded at once. Then any plan
with ``a`` becomes one with ``b``: what agreed agrees, and what moved no byte moves none. It costs no more, so ``a``
need not be considered (an improving mapping, as it is called for Markov random fields).
"""

from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence

from passes.plan.table import WHATEVER, Cell, Key

Place = tuple[str, int]  # a value, and the number of a layout of it
Kind = Callable[[str, int], Hashable]


class Folding:
    """``kept``: by value the layouts that some plan may need.

    ``fixed``: by value the layouts that it is given or asked for in; ``bytes_kind``, ``along_kind``: equal for layouts
    of a value that hold the same bytes in one order, and that a Transpose can turn into each other.
    """

    def __init__(
        self, cells: Sequence[Cell], fixed: Mapping[str, Collection[int]], bytes_kind: Kind, along_kind: Kind
    ) -> None:
        self._fixed, self._bytes_kind, self._along_kind = fixed, bytes_kind, along_kind
        self.kept: dict[str, dict[int, None]] = {name: dict.fromkeys(layouts) for name, layouts in fixed.items()}
        self._touching: dict[str, list[tuple[Cell, int]]] = {}
        for cell in cells:
            for column, name in enumerate(cell.values):
                self._touching.setdefault(name, []).append((cell, column))
                kept = self.kept.setdefault(name, {})
                kept.update((layout, None) for at, layout in cell.table.having if at == column and layout != WHATEVER)
        self._failed: set[tuple[Place, int]] = set()
        while sum(self._fold_value(name) for name in self._touching):
            self._failed.clear()

    def rows(self, cell: Cell) -> Iterator[Key]:
        """The rows of a cell that are left."""
        return (key for key in cell.table.rows if self._is_left(cell, key))

    def _is_left(self, cell: Cell, key: Key) -> bool:
        pairs = zip(cell.values, key, strict=True)
        return all(layout == WHATEVER or layout in self.kept[name] for name, layout in pairs)

    def _fold_value(self, name: str) -> bool:
        """Fold what can be of a value, last come first; whether anything could."""
        before = len(self.kept[name])
        for layout in sorted(self.kept[name], reverse=True):
            others = sorted(other for other in self.kept[name] if other != layout)
            any(self._fold(name, layout, other) for other in others)
        return len(self.kept[name]) < before

    def _fold(self, name: str, layout: int, onto: int) -> bool:
        if layout not in self.kept[name]:
            return True
        fold = _Fold(self.kept, self._fixed, self._touching, self._failed)
        if not fold.spread(name, layout, onto, self._along_kind) or not self._keeps_bytes(fold.onto):
            self._failed.update(fold.onto.items())
            return False
        for place in fold.onto:
            del self.kept[place[0]][place[1]]
        return True

    def _keeps_bytes(self, onto: Mapping[Place, int]) -> bool:
        """Whether layouts of the same bytes are folded onto such."""
        for (name, layout), other in onto.items():
            kind, target = self._bytes_kind(name, layout), self._bytes_kind(name, other)
            if kind == target:
                continue
            alike = (one for one in self.kept[name] if self._bytes_kind(name, one) == kind)
            if any(self._bytes_kind(name, onto.get((name, one), one)) != target for one in alike):
                return False
        return True


class _Fold:
    """One layout folded onto another, with all that follows: ``onto``, by place."""

    def __init__(
        self,
        kept: Mapping[str, Mapping[int, None]],
        fixed: Mapping[str, Collection[int]],
        touching: Mapping[str, Sequence[tuple[Cell, int]]],
        failed: Collection[tuple[Place, int]],
    ) -> None:
        self.onto: dict[Place, int] = {}
        self._kept, self._fixed, self._touching, self._failed = kept, fixed, touching, failed
        self._targets: set[Place] = set()
        self._queue: deque[Place] = deque()

    def spread(self, name: str, layout: int, onto: int, along_kind: Kind) -> bool:
        """Fold, and fold what must be for that; whether it can be."""
        self._along_kind = along_kind
        if not self._add(name, layout, onto):
            return False
        while self._queue:
            name, layout = self._queue.popleft()
            for cell, column in self._touching[name]:
                keys = cell.table.having.get((column, layout), ())
                if not all(self._has_like(cell, column, key) for key in keys if self._is_left(cell, key)):
                    return False
        return True

    def _add(self, name: str, layout: int, onto: int) -> bool:
        place, target = (name, layout), (name, onto)
        if place in self.onto:
            return self.onto[place] == onto
        self.onto[place] = onto
        self._targets.add(target)
        self._queue.append(place)
        return (
            layout not in self._fixed.get(name, ())
            and (place, onto) not in self._failed
            and place not in self._targets
            and target not in self.onto
            and self._along_kind(name, layout) == self._along_kind(name, onto)
        )

    def _is_left(self, cell: Cell, key: Key) -> bool:
        pairs = zip(cell.values, key, strict=True)
        return all(layout == WHATEVER or layout in self._kept[name] for name, layout in pairs)

    def _has_like(self, cell: Cell, column: int, key: Key) -> bool:
        """Whether a row can be replaced by another, folding more if need be."""
        row, rows, places = cell.table.rows[key], cell.table.rows, [*zip(cell.values, key, strict=True)]
        folded = [self.onto.get(place) for place in places]
        target = tuple(layout if onto is None else onto for onto, layout in zip(folded, key, strict=True))
        if target in rows and rows[target].copies <= row.copies and rows[target].moved <= row.moved:
            return True
        best: tuple[int, Key] | None = None
        for other in cell.table.having.get((column, target[column]), ()):
            fits = all(onto is None or onto == found for onto, found in zip(folded, other, strict=True))
            if fits and rows[other].copies <= row.copies and rows[other].moved <= row.moved:
                changes = sum(one != found for one, found in zip(target, other, strict=True))
                if (best is None or changes < best[0]) and self._is_left(cell, other):
                    best = changes, other
        if best is None:
            return False
        pairs = [(place, found) for place, found in zip(places, best[1], strict=True) if place[1] != found]
        return all(layout != WHATEVER and found != WHATEVER and self._add(name, layout, found)
                   for (name, layout), found in pairs)  # fmt: skip
