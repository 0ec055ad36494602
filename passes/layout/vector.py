"""Layouts of vectors: orders of the elements along one axis."""

from collections.abc import Iterable, Sequence
from math import prod

from passes.layout.factor import Factor, merge_factors
from passes.layout.layout import VECTOR, Layout
from passes.layout.perm import Perm


def reordered(sizes: Sequence[int], p: Perm) -> Layout:
    """The layout of a vector that is stored as ``x.reshape(sizes).transpose(p).ravel()``."""
    strides = [prod(sizes[i + 1 :]) for i in range(len(sizes))]
    factors = [Factor(0, strides[i], sizes[i]) for i in p if sizes[i] != 1]
    return vector(factors)


def vector(factors: Sequence[Factor]) -> Layout:
    """The layout of a vector that is stored as these factors of it; those of size 1 do not count."""
    length = prod(f.size or 1 for f in factors)
    return Layout((merge_factors([f for f in factors if f.size != 1], {0: length}) or VECTOR.stored[0],))


def sizes_and_perm(order: Layout) -> tuple[list[int], Perm]:
    """What ``reordered`` makes ``order`` of; empty for a vector in its original order. ``order`` has no segments."""
    stored = [f for f in order.stored[0] if f.size is not None]
    factors = sorted(stored, key=lambda f: -f.stride)
    return [f.size or 1 for f in factors], tuple(factors.index(f) for f in stored)


def joined(parts: Iterable[tuple[int, Layout]]) -> Layout:
    """The layout of a vector made of parts, one after the other, of these lengths and layouts."""
    flat = [part for n, order in parts for part in (order.segments[0][1] if order.segments else ((n, order),))]
    merged: list[tuple[int, Layout]] = []
    for n, order in flat:
        if merged and order == merged[-1][1] == VECTOR:
            merged[-1] = merged[-1][0] + n, VECTOR
        elif n:
            merged.append((n, order))
    if len(merged) < 2:
        return merged[0][1] if merged else VECTOR
    return Layout(VECTOR.stored, ((0, tuple(merged)),))


def parts_in(order: Layout) -> list[Layout]:
    """The order, or those of the parts that a Concat puts one after the other, but for the original's."""
    return [part for _, parts in order.segments for _, part in parts if part != VECTOR] or [order]


def cut(order: Layout, lengths: Sequence[int]) -> list[Layout] | None:
    """The layouts of parts of a vector, ``None`` if these are not whole, one after the other, as stored."""
    rest = list(order.segments[0][1] if order.segments else ((sum(lengths), order),))
    parts: list[Layout] = []
    for length in lengths:
        mine: list[tuple[int, Layout]] = []
        while length:
            size, first = rest.pop(0)
            taken = resized(first, length) if size > length else first
            left = resized(first, size - length) if size > length else VECTOR
            if taken is None or left is None:
                return None
            rest[:0] = [(size - length, left)] if size > length else []
            mine.append((min(size, length), taken))
            length -= min(size, length)
        parts.append(joined(mine))
    return parts


def resized(order: Layout, length: int) -> Layout | None:
    """The same order of a part of a vector: of fewer of its outermost factor.

    ``None`` if there is none, or it does not come out even, or that factor is not stored first, so that the shorter
    vector is no part of the stored one.
    """
    if order == VECTOR:
        return order
    if order.segments:
        return None
    outermost = max(order.stored[0], key=lambda f: f.stride)
    if length % outermost.stride or order.stored[0][0] != outermost:
        return None
    factors = [f._replace(size=length // f.stride) if f == outermost else f for f in order.stored[0]]
    return vector(factors)
