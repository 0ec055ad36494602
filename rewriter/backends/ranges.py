"""Scales and zero points as ranges, from which TensorFlow's converter computes exactly these again.

It takes ``scale = (high - low) / (highest - lowest)`` in float64 of ends in float32, and rounds
``lowest - low / scale`` to a zero point (``FakeQuantSupport.cpp`` of MLIR). TFLite's integers
are int8; uint8 is that, shifted by 128.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from passes.layout.edit import Array

RANGES = "rewriter.ranges"  # the domain of nodes that say what the converter is to see
LOWEST, HIGHEST, SHIFT = -128, 127, 128
SMALLEST, LARGEST = 1e-15, 1e30  # scales; below, the converter takes a range for that of zeros


@dataclass(frozen=True)
class Range:
    """Scales, of which there is one for each place along the last axis or one for all, and a zero point, of int8.

    ``is_narrow``: of -127 to 127, as TFLite has weights.
    """

    scales: tuple[float, ...]
    zero: int
    is_narrow: bool = False

    @cached_property
    def ends(self) -> tuple[list[float], list[float]]:
        """The lowest and the highest numbers, float32, for each scale."""
        both = [_ends(scale, self.zero, LOWEST + self.is_narrow) for scale in self.scales]
        return [low for low, _ in both], [high for _, high in both]


def _ends(scale: float, zero: int, lowest: int) -> tuple[float, float]:
    """The larger end is rounded towards 0, and the other takes the rest, so that their difference is right.

    So an end that is 0 becomes one just beyond, never a range without 0, and the zero point stays.
    """
    width = (HIGHEST - lowest) * scale
    if HIGHEST - zero >= zero - lowest:
        high = _inwards((HIGHEST - zero) * scale)
        return float(np.float32(high - width)), high
    low = _inwards((lowest - zero) * scale)
    return low, float(np.float32(low + width))


def _inwards(exact: float) -> float:
    near = np.float32(exact)
    return float(near if abs(float(near)) <= abs(exact) else np.nextafter(near, np.float32(0)))


def as_int8(integers: Array) -> Array:
    """Integers or zero points of int8 or uint8 as those of int8, in int32."""
    return integers.astype(np.int32) - (SHIFT if integers.dtype == np.uint8 else 0)
