"""Orders of the elements along one axis.

Flatten turns NHWC into ``[N, H*W*C]`` where the original has ``[N, C*H*W]``: no perm of the two axes says that, an
order along axis 1 does. Concat puts such axes one after the other.
"""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from passes.layout.perm import Perm

Array = NDArray[np.generic]


class Order(NamedTuple):
    """``stored = x.reshape(sizes).transpose(perm).ravel()`` for a vector ``x``."""

    sizes: tuple[int, ...]
    perm: Perm

    @property
    def length(self) -> int:
        return prod(self.sizes)

    def apply(self, array: Array, axis: int) -> Array:
        """``array`` with the elements along ``axis`` in this order."""
        shape = array.shape
        atoms = array.reshape(*shape[:axis], *self.sizes, *shape[axis + 1 :])
        inner = tuple(axis + i for i in self.perm)
        rest = range(axis + len(inner), atoms.ndim)
        return atoms.transpose(*range(axis), *inner, *rest).reshape(shape)

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.sizes))} {self.perm}"


class Joined(NamedTuple):
    """Parts of an axis, one after the other: the length of each and its order."""

    parts: tuple[tuple[int, Order | None], ...]

    @property
    def length(self) -> int:
        return sum(length for length, _ in self.parts)

    def apply(self, array: Array, axis: int) -> Array:
        """``array`` with the elements along ``axis`` in this order."""
        ends = np.cumsum([length for length, _ in self.parts])[:-1]
        pieces = zip(np.split(array, ends, axis), self.parts, strict=True)
        return np.concatenate(
            [piece if order is None else order.apply(piece, axis) for piece, (_, order) in pieces], axis
        )

    def __str__(self) -> str:
        return " then ".join(f"{length} {order}" if order else str(length) for length, order in self.parts)


AxisOrder = Order | Joined


def join(parts: Sequence[tuple[int, AxisOrder | None]]) -> AxisOrder | None:
    """The order of an axis made of parts of these lengths and orders."""
    if all(order is None for _, order in parts):
        return None
    flat = [part for length, o in parts for part in (o.parts if isinstance(o, Joined) else ((length, o),))]
    return Joined(tuple(flat)) if len(flat) > 1 else flat[0][1]


def split(order: AxisOrder | None, lengths: Sequence[int]) -> "list[AxisOrder | None] | None":
    """The orders of the parts, ``None`` if they are not whole, one after the other, as stored."""
    if order is None:
        return [None for _ in lengths]
    if isinstance(order, Order):
        return [resized(order, length) for length in lengths] if _is_whole(order, lengths) else None
    rest, found = list(order.parts), []
    for length in lengths:
        mine: list[tuple[int, AxisOrder | None]] = []
        while rest and sum(size for size, _ in mine) < length:
            mine.append(rest.pop(0))
        if sum(size for size, _ in mine) != length:
            return None
        found.append(join(mine))
    return found


def _is_whole(order: Order, lengths: Sequence[int]) -> bool:
    inner = prod(order.sizes[1:])
    return len(lengths) == 1 or (order.perm[0] == 0 and not any(length % inner for length in lengths))


def resized(order: AxisOrder, length: int) -> Order | None:
    """The same order of fewer or more of the outermost atom, ``None`` if there is none or it does not come out even."""
    inner = prod(order.sizes[1:]) if isinstance(order, Order) else 0
    if not isinstance(order, Order) or length % inner:
        return None
    return Order((length // inner, *order.sizes[1:]), order.perm)
