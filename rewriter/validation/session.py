"""onnxruntime as the validator needs it: sessions with numpy in and out, and the inputs to feed them."""

from __future__ import annotations

import contextlib
import ctypes
import io
import math
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
from google.protobuf.message import EncodeError

from rewriter.errors import RewriterError
from rewriter.validation.compare import RTOL, Array

Feed = dict[str, Array]
Shapes = dict[str, tuple[int, ...]]
Level = Literal["disabled", "default"]

LEVELS: dict[Level, Any] = {
    "disabled": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "default": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
# TF32 keeps 10 bits of the mantissa: its error would drown any that a rewrite makes.
PROVIDERS: dict[str, list[Any]] = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": [("CUDAExecutionProvider", {"use_tf32": 0}), "CPUExecutionProvider"],
}
SIZES = (64, 96, 32, 224, 256)
"""What an open dimension other than the batch may be, in the order of trying."""


class CouldNotValidate(RewriterError):
    """There is no verdict: what is missing, and what to do about it, in a sentence."""


class RunFailed(Exception):
    """A model does not load or run; the text is onnxruntime's, shortened."""


@dataclass(frozen=True)
class Input:
    """A graph input; an open dimension is a name or ``None``, and the shape ``[]`` if the rank is unknown."""

    name: str
    type: str
    shape: list[int | str | None]


class Session:
    """One model on one provider at one optimisation level.

    Raises `RunFailed` if the model does not load, `CouldNotValidate` if the provider is not to be had here.
    """

    def __init__(self, model: bytes | str, provider: str, level: Level) -> None:
        _require(provider)
        options = ort.SessionOptions()
        options.log_severity_level = 4  # errors come as exceptions, which say the same
        options.graph_optimization_level = LEVELS[level]
        try:
            # Without fallback: a run that fails on CUDA must not be repeated on the CPU in silence.
            chosen = PROVIDERS[provider]
            self._session: Any = ort.InferenceSession(model, options, providers=chosen, enable_fallback=0)
        except Exception as error:  # onnxruntime's errors have no narrower base
            raise RunFailed(_short(error)) from error
        if self._session.get_providers()[0] != _full_name(provider):
            raise CouldNotValidate(
                f"This onnxruntime has {provider.upper()} but cannot start it here: check the GPU, its "
                "driver and the CUDA and cuDNN libraries, or validate with another provider."
            )
        self.inputs = [Input(node.name, node.type, list(node.shape)) for node in self._session.get_inputs()]
        self.outputs: list[str] = [node.name for node in self._session.get_outputs()]
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

    def run(self, feed: Feed) -> list[Any]:
        """The outputs in order: arrays, lists of arrays for sequences, ``None`` for an empty optional.

        Raises `RunFailed`.
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
    """What a `Session` loads ``model`` from; a temporary file, if one is needed, lives as long as ``stack``.

    A ``ModelProto`` must hold its weights itself. Raises `CouldNotValidate` if there is no such file.
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


def make_feeds(
    session: Session,
    *,
    runs: int,
    seed: int,
    shapes: Mapping[str, Sequence[int]],
    arrays: Mapping[str, Array],
) -> list[Feed]:
    """The inputs of each run: ``arrays``, and random ones for the rest, of ``shapes`` where given.

    Open dimensions take two sizes in turn, the batch 1 and 2, as far as the model runs with them. One run is
    enough if nothing is random. Raises `CouldNotValidate` for a name that is no input, a type that cannot be
    made up, data that does not fit, and a model that runs at none of the sizes.
    """
    _check_names("input_shapes", shapes, session)
    _check_names("inputs", arrays, session)
    for spec in session.inputs:
        if spec.name in arrays:
            _check_dtype(spec, arrays[spec.name])
    known = {name: tuple(shape) for name, shape in shapes.items()}
    known |= {name: array.shape for name, array in arrays.items()}
    if all(spec.name in arrays for spec in session.inputs):
        return [dict(arrays)]
    sizes = _find_sizes(session, known, arrays)
    return [
        _feed(session.inputs, sizes[run % len(sizes)], arrays, np.random.default_rng([seed, run]))
        for run in range(runs)
    ]


def nudged(feed: Feed, rng: np.random.Generator) -> Feed:
    """``feed`` with the last bit of every float moved at random; zeros (padding, masks), NaN and inf stay."""

    def nudge(array: Array) -> Array:
        if array.dtype not in RTOL:
            return array
        # Not to inf, which not every float8 has.
        top = ml_dtypes.finfo(array.dtype).max  # type: ignore[no-untyped-call]
        towards = np.where(rng.random(array.shape) < 0.5, -top, top).astype(array.dtype)
        return np.where(np.isfinite(array) & (array != 0), np.nextafter(array, towards), array)

    return {name: nudge(array) for name, array in feed.items()}


def _require(provider: str) -> None:
    if provider not in PROVIDERS:
        raise CouldNotValidate(f"There is no provider {provider!r}: choose among {', '.join(PROVIDERS)}.")
    if _full_name(provider) not in ort.get_available_providers():
        raise CouldNotValidate(
            f"{provider.upper()} is not in this onnxruntime build: install one that has it (onnxruntime-gpu "
            "for CUDA), or validate with another provider."
        )
    if provider == "cuda":
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
            ort.preload_dlls()  # finds the CUDA and cuDNN libraries that were installed by pip


def _full_name(provider: str) -> str:
    first = PROVIDERS[provider][0]
    return str(first if isinstance(first, str) else first[0])


def _short(error: Exception) -> str:
    """The message on one line, without onnxruntime's prefix, at most 300 characters."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(str(error).split()))
    return text.rstrip(".") if len(text) <= 300 else text[:299] + "…"


def _ort_value(array: Array) -> Any:
    if array.dtype.isbuiltin != 2:
        return ort.OrtValue.ortvalue_from_numpy(array)
    onnx_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(array, onnx_type)


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


def _check_names(what: str, given: Iterable[str], session: Session) -> None:
    names = [spec.name for spec in session.inputs]
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise CouldNotValidate(
            f"{what} names {', '.join(unknown)}, but the original's inputs are {', '.join(names)}: fix it."
        )


def _check_dtype(spec: Input, array: Array) -> None:
    dtype = dtype_of(spec.type)
    if dtype is not None and dtype != np.object_ and array.dtype != dtype:
        raise CouldNotValidate(f"The data for input {spec.name} is {array.dtype}: convert it to {dtype}.")


def _find_sizes(session: Session, known: Shapes, arrays: Mapping[str, Array]) -> list[Shapes]:
    """One or two ways to size the inputs at which ``session`` runs, found by trying."""
    first_choice = _resolve(session.inputs, known, batch=1, size=SIZES[0])
    if first_choice == _resolve(session.inputs, known, batch=2, size=SIZES[1]):
        return [first_choice]  # nothing is open; if it does not run, the caller learns why
    tried: list[Shapes] = []
    errors: list[str] = []

    def first_that_runs(choices: Iterable[tuple[int, int]]) -> list[Shapes]:
        for batch, size in choices:
            shapes = _resolve(session.inputs, known, batch, size)
            if shapes in tried:
                continue
            tried.append(shapes)
            try:
                session.run(_feed(session.inputs, shapes, arrays, np.random.default_rng(0)))
                return [shapes]
            except RunFailed as error:
                errors.append(str(error))
        return []

    found = first_that_runs((1, size) for size in SIZES)
    if not found:
        raise CouldNotValidate(
            f"The original does not run at {_text(first_choice)} ({errors[0]}), nor at the other sizes that "
            "were tried: give the right ones with --input-shape NAME=..."
        )
    other_sizes = (*SIZES[1:], SIZES[0])
    return found + first_that_runs((batch, size) for batch in (2, 1) for size in other_sizes)


def _resolve(inputs: list[Input], known: Shapes, batch: int, size: int) -> Shapes:
    """The shape of each input: as ``known``, the same where a name is shared, else ``batch`` or ``size``."""
    named = {
        dim: actual
        for spec in inputs
        for dim, actual in zip(spec.shape, known.get(spec.name, ()), strict=False)
        if isinstance(dim, str)
    }
    batches = {spec.shape[0] for spec in inputs if spec.shape and isinstance(spec.shape[0], str)}

    def resolve(axis: int, dim: int | str | None) -> int:
        if isinstance(dim, int):
            return dim
        if dim in named:
            return named[dim]
        return batch if axis == 0 or dim in batches else size

    shapes = {spec.name: tuple(resolve(axis, dim) for axis, dim in enumerate(spec.shape)) for spec in inputs}
    return shapes | known


def _feed(inputs: list[Input], shapes: Shapes, arrays: Mapping[str, Array], rng: np.random.Generator) -> Feed:
    missing = {spec.name: _random(spec, shapes[spec.name], rng) for spec in inputs if spec.name not in arrays}
    return missing | dict(arrays)


def _random(spec: Input, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    dtype = dtype_of(spec.type)
    if dtype in RTOL:
        return rng.standard_normal(shape).astype(dtype)
    if dtype in (np.uint8, np.int8):  # image data
        return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    if dtype is not None and dtype.kind in "iu":  # safe as an index, a token or a mask
        return rng.integers(0, 2, shape, dtype)
    if dtype == np.bool_:
        return rng.random(shape) < 0.5
    raise CouldNotValidate(f"Input {spec.name} is a {spec.type}, which cannot be made up: give real data.")


def _text(shapes: Shapes) -> str:
    return ", ".join(f"{name} [{', '.join(map(str, shape))}]" for name, shape in shapes.items())
