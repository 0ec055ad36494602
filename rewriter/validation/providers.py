"""onnxruntime and its execution providers: which there are, and whether they are to be had here."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from rewriter.errors import CouldNotValidate

# TF32 keeps 10 bits of the mantissa: its error would drown any that a rewrite makes.
PROVIDERS: dict[str, list[Any]] = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": [("CUDAExecutionProvider", {"use_tf32": 0}), "CPUExecutionProvider"],
}


def runtime() -> Any:
    """onnxruntime, imported when it is first needed: a fault of usage or of a file is told without it."""
    import onnxruntime

    return onnxruntime


def require(provider: str) -> None:
    """Raises `CouldNotValidate` if this onnxruntime cannot have the provider."""
    if provider not in PROVIDERS:
        raise CouldNotValidate(f"There is no provider {provider!r}: choose among {', '.join(PROVIDERS)}.")
    if full_name(provider) not in runtime().get_available_providers():
        raise CouldNotValidate(
            f"{provider.upper()} is not in this onnxruntime build: install one that has it (onnxruntime-gpu "
            "for CUDA), or validate with another provider."
        )
    if provider == "cuda":
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
            runtime().preload_dlls()  # finds the CUDA and cuDNN libraries that were installed by pip


def full_name(provider: str) -> str:
    """onnxruntime's name of a provider."""
    first = PROVIDERS[provider][0]
    return str(first if isinstance(first, str) else first[0])
