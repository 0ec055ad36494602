"""Factors of axes: what layouts and Reshapes divide an axis into."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from passes.refusal import Refusal


class Factor(NamedTuple):
    """``size`` places along an original's ``axis``, ``stride`` elements apart; without a size, the whole axis."""

    axis: int
    stride: int = 1
    size: int | None = None


Factors = tuple[Factor, ...]


def refined(factors: Iterable[Factor], strides: Iterable[int]) -> Factors:
    """The factors of an axis, divided further where the others' ``strides`` lie within. Refuses if that is not even."""
    cuts = sorted(set(strides), reverse=True)
    parts: list[Factor] = []
    for f in factors:
        end = f.stride * (f.size or 1)
        for stride in [n for n in cuts if f.stride < n < end] + [f.stride]:
            if end % stride or stride % f.stride:
                raise Refusal(f"axis {f.axis} is split across the order of its elements")
            parts.append(Factor(f.axis, stride, end // stride))
            end = stride
    return tuple(parts)


def merge_factors(factors: Iterable[Factor], lengths: Mapping[int, int]) -> Factors:
    """Factors that follow each other as in the original are one; all of an axis together is the whole axis."""
    merged: list[Factor] = []
    for f in factors:
        last = merged[-1] if merged else None
        if last and last.axis == f.axis and f.size and last.size and last.stride == f.stride * f.size:
            merged[-1] = Factor(f.axis, f.stride, last.size * f.size)
        else:
            merged.append(f)
    return tuple(Factor(f.axis) if f.size is not None and f.size == lengths.get(f.axis) else f for f in merged)
