"""The difference between two results of a model, as numpy arrays."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
DType = np.dtype[Any]

# the float types, and how far two right results may differ, as a fraction of the output's scale
RTOL = {
    np.dtype(np.float64): 1e-12,
    np.dtype(np.float32): 1e-5,
    np.dtype(np.float16): 2e-3,
    np.dtype(ml_dtypes.bfloat16): 2e-2,
    np.dtype(ml_dtypes.float8_e4m3fn): 0.13,  # the float8 types: their last bit
    np.dtype(ml_dtypes.float8_e4m3fnuz): 0.13,
    np.dtype(ml_dtypes.float8_e5m2): 0.26,
    np.dtype(ml_dtypes.float8_e5m2fnuz): 0.26,
}


@dataclass(frozen=True)
class Difference:
    """Where two results differ most, and by how much."""

    absolute: float = 0.0  # inf if the difference is no number (another shape or type, a NaN, a string)
    scale: float = 1.0  # the largest finite magnitude of the expected output, 1 if that is 0
    rtol: float = 0.0  # the default tolerance for the type, as a fraction of the scale, 0 if it is exact
    index: tuple[int, ...] | None = None  # None if they are equal or differ as a whole
    text: str = ""  # what is wrong: "is 2.0 instead of 1.0"
    share: float = 0.0  # of the elements that differ by more than the limit
    within: float = 0.0  # the largest difference up to the limit, as a fraction of the scale

    @property
    def relative(self) -> float:
        """The difference as a fraction of the scale."""
        return self.absolute / self.scale


def pairs(name: str, expected: Any, got: Any) -> Iterator[tuple[str, Any, Any]]:
    """Two results by name; sequences of the same length item by item, as ``name[0]`` and so on."""
    if not (isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got)):
        yield name, expected, got
        return
    for i, (one, other) in enumerate(zip(expected, got, strict=True)):
        yield from pairs(f"{name}[{i}]", one, other)


def unlike(text: str, share: float = math.inf) -> Difference:
    """The difference of what cannot be compared; noise may make it of all elements (1), else it is more than all."""
    return Difference(math.inf, text=text, share=share)


def difference(expected: Any, got: Any, limit: float = 0.0, others: Sequence[Array] = ()) -> Difference:
    """The largest difference of ``got`` to ``expected``: arrays, ``None``, or what else a session gives.

    ``limit``, as a fraction of the scale: of floats, what counts as within. ``others``: what may be there as well as
    ``expected``, element by element, where it is a number.
    """
    if not (isinstance(expected, np.ndarray) and isinstance(got, np.ndarray)):
        same = type(expected) is type(got) and expected == got
        share = 1.0 if isinstance(expected, list) and isinstance(got, list) else math.inf
        return Difference() if same else unlike(f"is {_kind(got)} instead of {_kind(expected)}", share)
    if expected.dtype != got.dtype:
        return unlike(f"has type {got.dtype} instead of {expected.dtype}")
    fitting = [one for one in (expected, *others) if one.shape == got.shape]
    if not fitting:
        share = 1.0 if expected.ndim == got.ndim else math.inf
        return unlike(f"has shape {list(got.shape)} instead of {list(expected.shape)}", share)
    if got.size == 0:
        return Difference()
    expected = fitting[0]
    errors, scale = _errors(expected, got)
    for other in fitting[1:]:
        errors = np.where(_is_number(got), np.minimum(errors, _errors(other, got)[0]), errors)
    rtol = RTOL.get(expected.dtype, 0.0)
    beyond = errors > (limit * scale if rtol else 0.0)
    share, within = float(np.mean(beyond)), float(errors.max(initial=0.0, where=~beyond)) / scale
    index = tuple(int(i) for i in np.unravel_index(np.argmax(errors), errors.shape))
    if errors[index] == 0:
        return Difference(0.0, scale, rtol)
    text = f"is {got[index]} instead of {expected[index]}"
    return Difference(float(errors[index]), scale, rtol, index, text, share, within)


def _is_number(array: Array) -> Array:
    return np.isfinite(array.astype(np.float64)) if array.dtype in RTOL else np.ones(array.shape, np.bool_)


def _errors(expected: Array, got: Array) -> tuple[Array, float]:
    """The error of each element, inf where it is no number, and the scale."""
    differs = np.asarray(expected != got)
    if expected.dtype not in RTOL and expected.dtype.kind not in "iub":
        return np.where(differs, math.inf, 0.0), 1.0
    wide, other = expected.astype(np.float64), got.astype(np.float64)
    scale = float(np.abs(wide).max(initial=0.0, where=np.isfinite(wide))) or 1.0
    if expected.dtype not in RTOL:  # float64 may miss the difference of large integers, which is at least 1
        return differs * np.maximum(1.0, np.abs(wide - other)), scale
    finite = np.isfinite(wide) & np.isfinite(other)
    same = (wide == other) | np.isnan(wide) & np.isnan(other)
    errors = np.subtract(wide, other, where=finite, out=np.where(same, 0.0, math.inf))
    return np.abs(errors), scale


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return f"a sequence of {len(value)}"
    return "empty" if value is None else f"a {type(value).__name__}"
