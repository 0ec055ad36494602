"""onnxruntime and its execution providers: which there are, and whether they are to be had here."""

import contextlib
import io
from importlib.metadata import distributions
from typing import Any

from rewriter.errors import CouldNotValidate

# TF32 keeps 10 bits of the mantissa: its error would drown any that a rewrite makes.
PROVIDERS: dict[str, list[Any]] = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": [("CUDAExecutionProvider", {"use_tf32": 0}), "CPUExecutionProvider"],
}


# Both distributions are the package onnxruntime: together they are whichever was written last, and removing one breaks
# the other. Without a dependency on either, `pip install .` would not do.
BUILDS = {"onnxruntime", "onnxruntime-gpu"}
CURE = "run `pip uninstall -y onnxruntime onnxruntime-gpu`, then `pip install onnxruntime-gpu`"


def runtime() -> Any:
    """onnxruntime, imported when it is first needed: a fault of usage or of a file is told without it.

    Raises ``CouldNotValidate`` if another build was removed from beneath it.
    """
    import onnxruntime

    if not hasattr(onnxruntime, "InferenceSession"):
        raise CouldNotValidate(f"The installed onnxruntime is not complete: {CURE} (or onnxruntime, without CUDA).")
    return onnxruntime


def require(provider: str) -> None:
    """Raises ``CouldNotValidate`` if the provider is not to be had in this onnxruntime."""
    if provider not in PROVIDERS:
        raise CouldNotValidate(f"There is no provider {provider!r}: choose among {', '.join(PROVIDERS)}.")
    if full_name(provider) not in runtime().get_available_providers():
        builds = BUILDS & {distribution.name for distribution in distributions()}
        cause = ", since onnxruntime and onnxruntime-gpu are installed over each other" if builds == BUILDS else ""
        raise CouldNotValidate(
            f"{provider.upper()} is not in this onnxruntime build{cause}: {CURE}, or validate with another provider."
        )
    if provider == "cuda":
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
            runtime().preload_dlls()  # finds the CUDA and cuDNN libraries that were installed by pip


def full_name(provider: str) -> str:
    """onnxruntime's name of a provider."""
    first = PROVIDERS[provider][0]
    return str(first if isinstance(first, str) else first[0])
