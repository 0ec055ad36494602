"""The difference between two results of a model, as numpy arrays."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

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
    """Where two results differ most, and by how much.

    ``absolute``: inf if the difference is no number (another shape or type, a NaN, a string). ``scale``: the largest
    finite magnitude of the expected output, 1 if that is 0. ``rtol``: the default tolerance for the output's type, as a
    fraction of the scale, 0 if the type is exact. ``index``: ``None`` if they are equal or differ as a whole.
    ``text``: what is wrong, as in "is 2.0 instead of 1.0".
    """

    absolute: float = 0.0
    scale: float = 1.0
    rtol: float = 0.0
    index: tuple[int, ...] | None = None
    text: str = ""

    @property
    def relative(self) -> float:
        """The difference as a fraction of the scale."""
        return self.absolute / self.scale


def pairs(name: str, expected: Any, got: Any) -> Iterator[tuple[str, Any, Any]]:
    """Two results side by side; sequences of the same length come item by item, as ``name[0]`` and so on."""
    if not (isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got)):
        yield name, expected, got
        return
    for i, (one, other) in enumerate(zip(expected, got, strict=True)):
        yield from pairs(f"{name}[{i}]", one, other)


def difference(expected: Any, got: Any) -> Difference:
    """The largest difference of ``got`` to ``expected``: arrays, ``None``, or what else a session gives."""
    if not (isinstance(expected, np.ndarray) and isinstance(got, np.ndarray)):
        same = type(expected) is type(got) and expected == got
        return Difference() if same else _whole(f"is {_kind(got)} instead of {_kind(expected)}")
    if expected.dtype != got.dtype:
        return _whole(f"has type {got.dtype} instead of {expected.dtype}")
    if expected.shape != got.shape:
        return _whole(f"has shape {list(got.shape)} instead of {list(expected.shape)}")
    if expected.size == 0:
        return Difference()
    return _of_floats(expected, got) if expected.dtype in RTOL else _of_exact(expected, got)


def _of_floats(expected: Array, got: Array) -> Difference:
    wide, other = (array.astype(np.float64).reshape(-1) for array in (expected, got))
    finite = np.isfinite(wide) & np.isfinite(other)
    same = (wide == other) | np.isnan(wide) & np.isnan(other)
    no_number = ~finite & ~same
    if no_number.any():
        return _at(int(np.argmax(no_number)), expected, got, math.inf)
    errors = np.abs(np.subtract(wide, other, where=finite, out=np.zeros_like(wide)))
    magnitudes = np.abs(wide[np.isfinite(wide)])
    scale = float(magnitudes.max(initial=0.0)) or 1.0
    worst = int(np.argmax(errors))
    return _at(worst, expected, got, float(errors[worst]), scale)


def _of_exact(expected: Array, got: Array) -> Difference:
    differs = (expected != got).reshape(-1)
    if not differs.any():
        return Difference()
    if expected.dtype.kind not in "iub":
        return _at(int(np.argmax(differs)), expected, got, math.inf)
    # float64 may miss the difference of large integers, which is at least 1.
    wide, other = (array.astype(np.float64).reshape(-1) for array in (expected, got))
    errors = differs * np.maximum(1.0, np.abs(wide - other))
    worst = int(np.argmax(errors))
    scale = float(np.abs(wide).max()) or 1.0
    return _at(worst, expected, got, float(errors[worst]), scale)


def _at(flat: int, expected: Array, got: Array, absolute: float, scale: float = 1.0) -> Difference:
    rtol = RTOL.get(expected.dtype, 0.0)
    if absolute == 0:
        return Difference(0.0, scale, rtol)
    index = tuple(int(i) for i in np.unravel_index(flat, expected.shape))
    return Difference(absolute, scale, rtol, index, f"is {got[index]} instead of {expected[index]}")


def _whole(text: str) -> Difference:
    return Difference(math.inf, text=text)


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return f"a sequence of {len(value)}"
    return "empty" if value is None else f"a {type(value).__name__}"
