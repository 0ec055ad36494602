"""onnxruntime as the validator needs it: sessions with numpy in and out, on a provider and no other."""

import contextlib
import ctypes
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from rewriter.errors import CouldNotValidate, RunFailed
from rewriter.files import writer
from rewriter.files.light import light
from rewriter.files.reader import load, once
from rewriter.steps import step
from rewriter.validation.compare import RTOL, Array
from rewriter.validation.providers import Provider, label, require, runtime

Feed = dict[str, Array]
Level = Literal["disabled", "default"]

LEVELS: dict[Level, str] = {"disabled": "ORT_DISABLE_ALL", "default": "ORT_ENABLE_ALL"}

RECORD = "session.record_ep_graph_assignment_info"  # onnxruntime's key


@dataclass(frozen=True)
class Placement:
    """How many nodes a session runs on its provider, and how many of each operator elsewhere."""

    own: int
    elsewhere: Mapping[str, int]


class Session:
    """One model on one provider at one optimisation level.

    ``inputs``, and the outputs' ``specs``, have name, type and shape: an open dimension is a name or ``None``;
    ``[]`` if the rank is unknown.
    Raises ``RunFailed`` if the model does not load, ``CouldNotValidate`` if the provider is not to be had here.
    """

    def __init__(self, model: bytes | str, provider: str, level: Level) -> None:
        row = require(provider)
        ort = runtime()
        options = ort.SessionOptions()
        options.log_severity_level = 4  # errors come as exceptions, which say the same
        options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, LEVELS[level])
        options.add_session_config_entry(RECORD, "1")
        try:
            # Without fallback: a run that fails on CUDA must not be repeated on the CPU in silence.
            with step(f"a model is loaded in onnxruntime on {provider}"):
                self._session = ort.InferenceSession(model, options, providers=row.chain, enable_fallback=0)
        except Exception as error:  # onnxruntime's errors have no narrower base
            raise RunFailed(_short(error)) from error
        check_provider(self._session, provider, row)
        self._full = row.full
        self.inputs: list[Any] = self._session.get_inputs()
        outputs = self._session.get_outputs()
        self.outputs: list[str] = [spec.name for spec in outputs]
        self.specs: list[Any] = outputs
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._has_foreign_types = any(_is_foreign(dtype_of(spec.type)) for spec in (*self.inputs, *outputs))

    def placement(self) -> Placement:
        """Which nodes run on the provider, and which onnxruntime gave to another in silence."""
        nodes = Counter(
            (part.ep_name == self._full, node.op_type)
            for part in self._session.get_provider_graph_assignment_info()
            for node in part.get_nodes()
        )
        elsewhere = {op: count for (is_own, op), count in sorted(nodes.items()) if not is_own}
        return Placement(nodes.total() - sum(elsewhere.values()), elsewhere)

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


def check_provider(session: Any, spec: str, row: Provider) -> None:
    """Raises ``CouldNotValidate`` if the session runs on another provider, or with other options."""
    if session.get_providers()[0] != row.full:
        raise CouldNotValidate(
            f"This onnxruntime has {label(spec)} but cannot start it here: check the device, its "
            "driver and libraries (CUDA and cuDNN of a GPU), or validate with another provider."
        )
    taken = session.get_provider_options().get(row.full, {})
    for name, value in row.options.items():
        if _plain(taken.get(name, value)) != _plain(value):
            raise CouldNotValidate(f"{label(spec)} takes {name}={taken[name]} for {value}: give another value.")


def _plain(option: str) -> str:
    """A value as onnxruntime has it, which knows two ways to write what is true."""
    return {"true": "1", "false": "0"}.get(option.lower(), option.lower())


def source(model: onnx.ModelProto | str | Path, stack: contextlib.ExitStack) -> bytes | str:
    """What a ``Session`` loads ``model`` from; a temporary file, if one is needed, lives as long as ``stack``.

    A ``ModelProto`` must hold its weights itself. Raises ``CouldNotValidate`` if there is no such file.
    """
    model = once(model)
    if not isinstance(model, onnx.ModelProto):
        if not Path(model).is_file():
            raise CouldNotValidate(f"There is no model file {model}: check the path.")
        if _is_text(str(model)):
            return str(model)
        model = load(model)
    made = light(model)
    return writer.serialized(made) or str(stack.enter_context(writer.staged(made, None)).model)


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
    """The message on one line, without onnxruntime's prefix, its beginning and end where it has over 300 characters."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(str(error).split()))
    return text.rstrip(".") if len(text) <= 300 else f"{text[:150]} … {text[-147:]}".rstrip(".")


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
