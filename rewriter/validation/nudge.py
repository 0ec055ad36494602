"""Numbers with their last bits changed."""

from collections.abc import Mapping

import ml_dtypes
import numpy as np

from rewriter.validation.compare import RTOL, Array, DType
from rewriter.validation.noise import NOISE_LIMIT


def nudged(
    feed: Mapping[str, Array], rng: np.random.Generator, bits: int = 1, types: Mapping[str, DType] | None = None
) -> dict[str, Array]:
    """``feed`` with the last bits of every float moved at random; zeros (padding, masks), NaN and inf stay.

    ``types``: coarser ones than their own in which inputs are moved, by name.
    """

    def nudge(array: Array) -> Array:
        if array.dtype not in RTOL:
            return array
        kind = ml_dtypes.finfo(array.dtype)  # type: ignore[no-untyped-call]
        # Not to inf, which not every float8 has.
        towards = np.where(rng.random(array.shape) < 0.5, -kind.max, kind.max).astype(array.dtype)
        moved = array
        for _ in range(bits if bits * kind.eps < NOISE_LIMIT else 1):  # several bits of a float8 are most of it
            moved = np.nextafter(moved, towards)
        return np.where(np.isfinite(array) & (array != 0), moved, array)

    kinds = {name: (types or {}).get(name, array.dtype) for name, array in feed.items()}
    return {name: nudge(array.astype(kinds[name])).astype(array.dtype) for name, array in feed.items()}
