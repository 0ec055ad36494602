"""The layout of a value: a perm of its axes, and where needed an order of the elements along an axis.

Flatten turns NHWC into ``[N, H*W*C]`` where the original has ``[N, C*H*W]``: no perm of the two axes says that, an
*order* along axis 1 does.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from passes import perm
from passes.perm import Perm


class Order(NamedTuple):
    """Order along one axis: ``stored = x.reshape(sizes).transpose(perm).ravel()``."""

    sizes: tuple[int, ...]
    perm: Perm


class Layout(NamedTuple):
    """``orders`` are applied along the original's axes first, ``perm`` then; ``AS_IS`` is the one identity."""

    perm: Perm
    orders: tuple[tuple[int, Order], ...] = ()

    def order(self, axis: int) -> Order | None:
        """The order along the original's ``axis``, ``None`` if it is the original's."""
        return dict(self.orders).get(axis)

    def apply(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """``array`` (original layout) as stored; shares memory where it can."""
        if self == AS_IS:
            return array
        for axis, order in self.orders:
            shape = array.shape
            atoms = array.reshape(*shape[:axis], *order.sizes, *shape[axis + 1 :])
            inner = tuple(axis + i for i in order.perm)
            rest = range(axis + len(inner), atoms.ndim)
            array = atoms.transpose(*range(axis), *inner, *rest).reshape(shape)
        return array.transpose(self.perm)

    def __str__(self) -> str:
        if self == AS_IS:
            return "as is"
        orders = "".join(f", axis {a} as {'x'.join(map(str, o.sizes))} {o.perm}" for a, o in self.orders)
        return f"{self.perm}{orders}"


AS_IS = Layout(())
ANY = Layout((-1,))  # asked of an input that is read for its type or size only: whatever it is stored in


def make(p: Perm, orders: Iterable[tuple[int, Order | None]] = ()) -> Layout:
    """The layout with perm ``p`` and ``orders`` by original axis, in canonical form."""
    kept = tuple(sorted((axis, order) for axis, order in orders if order is not None))
    return AS_IS if not kept and p == perm.identity(len(p)) else Layout(p, kept)


def of_rank(layout: Layout, rank: int) -> Layout:
    """``layout`` with its perm spelled out, for rules that compute with it."""
    return Layout(perm.identity(rank)) if layout == AS_IS else layout
