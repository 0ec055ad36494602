"""Numbers at which code that is right for most goes wrong: ties, zeros of both signs, denormals, infinities, NaN."""

from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# Whose results for infinities and NaN depend on the order in which an engine comes to them, so on the layout
NUMBERS_ONLY = {
    "MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin",  # the larger of a number and NaN is the one or the other
    "ArgMax", "ArgMin", "TopK",
    "DynamicQuantizeLinear",  # takes least and largest, too
    "ReduceProd",  # 0 * inf, or a denormal that has become 0
    "DeformConv",  # offsets without end
    "Hardmax",  # as ArgMax
    "Resize", "Upsample",  # 0 * inf, where a weight is 0: not every kernel multiplies by it
}  # fmt: skip
# With other data they give other shapes than are declared
SHAPED_BY_DATA = {"NonZero", "Unique", "NonMaxSuppression", "Compress", "Resize", "Upsample"}


def edged(array: Array, rng: np.random.Generator, endless: bool) -> Array:
    """The array with a third of its elements equal, an eighth zeros or denormals and, if ``endless``, an eighth
    infinities or NaN; integers are only tied, and anything else stays."""
    if array.dtype.kind not in "fiu" or not array.size:
        return array
    made, draw = array.copy(), rng.random(array.shape)
    made[draw < 1 / 3] = array.flat[0]
    if array.dtype.kind == "f":
        tiny = float(ml_dtypes.finfo(array.dtype).smallest_subnormal)  # type: ignore[no-untyped-call]
        _put(made, draw > 7 / 8, rng, [0.0, -0.0, tiny, -tiny * 3])
        if endless:
            _put(made, (draw > 6 / 8) & (draw < 7 / 8), rng, [np.inf, -np.inf, np.nan])
    return made


def _put(array: Array, where: NDArray[np.bool_], rng: np.random.Generator, numbers: list[float]) -> None:
    array[where] = rng.choice(np.asarray(numbers, array.dtype), int(where.sum()))
