"""What a model that takes frames would have been given without that: computed in numpy, as the user wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, helper

from passes.normalize.frames import Frames
from rewriter.errors import CouldNotValidate, UsageError
from rewriter.files.reader import open_model
from rewriter.interface import read_record
from rewriter.metadata import entry_of
from rewriter.preprocess import FRAMES_KEY, frames_text, read_frames
from rewriter.validation.compare import Array, DType

WHITE = 255
Takes = Mapping[str, "FrameInput"]  # by name: what the second of two models takes, and the first does not


@dataclass(frozen=True)
class FrameInput:
    """An input that takes ``frames``, in the original's layout, channels on ``axis`` (``None``: they do not matter).

    ``dtype``: what the original takes in their place.
    """

    frames: Frames
    axis: int | None
    dtype: DType

    def made(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """Random frames."""
        return rng.integers(0, WHITE, shape, np.uint8, endpoint=True).astype(self.frames.dtype)

    def preprocessed(self, frame: Array) -> Array:
        """``(frame * scale - mean) / std`` in float64, then in the original's type. Raises ``CouldNotValidate``."""
        scaled, offset = self._terms(frame)
        return np.asarray(scaled - offset).astype(self.dtype)

    def nudged(self, frame: Array, nudge: Callable[[Array], Array]) -> Array:
        """The same with the last bits changed of what it is a difference of, and in bits of which kernels hold it."""
        scaled, offset = (nudge(term.astype(self.dtype)).astype(np.float64) for term in self._terms(frame))
        return np.asarray(scaled - offset).astype(self.dtype)

    def _terms(self, frame: Array) -> tuple[Array, Array]:
        """``frame * scale / std`` in the order of the original's channels, and ``mean / std``, in float64."""
        self._check(frame.shape)
        wide = frame.astype(np.float64)
        if self.frames.bgr:
            wide = np.flip(wide, self.axis)
        std, mean = (self._along(values, wide.ndim) for values in (self.frames.std, self.frames.mean))
        return wide * self.frames.scale / std, mean / std

    def _check(self, shape: tuple[int, ...]) -> None:
        """Raises ``CouldNotValidate`` where frames lack the channels that are told apart."""
        if self.axis is None or not self.frames.tells_channels_apart:
            return
        if len(shape) <= self.axis or shape[self.axis] not in (self.frames.lengths or {shape[self.axis]}):
            text = "correct the data, or the sizes"
            raise CouldNotValidate(f"Frames of shape {list(shape)} have not all channels on axis {self.axis}: {text}.")

    def _along(self, values: tuple[float, ...], rank: int) -> Array:
        shape = [1] * rank
        if len(values) > 1 and self.axis is not None:
            shape[self.axis] = len(values)
        return np.asarray(values).reshape(shape)


def preprocessed(feed: Mapping[str, Array], takes: Takes) -> dict[str, Array]:
    """What the original takes in place of ``feed``."""
    return {name: takes[name].preprocessed(array) if name in takes else array for name, array in feed.items()}


def taken_in_float32(takes: Takes) -> dict[str, FrameInput]:
    """The same of the original in float32."""
    return {name: replace(one, dtype=np.dtype(np.float32)) for name, one in takes.items()}


def frames_between(original: ModelProto | str | Path, rewritten: ModelProto | str | Path) -> dict[str, FrameInput]:
    """The inputs that take frames in the second model, and do not in the first, as their metadata say.

    Raises ``CouldNotValidate`` if that is broken.
    """
    try:
        second = _proto(rewritten)
        if second is None or entry_of(second, FRAMES_KEY) is None:  # as nearly always: the original need not be read
            return {}
        first = _proto(original)
        if first is None or frames_text(first) == frames_text(second):
            return {}
        added = {name: one for name, one in read_frames(second).items() if name not in read_frames(first)}
        return _inputs(first, added) if added else {}
    except UsageError as error:
        raise CouldNotValidate(f"What inputs take is not known: {error}.") from error


def _proto(model: ModelProto | str | Path) -> ModelProto | None:
    """All but large weights; ``None`` of a file of which onnxruntime is to say what is wrong."""
    if isinstance(model, ModelProto):
        return model
    try:
        return open_model(model).proto
    except UsageError:
        return None


def _inputs(original: ModelProto, added: Mapping[str, tuple[Frames, int | None]]) -> dict[str, FrameInput]:
    layouts = read_record(original)
    inputs: dict[str, Any] = {value.name: value.type.tensor_type for value in original.graph.input}
    found = {}
    for name, (frames, axis) in added.items():
        if name not in inputs:
            raise UsageError(f"the metadata name {name!r}, which is no input")
        if axis is not None and name in layouts:
            axis = list(layouts[name]["perm"]).index(axis)
        if axis is not None and axis >= len(inputs[name].shape.dim):
            raise UsageError(f"the metadata have channels of {name!r} on axis {axis}, which it lacks")
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(inputs[name].elem_type))
        found[name] = FrameInput(frames, axis, dtype)
    return found
