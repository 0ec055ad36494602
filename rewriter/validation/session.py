"""onnxruntime as the validator needs it: sessions with numpy in and out."""

import contextlib
import ctypes
import math
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from google.protobuf.message import EncodeError

from rewriter.errors import CouldNotValidate, RunFailed
from rewriter.validation.compare import RTOL, Array
from rewriter.validation.providers import PROVIDERS, full_name, require, runtime

Feed = dict[str, Array]
Level = Literal["disabled", "default"]

LEVELS: dict[Level, str] = {"disabled": "ORT_DISABLE_ALL", "default": "ORT_ENABLE_ALL"}


@dataclass(frozen=True)
class Input:
    """A graph input; an open dimension is a name or ``None``, and the shape ``[]`` if the rank is unknown."""

    name: str
    type: str
    shape: list[int | str | None]


class Session:
    """One model on one provider at one optimisation level.

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
            chosen = PROVIDERS[provider]
            self._session: Any = ort.InferenceSession(model, options, providers=chosen, enable_fallback=0)
        except Exception as error:  # onnxruntime's errors have no narrower base
            raise RunFailed(_short(error)) from error
        if self._session.get_providers()[0] != full_name(provider):
            raise CouldNotValidate(
                f"This onnxruntime has {provider.upper()} but cannot start it here: check the GPU, its "
                "driver and the CUDA and cuDNN libraries, or validate with another provider."
            )
        self.inputs = [Input(node.name, node.type, list(node.shape)) for node in self._session.get_inputs()]
        self.outputs: list[str] = [node.name for node in self._session.get_outputs()]
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

    def run(self, feed: Feed) -> list[Any]:
        """The outputs in order: arrays, lists of arrays for sequences, ``None`` for an empty optional.

        Raises ``RunFailed``.
        """
        feed = {name: np.asarray(array, order="C") for name, array in feed.items()}
        try:
            if not self._has_foreign_types():
                return list(self._session.run(None, feed))
            values = {name: _ort_value(array) for name, array in feed.items()}
            return [_from_ort_value(value) for value in self._session.run_with_ort_values(None, values)]
        except Exception as error:  # onnxruntime's errors have no narrower base
            raise RunFailed(_short(error)) from error

    def _has_foreign_types(self) -> bool:
        """Whether an input or output has a type that numpy itself lacks, such as bfloat16."""
        nodes = [*self._session.get_inputs(), *self._session.get_outputs()]
        dtypes = [dtype_of(node.type) for node in nodes]
        return any(dtype is not None and dtype.isbuiltin == 2 for dtype in dtypes)


def source(model: onnx.ModelProto | str | Path, stack: contextlib.ExitStack) -> bytes | str:
    """What a ``Session`` loads ``model`` from; a temporary file, if one is needed, lives as long as ``stack``.

    A ``ModelProto`` must hold its weights itself. Raises ``CouldNotValidate`` if there is no such file.
    """
    if not isinstance(model, onnx.ModelProto):
        if not Path(model).is_file():
            raise CouldNotValidate(f"There is no model file {model}: check the path.")
        return str(model)
    serialized = _serialized(model)
    if serialized is not None:
        return serialized
    path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "model.onnx"
    copy = onnx.ModelProto()  # saving moves the weights out of the model it is given
    copy.CopyFrom(model)
    onnx.save_model(copy, path, save_as_external_data=True, location="weights")
    return str(path)


def _serialized(model: onnx.ModelProto) -> bytes | None:
    """``None`` if it is over the 2 GB that protobuf can write."""
    try:
        return bytes(model.SerializeToString())
    except (EncodeError, ValueError):  # which of them, depends on the version of protobuf
        return None


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


def _ort_value(array: Array) -> Any:
    values = runtime().OrtValue
    if array.dtype.isbuiltin != 2:
        return values.ortvalue_from_numpy(array)
    onnx_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return values.ortvalue_from_numpy_with_onnx_type(array, onnx_type)


def _from_ort_value(value: Any) -> Any:
    dtype = dtype_of(value.data_type())
    if not value.has_value():
        return None
    if dtype is None or dtype.isbuiltin != 2:
        return value.numpy()
    if dtype not in RTOL or value.device_name() != "cpu":
        raise TypeError(f"an output of type {value.data_type()} on {value.device_name()} cannot be read")
    # OrtValue.numpy() refuses bfloat16 and gives float8 as uint8.
    data = ctypes.string_at(value.data_ptr(), math.prod(value.shape()) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(value.shape())
