"""The layout of a value: a perm of its axes, and where needed an order of the elements along an axis."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from passes.layout import perm
from passes.layout.order import AxisOrder
from passes.layout.perm import Perm


class Layout(NamedTuple):
    """``orders`` are applied along the original's axes first, ``perm`` then; ``AS_IS`` is the one identity."""

    perm: Perm
    orders: tuple[tuple[int, AxisOrder], ...] = ()

    def order(self, axis: int) -> AxisOrder | None:
        """The order along the original's ``axis``, ``None`` if it is the original's."""
        return dict(self.orders).get(axis)

    def apply(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """``array`` (original layout) as stored; shares memory where it can."""
        if self == AS_IS:
            return array
        for axis, order in self.orders:
            array = order.apply(array, axis)
        return array.transpose(self.perm)

    def __str__(self) -> str:
        if self == AS_IS:
            return "as is"
        return f"{self.perm}{self.orders_text}"

    @property
    def orders_text(self) -> str:
        return "".join(f", axis {axis} as {order}" for axis, order in self.orders)


AS_IS = Layout(())
ANY = Layout((-1,))  # asked of an input that is read for its type or size only: whatever it is stored in


def make(p: Perm, orders: Iterable[tuple[int, AxisOrder | None]] = ()) -> Layout:
    """The layout with perm ``p`` and ``orders`` by original axis, in canonical form."""
    kept = tuple(sorted((axis, order) for axis, order in orders if order is not None))
    return AS_IS if not kept and p == perm.identity(len(p)) else Layout(p, kept)


def of_rank(layout: Layout, rank: int) -> Layout:
    """``layout`` with its perm spelled out, for rules that compute with it."""
    return Layout(perm.identity(rank)) if layout == AS_IS else layout
