"""Execution providers of onnxruntime: their names, options and tolerances, and whether they are to be had here."""

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rewriter.errors import CouldNotValidate, UsageError

CPU = "cpu"  # which every build has: what others are compared with
USUAL = (CPU, "cuda")  # on which is validated where nothing is said
# How far a right result in float32 may be from the CPU's, as a fraction of the output's scale.
GPU = 1e-4  # float32 in other algorithms (Winograd) and with fast functions
TF32 = 2e-3  # 10 bits of the mantissa, as many as of float16
HALF = 1e-2  # float16 between all operators, or, of some devices, less than that


@dataclass(frozen=True)
class Provider:
    """An execution provider: onnxruntime's name, what it is told, and how exact it is.

    ``rtol``: the least tolerance of outputs in float32 or coarser types, 0: that of the type. ``build``: the package of
    onnxruntime that has it, ``""`` if none on PyPI is known. ``cuda``: it loads the libraries of CUDA.
    """

    full: str
    rtol: float = 0.0
    options: Mapping[str, str] = field(default_factory=dict)
    build: str = ""
    cuda: bool = False

    @property
    def chain(self) -> list[tuple[str, dict[str, str]]]:
        """The providers of a session, in the order in which they are offered each node."""
        rest = [] if self.full == PROVIDERS[CPU].full else [(PROVIDERS[CPU].full, dict[str, str]())]
        return [(self.full, dict(self.options)), *rest]


# Options that make results coarser are off: their error would drown any that a rewrite makes.
PROVIDERS: dict[str, Provider] = {
    CPU: Provider("CPUExecutionProvider", build="onnxruntime"),
    "cuda": Provider("CUDAExecutionProvider", GPU, {"use_tf32": "0"}, "onnxruntime-gpu", cuda=True),
    "tensorrt": Provider("TensorrtExecutionProvider", TF32, {}, "onnxruntime-gpu", cuda=True),  # TF32 has no option
    "openvino": Provider("OpenVINOExecutionProvider", GPU, {"precision": "ACCURACY"}, "onnxruntime-openvino"),
    "dml": Provider("DmlExecutionProvider", GPU, {}, "onnxruntime-directml"),
    "coreml": Provider("CoreMLExecutionProvider", HALF, {}, "onnxruntime"),
    "xnnpack": Provider("XnnpackExecutionProvider"),
    "qnn": Provider("QNNExecutionProvider", HALF, {}, "onnxruntime-qnn"),
    "webgpu": Provider("WebGpuExecutionProvider", GPU),
}
COARSER = {
    ("use_tf32", "1"): TF32,
    ("use_tf32", "True"): TF32,
    ("trt_fp16_enable", "1"): HALF,
    ("precision", "FP16"): HALF,
}


def provider_of(spec: str) -> Provider:
    """The provider of ``NAME`` or ``NAME:OPTION=VALUE:...``, whose options are onnxruntime's own.

    Raises ``UsageError`` if there is no such name or an option has no value.
    """
    name, *pairs = spec.split(":")
    if name not in PROVIDERS:
        raise UsageError(f"{name!r} is not one of {', '.join(PROVIDERS)}")
    given = {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
    if not all(key and value for key, value in given.items()):
        raise UsageError(f"{spec!r}: write {name}:OPTION=VALUE")
    row = PROVIDERS[name]
    options = {**row.options, **given}
    return replace(row, options=options, rtol=max([row.rtol, *(COARSER.get(one, 0.0) for one in options.items())]))


def label(spec: str) -> str:
    """A provider as reports call it."""
    return spec.partition(":")[0].upper()


def runtime() -> Any:
    """onnxruntime. Raises ``CouldNotValidate`` if another build was removed from beneath it."""
    import onnxruntime  # when it is first needed: a fault of usage or of a file is told without it

    if not hasattr(onnxruntime, "InferenceSession"):
        cure = _cure(PROVIDERS["cuda"].build)
        raise CouldNotValidate(f"The installed onnxruntime is not complete: {cure} (or onnxruntime, without CUDA).")
    return onnxruntime


def missing(spec: str) -> str | None:
    """Why a provider is not to be had in this onnxruntime, in a few words."""
    if provider_of(spec).full in runtime().get_available_providers():
        return None
    builds = _builds()
    cause = f", since {' and '.join(builds)} are installed over each other" if len(builds) > 1 else ""
    return f"{label(spec)} is not in this onnxruntime build{cause}"


def require(spec: str) -> Provider:
    """The provider, ready to be used. Raises ``CouldNotValidate`` if it is not to be had in this onnxruntime."""
    try:
        provider = provider_of(spec)
    except UsageError as error:
        raise CouldNotValidate(f"There is no such provider: {error}.") from error
    fault = missing(spec)
    if fault is not None:
        cure = _cure(provider.build) if provider.build else "install a build of onnxruntime that has it"
        raise CouldNotValidate(f"{fault}: {cure}, or validate with another provider.")
    if provider.cuda:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
            runtime().preload_dlls()  # finds the CUDA and cuDNN libraries that were installed by pip
    return provider


# All builds are the package onnxruntime: together they are whichever was written last, and removing one breaks the
# other. Without a dependency on one, `pip install .` would not do.
def _builds() -> list[str]:
    from importlib.metadata import distributions

    known = {row.build for row in PROVIDERS.values()}
    return sorted(known & {distribution.name for distribution in distributions()})


def _cure(build: str) -> str:
    others = " ".join(dict.fromkeys([PROVIDERS[CPU].build, build]))
    return f"run `pip uninstall -y {others}`, then `pip install {build}`"
