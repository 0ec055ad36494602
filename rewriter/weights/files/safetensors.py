"""Tensors of .safetensors files, of types that NumPy lacks too."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import safetensors

from rewriter.errors import UsageError
from rewriter.weights.tensors.letters import Array

NUMBERS = [np.dtype(code) for code in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1")]
DTYPES: dict[str, Any] = {f"{dtype.kind}{8 * dtype.itemsize}".upper(): dtype for dtype in NUMBERS} | {
    "BOOL": np.bool_,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}


def safetensors_arrays(path: Path) -> dict[str, Array]:
    """Its tensors, of any type. Raises what safetensors does."""
    tensors = safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    return {n: np.frombuffer(t["data"], DTYPES[t["dtype"]]).reshape(t["shape"]) for n, t in tensors}


def safetensors_checkpoint(path: Path) -> dict[str, Array]:
    """Tensors in PyTorch's layout. Raises UsageError on a file that says it has another framework's."""
    with safetensors.safe_open(path, framework="np") as opened:
        format_ = (opened.metadata() or {}).get("format", "pt")
    if format_ != "pt":
        raise UsageError(f"{path}: it has weights in the layout of {format_!r}; give one of PyTorch's")
    return safetensors_arrays(path)
