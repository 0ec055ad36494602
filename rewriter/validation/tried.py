"""Layouts that nobody tells: found by shape, and by trying which makes the data agree."""

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from passes.layout import perm
from passes.layout.layout import Layout, natural, permuted
from passes.layout.perm import Perm
from rewriter.validation.compare import RTOL, Array

MOST_AXES = 6  # of which every perm is tried
PROBES = 4096  # elements that are looked at for each perm
CLOSE = 1e-3  # mean error, as a fraction of the scale, with which two are one value in this layout


def arrangement(expected: Any, got: Any) -> Layout | None:
    """The layout in which the second value is the first; if it is in none, the first one that fits.

    ``None`` if it holds the same elements in an order that no perm explains.
    """
    error, layout = likeness(expected, got)
    if error <= CLOSE:
        return layout
    return None if _has_same_elements(expected, got) else _first(expected, got)


def likeness(expected: Any, got: Any) -> tuple[float, Layout]:
    """The mean error of the second value, as a fraction of its scale, in the layout in which it is the least."""
    if not (isinstance(expected, np.ndarray) and isinstance(got, np.ndarray)):
        return 0.0, natural(None)
    perms = [*fitting_perms(expected.shape, got.shape)] if expected.dtype == got.dtype else []
    if not perms:
        return np.inf, natural(expected.ndim)
    errors = [_error(expected, got, p) for p in perms]
    best = min(errors)
    return best, permuted(perms[errors.index(best)])


def _first(expected: Array, got: Array) -> Layout:
    return next(map(permuted, fitting_perms(expected.shape, got.shape)), natural(expected.ndim))


def fitting_perms(before: Sequence[Any], after: Sequence[Any]) -> Iterator[Perm]:
    """The perms that make one shape the other, those that people use first; symbols fit anything."""
    rank = len(before)
    if rank != len(after):
        return
    known = [perm.identity(rank), *([perm.channels_last(rank), perm.channels_first(rank)] if rank > 2 else [])]
    every = permutations(range(rank)) if rank <= MOST_AXES else ()
    for p in dict.fromkeys([*known, *every]):
        if is_alike(perm.reorder(p, before), after):
            yield p


def is_alike(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two shapes may be the same; symbols fit anything."""
    numbers = (isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(one, other, strict=False))
    return len(one) == len(other) and not any(numbers)


def _error(expected: Array, got: Array, p: Perm) -> float:
    """How far elements of both are apart, on the average."""
    if not expected.ndim:
        expected, got, p = expected.reshape(-1), got.reshape(-1), (0,)
    if not got.size:
        return 0.0
    places = np.linspace(0, got.size - 1, min(PROBES, got.size)).astype(np.intp)
    index = np.unravel_index(places, got.shape)
    one, other = expected.transpose(p)[index], got[index]
    if expected.dtype not in RTOL:
        return float(np.mean(one != other))
    wide, also = one.astype(np.float64), other.astype(np.float64)
    same = (wide == also) | np.isnan(wide) & np.isnan(also)
    scale = float(np.abs(wide).max(initial=0.0, where=np.isfinite(wide))) or 1.0
    with np.errstate(invalid="ignore"):
        errors = np.where(same, 0.0, np.minimum(np.nan_to_num(np.abs(wide - also), nan=np.inf) / scale, 2.0))
    return float(np.mean(errors))


def _has_same_elements(expected: Any, got: Any) -> bool:
    if expected.size != got.size or expected.dtype != got.dtype:
        return False
    one, other = np.sort(expected, axis=None), np.sort(got, axis=None)
    if expected.dtype not in RTOL:
        return bool((one == other).all())
    scale = float(np.abs(one.astype(np.float64)).max(initial=0.0)) or 1.0
    return bool(np.allclose(one.astype(np.float64), other.astype(np.float64), 0, CLOSE * scale, equal_nan=True))
