"""In which order inputs and outputs of converted models come: names tell them, converters and signatures sort them."""

from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

from onnx import ModelProto

from rewriter.files.reader import source_of

Given = ModelProto | str | Path


def in_one_order(given: tuple[Given, Given], read: tuple[Given, Given]) -> tuple[Given, Given]:
    """Two models, as they were given and as they are read: one that was converted for that has the other's order.

    Raises UsageError if the other cannot be read.
    """
    (one, other), changed = read, [new is not old for new, old in zip(read, given, strict=True)]
    if changed[1] and isinstance(other, ModelProto):
        return one, ordered(other, source_of(one).proto)
    if changed[0] and isinstance(one, ModelProto):
        return ordered(one, source_of(other).proto), other
    return one, other


def ordered(model: ModelProto, like: ModelProto) -> ModelProto:
    """The model with its inputs and its outputs in the order of another's, where both have the same names."""
    made = deepcopy(model)
    held = {tensor.name for tensor in like.graph.initializer}
    _order(made.graph.input, [value.name for value in like.graph.input if value.name not in held])
    _order(made.graph.output, [value.name for value in like.graph.output])
    return made


def _order(values: Any, names: Iterable[str]) -> None:
    own = {value.name: value for value in values}
    wanted = [own[name] for name in names if name in own]
    if len(wanted) == len(values) == len(own):
        copies = deepcopy(wanted)  # what is in the list is gone with it
        del values[:]
        values.extend(copies)
