"""What layouts are to a value: which hold the same bytes, which a Transpose turns into each other, what changes cost.

Told once for all values of one form, and of layouts by their numbers.
"""

from collections.abc import Hashable

import numpy as np

from passes.plan.cost import Changes
from passes.plan.table import Numbers
from passes.rules.api import Layout, Shape


class Forms:
    """All forms that there are, at the prices of one runtime, and the ``numbers`` of layouts."""

    def __init__(self) -> None:
        self.numbers = Numbers()
        self._known: dict[Hashable, Form] = {}

    def of(self, shape: Shape | None, changes: Changes, tie: float, stays: bool) -> "Form":
        """The form of values of a shape, of which changes cost so much, and a ``tie`` besides.

        ``stays``: whether their layout must not change.
        """
        key = (None if shape is None else tuple(shape), changes.dearest, tie, stays)
        if key not in self._known:
            self._known[key] = Form(shape, changes, tie, stays, self.numbers)
        return self._known[key]


class Form:
    """What layouts are to some values; ``price`` is that of the dearest Transpose."""

    def __init__(self, shape: Shape | None, changes: Changes, tie: float, stays: bool, numbers: Numbers) -> None:
        self.price, self.tie = changes.dearest, tie
        self._shape, self._changes, self._stays, self._numbers = shape, changes, stays, numbers
        self._bytes: dict[int, int] = {}
        self._along: dict[int, int] = {}
        self._kinds: dict[Hashable, int] = {}
        self._prices: dict[tuple[int, int], float] = {}
        self._cheaper: dict[tuple[int, ...], set[tuple[int, int]]] = {}

    def bytes_kind(self, layout: int) -> int:
        """Equal for layouts that hold the same bytes in the same order."""
        kind = self._bytes.get(layout)
        if kind is None:
            kind = self._bytes[layout] = self._kind(self._numbers.layouts[layout].memory_order(self._shape))
        return kind

    def along_kind(self, layout: int) -> int:
        """Equal for layouts that a Transpose can turn into each other; for none where the layout must not change."""
        kind = self._along.get(layout)
        if kind is None:
            known = self._numbers.layouts[layout]
            kind = self._along[layout] = self._kind(known if self._stays else along_axes(known))
        return kind

    def price_between(self, source: int, needed: int) -> float:
        """What it costs to change one layout into another, of which a Transpose makes it."""
        price = self._prices.get((source, needed))
        if price is None:
            price = self._prices[source, needed] = self._priced(source, needed)
        return price

    def cheaper(self, layouts: tuple[int, ...]) -> set[tuple[int, int]]:
        """Pairs of these layouts, of which changes between the second and others cost no more than the first's.

        Others are those of these that do not hold the same bytes as the first.
        """
        if layouts not in self._cheaper:
            prices = np.asarray([[self.price_between(one, other) for other in layouts] for one in layouts])
            kinds = np.asarray([*map(self.bytes_kind, layouts)])
            fewer = (prices[None] <= prices[:, None]) & (prices.T[None] <= prices.T[:, None])  # first, second, other
            same = kinds[:, None] == kinds
            found = np.argwhere((fewer | same[:, None]).all(axis=2) | same)
            self._cheaper[layouts] = {(layouts[i], layouts[j]) for i, j in found}
        return self._cheaper[layouts]

    def _priced(self, source: int, needed: int) -> float:
        if self.bytes_kind(source) == self.bytes_kind(needed):
            return 0.0
        return self._changes.between(self._numbers.layouts[source], self._numbers.layouts[needed])

    def _kind(self, seen: Hashable) -> int:
        return self._kinds.setdefault(seen, len(self._kinds))


def along_axes(layout: Layout) -> Hashable:
    """A Transpose cannot change the order of elements within an axis: producer and reader must agree on it."""
    return tuple((axis, layout.along(axis)) for axis in sorted(layout.lengths()))
