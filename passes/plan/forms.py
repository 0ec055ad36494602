"""What layouts are to a value: which hold the same bytes, which a Transpose turns into each other, what changes cost.

Told once for all values of one form, and of layouts by their numbers.
"""

from collections.abc import Callable, Collection, Hashable

import numpy as np
from numpy.typing import NDArray

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
            kind = Form if changes.shape is None else PricedForm
            self._known[key] = kind(shape, changes, tie, stays, self.numbers)
        return self._known[key]


class Form:
    """What layouts are to some values, of which all changes cost the same ``price``."""

    def __init__(self, shape: Shape | None, changes: Changes, tie: float, stays: bool, numbers: Numbers) -> None:
        self.price, self.tie = changes.dearest, tie
        self._shape, self._changes, self._stays, self._numbers = shape, changes, stays, numbers
        self._bytes: dict[int, int] = {}
        self._along: dict[int, int] = {}
        self._kinds: dict[Hashable, int] = {}

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
        return 0.0 if self.bytes_kind(source) == self.bytes_kind(needed) else self.price

    def cheaper(self, layouts: tuple[int, ...]) -> NDArray[np.bool_]:
        """For each two of these layouts, whether changes between the second and others cost no more than the first's.

        Others are those of these that do not hold the same bytes as the first.
        """
        return np.ones((len(layouts), len(layouts)), dtype=np.bool_)

    def keeps_prices(self, layout: int, onto: Callable[[int], int], kept: Collection[int]) -> bool:
        """Whether changes between a layout and those ``kept`` cost no more once each is what it is folded ``onto``."""
        kind, target = self.bytes_kind(layout), self.bytes_kind(onto(layout))
        if kind == target:
            return True
        like = (one for one in kept if self.bytes_kind(one) == kind)  # to others, the change cost all that one can
        return all(self.bytes_kind(onto(one)) == target for one in like)

    def _kind(self, seen: Hashable) -> int:
        return self._kinds.setdefault(seen, len(self._kinds))


class PricedForm(Form):
    """What layouts are to some values, of which changes cost what the layouts tell; ``price`` is the dearest's."""

    def __init__(self, shape: Shape | None, changes: Changes, tie: float, stays: bool, numbers: Numbers) -> None:
        super().__init__(shape, changes, tie, stays, numbers)
        self._prices: dict[tuple[int, int], float] = {}
        self._cheaper: dict[tuple[int, ...], NDArray[np.bool_]] = {}

    def price_between(self, source: int, needed: int) -> float:
        price = self._prices.get((source, needed))
        if price is None:
            price = self._prices[source, needed] = self._priced(source, needed)
        return price

    def cheaper(self, layouts: tuple[int, ...]) -> NDArray[np.bool_]:
        if layouts not in self._cheaper:
            prices = np.asarray([[self.price_between(one, other) for other in layouts] for one in layouts])
            kinds = np.asarray([*map(self.bytes_kind, layouts)])
            fewer = (prices[None] <= prices[:, None]) & (prices.T[None] <= prices.T[:, None])  # first, second, other
            same = kinds[:, None] == kinds
            self._cheaper[layouts] = (fewer | same[:, None]).all(axis=2) | same
        return self._cheaper[layouts]

    def keeps_prices(self, layout: int, onto: Callable[[int], int], kept: Collection[int]) -> bool:
        target, price = onto(layout), self.price_between
        if self.bytes_kind(layout) == self.bytes_kind(target):
            return True
        return all(
            price(target, then) <= price(layout, one) and price(then, target) <= price(one, layout)
            for one, then in zip(kept, map(onto, kept), strict=True)
        )

    def _priced(self, source: int, needed: int) -> float:
        if self.bytes_kind(source) == self.bytes_kind(needed):
            return 0.0
        return self._changes.between(self._numbers.layouts[source], self._numbers.layouts[needed])


def along_axes(layout: Layout) -> Hashable:
    """A Transpose cannot change the order of elements within an axis: producer and reader must agree on it."""
    return tuple((axis, layout.along(axis)) for axis in sorted(layout.lengths()))
