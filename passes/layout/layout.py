"""The layout of a value: which axes, or factors of axes, of the original are stored where.

A layout prints as einops writes it: ``a b c d -> a c d b`` is NCHW stored as NHWC; ``a (b1 b2) -> a (b2 b1), b1=3``
holds the elements along an axis in another order, as Flatten leaves them or a channel shuffle makes them. Concat puts
such axes one after the other: their *segments* are told behind the arrow.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from math import prod
from string import ascii_lowercase
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from passes.layout import perm
from passes.layout.factor import Factor, Factors, merge_factors
from passes.layout.perm import Perm
from passes.refusal import Refusal

Array = NDArray[np.generic]
Dim = int | str | None


Segments = tuple[tuple[int, "Layout"], ...]


class Layout(NamedTuple):
    """``stored``: for each stored axis, the factors that it holds, outermost first. Equal layouts store alike.

    ``segments``: for original axes that Concat joined, the length and layout (of a vector) of each part; in ``stored``
    such an axis is whole.
    """

    stored: tuple[Factors, ...]
    segments: tuple[tuple[int, Segments], ...] = ()

    @property
    def rank(self) -> int:
        """The number of the original's axes."""
        return (
            len(self.stored)
            if not self.is_divided
            else 1 + max((f.axis for factors in self.stored for f in factors), default=-1)
        )

    @property
    def is_natural(self) -> bool:
        """Whether the value is stored as the original is."""
        return self == natural(len(self.stored))

    @property
    def is_divided(self) -> bool:
        """Whether elements along some axis are in another order, or its factors apart."""
        return bool(self.segments) or _undivided(self.stored) is None

    @property
    def perm(self) -> Perm:
        """The perm that the layout is. Refuses if it is more: if it divides an axis."""
        p = None if self.segments else _undivided(self.stored)
        if p is not None:
            return p
        axis = min(a for a in range(self.rank) if self.along(a) != VECTOR)
        raise Refusal(f"the original order of elements along axis {axis} is needed")

    @property
    def axis_perm(self) -> Perm:
        """The perm of the axes, in whatever order the elements along each are. Refuses if factors of one are apart."""
        p = _undivided(self.stored)
        if p is not None:
            return p
        axes = tuple(factors[0].axis for factors in self.stored)
        if len(set(axes)) < len(axes) or any(f.axis != fs[0].axis for fs in self.stored for f in fs):
            raise Refusal("the factors of an axis are stored apart")
        return axes

    def place(self, axis: int) -> int:
        """Where the original's axis (which may be negative) is stored."""
        p = self.axis_perm
        return p.index(axis % len(p))

    def places(self, axes: Iterable[int]) -> list[int]:
        """Where the original's axes are stored, in ascending order."""
        return sorted(self.place(axis) for axis in axes)

    def along(self, axis: int) -> "Layout":
        """The order of the elements along an axis, as the layout of a vector."""
        segments = dict(self.segments).get(axis)
        if segments is not None:
            return Layout(VECTOR.stored, ((0, segments),))
        return Layout((tuple(f._replace(axis=0) for f in self.stored[self.place(axis)]),))

    def require_natural(self, *axes: int) -> "Layout":
        """Itself. Refuses if the elements along one of the axes are in another order than the original's."""
        for axis in axes:
            if self.along(axis) != VECTOR:
                raise Refusal(f"the original order of elements along axis {axis} is needed")
        return self

    def with_along(self, orders: "Mapping[int, Layout]") -> "Layout":
        """The layout with other orders of the elements along some axes."""
        p = self.axis_perm
        return arranged(p, {**{axis: self.along(axis) for axis in p}, **orders})

    def natural_along(self, axes: Iterable[int]) -> "Layout":
        """The layout with the elements along these axes in their original order."""
        return self.with_along(dict.fromkeys(axes, VECTOR)) if self.is_divided else self

    def renumbered(self, numbers: Mapping[int, int] | Sequence[int]) -> "Layout":
        """The layout of a value that has the original's axis ``a`` as its axis ``numbers[a]``."""
        stored = tuple(tuple(f._replace(axis=numbers[f.axis]) for f in factors) for factors in self.stored)
        return Layout(stored, tuple(sorted((numbers[axis], parts) for axis, parts in self.segments)))

    def transposed(self, p: Perm) -> "Layout":
        """The layout of ``np.transpose(original, p)`` if no element moves."""
        return self.renumbered(perm.inverse(p))

    def drop(self, axes: Collection[int]) -> "Layout":
        """The layout that is left when the original loses ``axes``."""
        if not self.is_divided:
            return permuted(perm.drop(self.axis_perm, axes))
        kept = {axis: number for number, axis in enumerate(a for a in range(self.rank) if a not in axes)}
        stored = (tuple(f for f in factors if f.axis in kept) for factors in self.stored)
        segments = tuple((axis, parts) for axis, parts in self.segments if axis in kept)
        return Layout(tuple(factors for factors in stored if factors), segments).renumbered(kept)

    def replace(self, axis: int, count: int) -> "Layout":
        """The layout when ``axis`` becomes ``count`` axes, which are stored in its place."""
        place, rest = self.place(axis), self.drop({axis})
        rest = rest.renumbered([a if a < axis else a + count for a in range(rest.rank)])
        axes = tuple((Factor(axis + i),) for i in range(count))
        return Layout((*rest.stored[:place], *axes, *rest.stored[place:]), rest.segments)

    def insert(self, axes: Sequence[int]) -> "Layout":
        """The layout when the original gains ``axes`` (numbers of the result, ascending), each stored at its number."""
        rank = self.rank + len(axes)
        wider = self.renumbered([axis for axis in range(rank) if axis not in axes])
        stored = list(wider.stored)
        for axis in axes:
            stored.insert(axis, (Factor(axis),))
        return Layout(tuple(stored), wider.segments)

    def lengths(self) -> dict[int, int]:
        """The sizes of the axes that the layout divides."""
        sizes = {axis: sum(length for length, _ in parts) for axis, parts in self.segments}
        for f in (f for factors in self.stored for f in factors if f.size is not None):
            sizes[f.axis] = sizes.get(f.axis, 1) * (f.size or 1)
        return sizes

    def fits(self, shape: Sequence[Dim]) -> bool:
        """Whether an original of this shape can be stored so; unknown dims fit any."""
        if not self.is_divided:
            return len(self.stored) == len(shape)
        lengths = self.lengths().items()
        return self.rank == len(shape) and all(shape[a] == n or not isinstance(shape[a], int) for a, n in lengths)

    def shape(self, shape: Sequence[Dim]) -> list[Dim]:
        """The shape as stored, of an original of ``shape``."""
        if not self.is_divided:
            return perm.reorder(self.perm, shape)
        sizes = [[shape[f.axis] if f.size is None else f.size for f in factors] for factors in self.stored]
        return [dims[0] if len(dims) == 1 else prod(int(d or 0) for d in dims) for dims in sizes]

    def memory_order(self, shape: Sequence[Dim] | None) -> Hashable:
        """Equal for layouts of an original of ``shape`` that hold the same bytes, as a Reshape leaves them."""
        if shape is None:
            return self
        factors = [f for factors in self.stored for f in factors if f.size is not None or shape[f.axis] != 1]
        return (merge_factors(factors, self.lengths()) if self.is_divided else tuple(factors)), self.segments

    def apply(self, array: Array) -> Array:
        """``array`` (original layout) as stored; shares memory where it can. Natural, it is of any rank."""
        if self.is_natural:
            return array
        if not self.is_divided:
            return array.transpose(self.perm)
        for axis, parts in self.segments:
            array = np.take(array, _positions(parts), axis)
        stored = [f for factors in self.stored for f in factors]
        natural_order = sorted(stored, key=lambda f: (f.axis, -f.stride))
        sizes = {f: array.shape[f.axis] if f.size is None else f.size for f in stored}
        divided = array.reshape([sizes[f] for f in natural_order])
        moved = divided.transpose([natural_order.index(f) for f in stored])
        return moved.reshape([prod(sizes[f] for f in factors) for factors in self.stored])

    def inverse(self) -> "Layout":
        """The layout that takes the stored value for the original, and stores it as that was."""
        turned: dict[int, list[tuple[int, Factor]]] = {axis: [] for axis in range(self.rank)}
        for place, factors in enumerate(self.stored):
            for i, f in enumerate(factors):
                inner = prod(g.size or 1 for g in factors[i + 1 :])
                turned[f.axis].append((f.stride, Factor(place, inner, f.size) if len(factors) > 1 else Factor(place)))
        stored = tuple(tuple(f for _, f in sorted(turned[axis], reverse=True)) for axis in range(self.rank))
        segments = (
            (self.place(axis), tuple((n, part.inverse()) for n, part in parts)) for axis, parts in self.segments
        )
        return Layout(stored, tuple(sorted(segments)))

    def text(self, names: str = "") -> str:
        """As einops writes it, with ``names`` for the original's axes."""
        names = names or ascii_lowercase[: self.rank]
        original = [sorted({f for fs in self.stored for f in fs if f.axis == axis}, key=lambda f: -f.stride)
                    for axis in range(self.rank)]  # fmt: skip
        words = {f: names[f.axis] + (str(i) if len(factors) > 1 else "")
                 for factors in original for i, f in enumerate(factors, 1)}  # fmt: skip

        def side(axes: Iterable[Sequence[Factor]]) -> str:
            return " ".join(f"({' '.join(words[f] for f in fs)})" if len(fs) > 1 else words[fs[0]] for fs in axes)

        sizes = [f"{words[f]}={f.size}" for factors in original for f in factors[:-1]]
        joined = [f"{names[a]} is {' then '.join(f'{n} {part}' for n, part in parts)}" for a, parts in self.segments]
        return ", ".join([f"{side(original)} -> {side(self.stored)}", *sizes, *joined])

    def __str__(self) -> str:
        return "as is" if self.is_natural else self.text()


@lru_cache(maxsize=4096)
def _undivided(stored: tuple[Factors, ...]) -> Perm | None:
    """The perm of layouts that divide no axis, but for segments."""
    if any(len(factors) > 1 or factors[0].size is not None for factors in stored):
        return None
    return tuple(factors[0].axis for factors in stored)


@lru_cache(maxsize=4096)
def permuted(p: Perm) -> Layout:
    """The layout of ``np.transpose(original, p)``."""
    return Layout(tuple((Factor(axis),) for axis in p))


@lru_cache(maxsize=64)
def natural(rank: int | None) -> Layout:
    """The layout of the original. A value of unknown rank (``None``) has no other."""
    return permuted(perm.identity(rank or 0))


VECTOR = natural(1)
ANY = Layout(((Factor(-1),),))  # asked of an input that is read for its type or size only: whatever it is stored in


def arranged(p: Perm, orders: Mapping[int, Layout]) -> Layout:
    """Axes in the order ``p``, the elements along some of them in an order, which is a layout of a vector."""
    if all(order == VECTOR for order in orders.values()):
        return permuted(p)
    factors = {axis: tuple(f._replace(axis=axis) for f in order.stored[0]) for axis, order in orders.items()}
    segments = ((axis, order.segments[0][1]) for axis, order in orders.items() if order.segments)
    return Layout(tuple(factors.get(axis, (Factor(axis),)) for axis in p), tuple(sorted(segments)))


def _positions(parts: Segments) -> NDArray[np.intp]:
    """Which elements of the original are stored first, second, ... along an axis of segments."""
    starts = np.cumsum([0, *(length for length, _ in parts)])
    return np.concatenate([start + part.apply(np.arange(n)) for start, (n, part) in zip(starts, parts, strict=False)])
