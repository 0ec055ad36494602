"""Arrays from tensors of frameworks, and PyTorch's tensors from arrays."""

import sys
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from rewriter.errors import UsageError
from rewriter.weights.coercion import shown

NO_NUMBERS = "OSUMm"  # kinds of NumPy types: objects, text, times
# types that PyTorch has and NumPy has not: torch's name, the NumPy type of its elements, what both know of that width
OTHERS: dict[str, tuple[Any, str]] = {
    "bfloat16": (ml_dtypes.bfloat16, "int16"),
    "float8_e4m3fn": (ml_dtypes.float8_e4m3fn, "uint8"),
    "float8_e5m2": (ml_dtypes.float8_e5m2, "uint8"),
}


def array_of(value: Any, argument: str = "array") -> NDArray[Any]:
    """A NumPy array of an array, or of a tensor or variable of PyTorch, TensorFlow or JAX, wherever it is.

    Raises UsageError on what has no numbers in memory.
    """
    torch = sys.modules.get("torch")  # only who has imported it holds its tensors
    try:
        array = to_numpy(torch, value) if torch is not None and torch.is_tensor(value) else np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"{argument} is {shown(value)}, which is no array of numbers ({' '.join(str(error).split())})"
        ) from None
    if array.dtype.kind in NO_NUMBERS:
        raise UsageError(f"{argument} is {shown(value)}: give an array or a tensor of numbers")
    return array


def to_torch(torch: Any, array: NDArray[Any]) -> Any:
    """A tensor of its own memory. Raises TypeError on a type that PyTorch lacks."""
    if (name := str(array.dtype)) in OTHERS:
        return torch.from_numpy(array.view(OTHERS[name][1]).copy()).view(getattr(torch, name))
    return torch.from_numpy(np.array(array))


def to_numpy(torch: Any, tensor: Any) -> NDArray[Any]:
    """An array of a tensor of any type, on any device."""
    plain, name = tensor.detach().cpu().contiguous(), str(tensor.dtype).removeprefix("torch.")
    if name not in OTHERS:
        return np.asarray(plain.numpy(force=True))  # conjugates that are not computed yet, too
    dtype, width = OTHERS[name]
    return np.asarray(plain.view(getattr(torch, width)).numpy()).view(dtype)
