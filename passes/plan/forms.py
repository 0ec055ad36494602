"""What layouts are to a value: which hold the same bytes, which a Transpose turns into each other, what changes cost.

Told once for all values of one form, and of layouts by their numbers.
"""

from collections.abc import Hashable

from passes.plan.program import Program
from passes.plan.table import Numbers
from passes.rules.api import Layout


class Forms:
    """The forms of values, and the ``numbers`` of layouts."""

    def __init__(self, program: Program) -> None:
        self.numbers = Numbers()
        self._program = program
        self._of_value: dict[str, Form] = {}
        self._known: dict[Hashable, Form] = {}

    def of(self, name: str) -> "Form":
        """The form of a value."""
        form = self._of_value.get(name)
        if form is None:
            form = Form(self._program, name, self.numbers)
            form = self._of_value[name] = self._known.setdefault(form.key, form)
        return form


class Form:
    """Values of which layouts mean the same: of one shape, ``price`` of the dearest Transpose, ``tie`` of any."""

    def __init__(self, program: Program, name: str, numbers: Numbers) -> None:
        self._changes, self._numbers = program.changes_of(name), numbers
        self.price, self.tie = self._changes.dearest, program.tie_of(name)
        self._shape, self._stays = program.flat.tensors[name].shape, program.is_pair(name)
        self._bytes: dict[int, int] = {}
        self._along: dict[int, int] = {}
        self._kinds: dict[Hashable, int] = {}
        self._prices: dict[tuple[int, int], float] = {}

    @property
    def key(self) -> Hashable:
        """What tells forms apart."""
        return None if self._shape is None else tuple(self._shape), self.price, self.tie, self._stays

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

    def _priced(self, source: int, needed: int) -> float:
        if self.bytes_kind(source) == self.bytes_kind(needed):
            return 0.0
        return self._changes.between(self._numbers.layouts[source], self._numbers.layouts[needed])

    def _kind(self, seen: Hashable) -> int:
        return self._kinds.setdefault(seen, len(self._kinds))


def along_axes(layout: Layout) -> Hashable:
    """A Transpose cannot change the order of elements within an axis: producer and reader must agree on it."""
    return tuple((axis, layout.along(axis)) for axis in sorted(layout.lengths()))
