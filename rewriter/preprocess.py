"""Inputs that take frames: how users write it, and its record in the model."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from passes.normalize.frames import FRAME_TYPES, Frames
from rewriter.errors import UsageError

if TYPE_CHECKING:
    from onnx import ModelProto

    from passes.layout.edit import Array
    from passes.normalize.preprocess import Preprocessed

# metadata: JSON {name: {"axis": 1, "dtype": "uint8", "bgr": true, "scale": 1.0, "mean": [127.5], "std": [127.5]}}, the
# axis of channels that of the first original, of which rewriter.layouts tells, too; null where channels do not matter
FRAMES_KEY = "rewriter.preprocess"
BGR = "bgr"
WORDS = {**dict.fromkeys(FRAME_TYPES, "dtype"), "rgb": "order", BGR: "order"}
NUMBERS = {"scale", "mean", "std"}
FORM = "write NAME:uint8,bgr,scale=1/255,mean=0.485,0.456,0.406,std=0.229,0.224,0.225"
LEAST, MOST = 1e-6, 1e6  # of what frames are multiplied by, and the most that is taken from them: float32 holds it all


def frames_of(texts: Iterable[str]) -> dict[str, str]:
    """By name of an input what is written of it, which is looked at; the name may be left out. Raises UsageError."""
    pairs = [(name, text) for name, _, text in (one.rpartition(":") for one in texts)]
    for name, text in pairs:
        parse_frames(name, text)
    return dict(pairs)


def parse_frames(name: str, text: str) -> Frames:
    """The frames ``uint8,bgr,scale=1/255,mean=0.485,0.456,0.406,std=0.2`` of an input. Raises UsageError."""
    given: dict[str, str] = {}
    for word in re.split(",(?=[^-+.0-9])", text):
        key, is_number, value = word.partition("=")
        kind = key if is_number else WORDS.get(key, "")
        if kind not in (NUMBERS if is_number else WORDS.values()) or kind in given:
            raise _wrong(name, text, f"{word!r} is not understood there")
        given[kind] = value if is_number else word

    def numbers(key: str, usual: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(_number(name, text, one) for one in given[key].split(",")) if key in given else usual

    scale, *more = numbers("scale", (1.0,))
    if more:
        raise _wrong(name, text, "scale is one number")
    dtype, mean, std = given.get("dtype", FRAME_TYPES[0]), numbers("mean", (0.0,)), numbers("std", (1.0,))
    return _checked(name, text, Frames(dtype, given.get("order") == BGR, scale, mean, std))


def _number(name: str, text: str, word: str) -> float:
    """A number, or one over another."""
    above, _, below = word.partition("/")
    with suppress(ValueError, ZeroDivisionError):
        number = float(above) / float(below or 1)
        if math.isfinite(number):
            return number
    raise _wrong(name, text, f"{word!r} is no number")


def _checked(name: str, text: str, frames: Frames) -> Frames:
    if frames.scale <= 0 or min(frames.std) <= 0:
        raise _wrong(name, text, "scale and std must be more than 0")
    if len(frames.lengths) > 1:
        raise _wrong(name, text, "mean and std have different numbers of channels")
    if not all(LEAST <= one <= MOST for one in frames.gain) or not all(abs(one) <= MOST for one in frames.shift):
        raise _wrong(name, text, f"scale / std must be from {LEAST:g} to {MOST:g}, and mean / scale at most {MOST:g}")
    return frames


def _wrong(name: str, text: str, why: str) -> UsageError:
    return UsageError(f"--preprocess {name}{':' * bool(name)}{text}: {why}; {FORM}")


def asked_frames(model: ModelProto, texts: Mapping[str, str]) -> dict[str, Frames]:
    """What inputs of a model are to take, by their names. Raises UsageError for what is no input of floats."""
    from onnx import TensorProto

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
    held = {tensor.name for tensor in model.graph.initializer}
    types = {one.name: one.type.tensor_type for one in model.graph.input if one.name not in held}
    images = [name for name, kind in types.items() if kind.elem_type in floats and len(kind.shape.dim) in (3, 4, 5)]
    taking = read_frames(model)
    asked = {}
    for name, text in texts.items():
        if not name and len(images) != 1:
            said = f"say which input, of {', '.join(map(repr, images))}" if images else "no input is an image of floats"
            raise UsageError(f"--preprocess {text}: {said}")
        one = name or images[0]
        if one not in types:
            raise UsageError(f"the model has no input {one!r}; it has {', '.join(map(repr, types))}")
        if types[one].elem_type not in floats or one in taking:
            raise UsageError(f"input {one!r} cannot be preprocessed, for it takes no floats, or frames already")
        if one in asked:
            raise UsageError(f"--preprocess is given twice for input {one!r}")
        asked[one] = parse_frames(name, text)
    return asked


def as_floats(
    model: ModelProto, asked: Mapping[str, Frames], arrays: Mapping[str, Array] | None
) -> Mapping[str, Array] | None:
    """Arrays on which the model itself runs, whatever it makes of them: frames as numbers of the type that it takes."""
    from onnx import helper

    if arrays is None or not asked:
        return arrays
    types = {one.name: one.type.tensor_type.elem_type for one in model.graph.input}
    return {
        name: array.astype(helper.tensor_dtype_to_np_dtype(types[name])) if name in asked else array
        for name, array in arrays.items()
    }


def record_frames(model: ModelProto, inputs: Iterable[Preprocessed], before: Mapping[str, Any]) -> None:
    """Write into the model what its inputs take, besides those of which it says so already.

    ``before``: the record of layouts of what was rewritten, by whose first original axes count.
    """
    from rewriter.metadata import put_entry

    entries = {}
    for one in inputs:
        axis = before[one.name]["perm"][one.axis] if one.axis is not None and one.name in before else one.axis
        entries[one.name] = {"axis": axis, **vars(one.frames)}
    if entries:
        put_entry(model, FRAMES_KEY, json.dumps({**_entries(frames_text(model)), **entries}, sort_keys=True))


def read_frames(model: ModelProto) -> dict[str, tuple[Frames, int | None]]:
    """Of inputs that take frames: these, and the axis of channels. Raises UsageError if the record is broken."""
    return {name: _frames(entry) for name, entry in _entries(frames_text(model)).items()}


def frames_text(model: ModelProto) -> str:
    """The record as it stands in the model; JSON, unless it is broken."""
    from rewriter.metadata import entry_of

    held = entry_of(model, FRAMES_KEY)
    return "{}" if held is None else held


def _entries(text: str) -> dict[str, dict[str, Any]]:
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, UsageError):
        entries: dict[str, dict[str, Any]] = json.loads(text)
        for entry in entries.values():
            _frames(entry)
        return entries
    raise UsageError(f"the model's metadata {FRAMES_KEY} is broken: remove it")


def _frames(entry: Mapping[str, Any]) -> tuple[Frames, int | None]:
    """An entry of the record. May raise what malformed data does, or UsageError."""
    numbers = {key: tuple(map(float, entry[key])) for key in ("mean", "std")}
    frames = Frames(entry["dtype"], bool(entry["bgr"]), float(entry["scale"]), **numbers)
    axis = entry["axis"]
    is_axis = isinstance(axis, int) and axis >= 0
    if frames.dtype not in FRAME_TYPES or not (is_axis or (axis is None and not frames.tells_channels_apart)):
        raise ValueError(axis)
    return _checked(FRAMES_KEY, json.dumps(entry), frames), axis
