"""PyTorch's files: a plain dict of tensors, which ``torch.load(weights_only=True)`` reads (the extra ``torch``)."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import ml_dtypes
import numpy as np

from rewriter.errors import UsageError
from rewriter.extras import needed
from rewriter.weights.letters import Array
from rewriter.weights.manifest import Export

# types that PyTorch has and NumPy has not: torch's name, the NumPy type of its elements, what both know of that width
OTHERS: dict[str, tuple[Any, str]] = {
    "bfloat16": (ml_dtypes.bfloat16, "int16"),
    "float8_e4m3fn": (ml_dtypes.float8_e4m3fn, "uint8"),
    "float8_e5m2": (ml_dtypes.float8_e5m2, "uint8"),
}


def write_pt(export: Export, path: Path) -> None:
    """For ``module.load_state_dict(torch.load(path))``. Raises UsageError without PyTorch, or on a type it lacks."""
    torch = needed("torch", "torch", path)
    try:
        tensors = {name: to_torch(torch, array) for name, array in export.tensors.items()}
    except TypeError as error:
        raise UsageError(f"{path}: PyTorch has no tensors of such a type ({error}): write .safetensors") from None
    torch.save(tensors, path)


def read_pt(path: Path) -> dict[str, Array]:
    """The tensors of a state dict, or of the one in a checkpoint; no code of the file is run. Raises UsageError."""
    torch = needed("torch", "torch", path)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:
        raise UsageError(
            f"{path}: it holds more than tensors, which only code of its own can read: save model.state_dict() instead"
        ) from None
    tensors = state_dict(torch, held)
    if not tensors:
        raise UsageError(f"{path}: no state dict is in it, or more than one: save model.state_dict() alone")
    return {name: to_numpy(torch, tensor) for name, tensor in tensors.items()}


def state_dict(torch: Any, held: Any) -> dict[str, Any]:
    """The tensors by name, of a dict that holds some, or of the only dict in it that does; else none."""
    entries = held if isinstance(held, dict) else {}
    tensors = {str(name): value for name, value in entries.items() if torch.is_tensor(value)}
    inner = [found for value in entries.values() if (found := state_dict(torch, value))]
    return tensors or (inner[0] if len(inner) == 1 else {})


def to_torch(torch: Any, array: Array) -> Any:
    """A tensor of its own memory. Raises TypeError on a type that PyTorch lacks."""
    if (name := str(array.dtype)) in OTHERS:
        return torch.from_numpy(array.view(OTHERS[name][1]).copy()).view(getattr(torch, name))
    return torch.from_numpy(np.array(array))


def to_numpy(torch: Any, tensor: Any) -> Array:
    """An array of a tensor of any type."""
    plain, name = tensor.detach().contiguous(), str(tensor.dtype).removeprefix("torch.")
    if name not in OTHERS:
        return np.asarray(plain.numpy())
    dtype, width = OTHERS[name]
    return np.asarray(plain.view(getattr(torch, width)).numpy()).view(dtype)
