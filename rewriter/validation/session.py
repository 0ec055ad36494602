"""onnxruntime as the validator needs it: its execution providers, and sessions with numpy in and out."""

import contextlib
import ctypes
import io
import math
import re
import tempfile
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from rewriter.errors import CouldNotValidate, RunFailed
from rewriter.files import writer
from rewriter.files.reader import load
from rewriter.files.whole import folder_beside
from rewriter.steps import step
from rewriter.validation.compare import RTOL, Array

Feed = dict[str, Array]
Level = Literal["disabled", "default"]

LEVELS: dict[Level, str] = {"disabled": "ORT_DISABLE_ALL", "default": "ORT_ENABLE_ALL"}

# TF32 keeps 10 bits of the mantissa: its error would drown any that a rewrite makes.
PROVIDERS: dict[str, list[tuple[str, dict[str, int]]]] = {
    "cpu": [("CPUExecutionProvider", {})],
    "cuda": [("CUDAExecutionProvider", {"use_tf32": 0}), ("CPUExecutionProvider", {})],
}

# Both distributions are the package onnxruntime: together they are whichever was written last, and removing one breaks
# the other. Without a dependency on either, `pip install .` would not do.
BUILDS = {"onnxruntime", "onnxruntime-gpu"}
CURE = "run `pip uninstall -y onnxruntime onnxruntime-gpu`, then `pip install onnxruntime-gpu`"


def runtime() -> Any:
    """onnxruntime. Raises ``CouldNotValidate`` if another build was removed from beneath it."""
    import onnxruntime  # when it is first needed: a fault of usage or of a file is told without it

    if not hasattr(onnxruntime, "InferenceSession"):
        raise CouldNotValidate(f"The installed onnxruntime is not complete: {CURE} (or onnxruntime, without CUDA).")
    return onnxruntime


def missing(provider: str) -> str | None:
    """Why a provider is not to be had in this onnxruntime, in a few words."""
    if full_name(provider) in runtime().get_available_providers():
        return None
    builds = BUILDS & {distribution.name for distribution in distributions()}
    cause = ", since onnxruntime and onnxruntime-gpu are installed over each other" if builds == BUILDS else ""
    return f"{provider.upper()} is not in this onnxruntime build{cause}"


def require(provider: str) -> None:
    """Raises ``CouldNotValidate`` if the provider is not to be had in this onnxruntime."""
    if provider not in PROVIDERS:
        raise CouldNotValidate(f"There is no provider {provider!r}: choose among {', '.join(PROVIDERS)}.")
    fault = missing(provider)
    if fault is not None:
        raise CouldNotValidate(f"{fault}: {CURE}, or validate with another provider.")
    if provider == "cuda":
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
            runtime().preload_dlls()  # finds the CUDA and cuDNN libraries that were installed by pip


def full_name(provider: str) -> str:
    """onnxruntime's name of a provider."""
    return PROVIDERS[provider][0][0]


class Session:
    """One model on one provider at one optimisation level.

    ``inputs``, and the outputs' ``specs``, have name, type and shape: an open dimension is a name or ``None``;
    ``[]`` if the rank is unknown.
    Raises ``RunFailed`` if the model does not load, ``CouldNotValidate`` if the provider is not to be had here.
    """

    def __init__(self, model: bytes | str, provider: str, level: Level) -> None:
        require(provider)
        ort = runtime()
        options = ort.SessionOptions()
        options.log_severity_level = 4  # errors come as exceptions, which say the same
        options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, LEVELS[level])
        try:
            # Without fallback: a run that fails on CUDA must not be repeated on the CPU in silence.
            with step(f"a model is loaded in onnxruntime on {provider}"):
                self._session = ort.InferenceSession(model, options, providers=PROVIDERS[provider], enable_fallback=0)
        except Exception as error:  # onnxruntime's errors have no narrower base
            raise RunFailed(_short(error)) from error
        if self._session.get_providers()[0] != full_name(provider):
            raise CouldNotValidate(
                f"This onnxruntime has {provider.upper()} but cannot start it here: check the GPU, its "
                "driver and the CUDA and cuDNN libraries, or validate with another provider."
            )
        self.inputs: list[Any] = self._session.get_inputs()
        outputs = self._session.get_outputs()
        self.outputs: list[str] = [spec.name for spec in outputs]
        self.specs: list[Any] = outputs
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._has_foreign_types = any(_is_foreign(dtype_of(spec.type)) for spec in (*self.inputs, *outputs))

    def run(self, feed: Feed) -> list[Any]:
        """The outputs: arrays, lists of arrays for sequences, ``None`` for an empty optional. Raises ``RunFailed``."""
        feed = {name: np.asarray(array, order="C") for name, array in feed.items()}
        try:
            with step("onnxruntime runs a model"):
                return self._run(feed)
        except Exception as error:  # onnxruntime's errors have no narrower base
            raise RunFailed(_short(error)) from error

    def _run(self, feed: Feed) -> list[Any]:
        if not self._has_foreign_types:
            return list(self._session.run(None, feed))
        values = {name: _ort_value(array) for name, array in feed.items()}
        return [_from_ort_value(value) for value in self._session.run_with_ort_values(None, values)]


def source(model: onnx.ModelProto | str | Path, stack: contextlib.ExitStack) -> bytes | str:
    """What a ``Session`` loads ``model`` from; a temporary file, if one is needed, lives as long as ``stack``.

    A ``ModelProto`` must hold its weights itself. Raises ``CouldNotValidate`` if there is no such file.
    """
    if not isinstance(model, onnx.ModelProto):
        if not Path(model).is_file():
            raise CouldNotValidate(f"There is no model file {model}: check the path.")
        if _is_text(str(model)):
            return str(model)
        model = load(model)
    if writer.weight_bytes(model) < writer.TWO_GIB:
        return bytes(model.SerializeToString())
    path = stack.enter_context(folder_beside(Path(tempfile.gettempdir()) / "model.onnx")) / "model.onnx"
    writer.save(model, path)
    return str(path)


def _is_text(path: str) -> bool:
    """Whether a path is UTF-8: onnxruntime takes no other."""
    return path == path.encode(errors="replace").decode()


def proto(model: bytes | str) -> onnx.ModelProto:
    """The model that a ``Session`` loads from this."""
    return onnx.ModelProto.FromString(model) if isinstance(model, bytes) else load(model)


def dtype_of(ort_type: str) -> np.dtype[Any] | None:
    """The dtype of ``"tensor(float)"`` and the like, ``object`` for strings; ``None`` if it is no tensor."""
    element = re.fullmatch(r"tensor\((\w+)\)", ort_type)
    onnx_types = dict(onnx.TensorProto.DataType.items())
    if element is None or element[1].upper() not in onnx_types:
        return None
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(onnx_types[element[1].upper()]))


def _short(error: Exception) -> str:
    """The message on one line, without onnxruntime's prefix, at most 300 characters."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(str(error).split()))
    return text.rstrip(".") if len(text) <= 300 else text[:299] + "…"


def _is_foreign(dtype: np.dtype[Any] | None) -> bool:
    """Whether numpy itself lacks the type, such as bfloat16."""
    return dtype is not None and dtype.isbuiltin == 2


def _ort_value(array: Array) -> Any:
    values = runtime().OrtValue
    if not _is_foreign(array.dtype):
        return values.ortvalue_from_numpy(array)
    onnx_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return values.ortvalue_from_numpy_with_onnx_type(array, onnx_type)


def _from_ort_value(value: Any) -> Any:
    dtype = dtype_of(value.data_type())
    if not value.has_value():
        return None
    if dtype is None or not _is_foreign(dtype):
        return value.numpy()
    if dtype not in RTOL or value.device_name() != "cpu":
        raise TypeError(f"an output of type {value.data_type()} on {value.device_name()} cannot be read")
    # OrtValue.numpy() refuses bfloat16 and gives float8 as uint8.
    data = ctypes.string_at(value.data_ptr(), math.prod(value.shape()) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(value.shape())
