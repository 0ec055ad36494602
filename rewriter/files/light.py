"""A model to be written: its protobuf without the data of large weights, which come from wherever they are."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from google.protobuf.message import Message
from onnx import GraphProto, ModelProto, TensorProto, numpy_helper

from passes.ir.constants import PACKED, Stored
from passes.ir.declared import every_node_proto
from passes.layout.edit import Array
from rewriter.files import wire
from rewriter.files.blocks import blocks, copy, write
from rewriter.files.source import Source, place_of

LEAST = 1024  # bytes of a tensor that need not stay in the protobuf


@dataclass(frozen=True)
class Weight:
    """The data of a tensor: of a source's, in other layouts or as it is."""

    values: Stored
    source: Source

    @property
    def nbytes(self) -> int:
        """Its size in a file."""
        return self.values.nbytes

    @property
    def location(self) -> str:
        """The file that it comes from; empty for none, or the model's own."""
        place = place_of(self.values.tensor)
        return place.location if place else ""

    def array(self) -> Array:
        """The values; those in a file are read now. Raises UsageError if that has changed."""
        return self.values.load()

    def blocks(self) -> Iterator[bytes | memoryview]:
        """The data in pieces; raises the same."""
        tensor = self.values.tensor
        if not self.values.layouts and tensor.HasField("raw_data"):
            yield tensor.raw_data
        elif TensorProto.DataType.Name(tensor.data_type) in PACKED:
            yield numpy_helper.from_array(np.asarray(self.array(), order="C")).raw_data
        else:
            yield from (block.reshape(-1).view(np.uint8).data for block in blocks(self.array()))

    def write(self, target: int) -> None:
        """Append the data to a file that is open. Raises OSError, and the same."""
        place = None if self.values.layouts else place_of(self.values.tensor)
        if place is None:
            for block in self.blocks():
                write(target, block)
            return
        with self.source.opened(place) as file:
            copy(file, place.offset, place.length, target)


@dataclass(frozen=True)
class LightModel:
    """A model whose tensors that say that their data is elsewhere, but not where, have it in ``weights``.

    Those are in the order of ``every_tensor``.
    """

    proto: ModelProto
    weights: tuple[Weight, ...] = ()

    def open_tensors(self, graph: GraphProto) -> Iterator[tuple[TensorProto, Weight]]:
        """The tensors of the model's graph, or of a copy of it, that lack their data, with that."""
        return zip(lacking(graph), self.weights, strict=True)

    @cached_property
    def by_name(self) -> Mapping[str, Weight]:
        """The weights by name, as far as names are unique."""
        return {tensor.name: weight for tensor, weight in self.open_tensors(self.proto.graph)}

    @cached_property
    def nbytes(self) -> int:
        """The size of the model with all data in it, but for a few bytes."""
        return int(self.proto.ByteSize()) + sum(weight.nbytes for weight in self.weights)

    def whole(self) -> ModelProto:
        """The model with all data in it; itself, if that is there."""
        if not self.weights:
            return self.proto
        model = deepcopy(self.proto)
        for tensor, weight in self.open_tensors(model.graph):
            _fill(tensor, weight)
        return model

    def serialized(self) -> bytes:
        """The model's file, with all data in it."""
        if not self.weights:
            return bytes(self.proto.SerializeToString())
        parts = (part.blocks() if isinstance(part, Weight) else (part,) for part in self.parts())
        return b"".join(chain.from_iterable(parts))

    def parts(self) -> Iterator[bytes | Weight]:
        """What makes the model's file, with all data in it, one after the other."""
        model = deepcopy(self.proto)
        tensors = [*self.open_tensors(model.graph)]
        count = sum(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer)
        for tensor, weight in tensors[count:]:  # in bodies
            _fill(tensor, weight)
        weights = iter(self.weights)
        initializers = [_message(tensor, weights) for tensor in model.graph.initializer]
        del model.graph.initializer[:]
        rest = model.graph.SerializeToString()
        model.ClearField("graph")
        yield model.SerializeToString()
        yield wire.head(wire.GRAPH, len(rest) + sum(map(_length, chain(*initializers)))) + rest
        yield from chain(*initializers)


def _message(tensor: TensorProto, weights: Iterator[Weight]) -> list[bytes | Weight]:
    """An initializer as a field of its graph."""
    if tensor.data_location != TensorProto.EXTERNAL:
        message = tensor.SerializeToString()
        return [wire.head(wire.INITIALIZER, len(message)) + message]
    weight = next(weights)
    _claim(tensor)
    message = tensor.SerializeToString() + wire.head(wire.RAW_DATA, weight.nbytes)
    return [wire.head(wire.INITIALIZER, len(message) + weight.nbytes) + message, weight]


def _length(part: bytes | Weight) -> int:
    return part.nbytes if isinstance(part, Weight) else len(part)


def _claim(tensor: TensorProto) -> None:
    """From now on its data is in it."""
    tensor.ClearField("data_location")
    del tensor.external_data[:]


def _fill(tensor: TensorProto, weight: Weight) -> None:
    _claim(tensor)
    tensor.raw_data = b"".join(weight.blocks())


def light_of(source: Source) -> LightModel:
    """A model as it was read; what is in files stays there."""
    weights = (Weight(Stored(tensor, read=source.read), source) for tensor in lacking(source.proto.graph))
    return LightModel(source.proto, tuple(weights))


def light(model: ModelProto) -> LightModel:
    """A model that is in memory; the data of its weights is not copied, but for those in bodies."""
    bare, source = ModelProto(), Source(model)
    _copy(model, bare, without="graph")
    _copy(model.graph, bare.graph, without="initializer")
    weights = []
    for tensor in model.graph.initializer:
        new = bare.graph.initializer.add()
        if not _is_long(tensor):
            new.CopyFrom(tensor)
            continue
        _copy(tensor, new, without="raw_data")
        new.data_location = TensorProto.EXTERNAL
        weights.append(Weight(Stored(tensor), source))
    bodies = (attr.g for node in every_node_proto(bare.graph) for attr in node.attribute)
    for tensor in (tensor for body in bodies for tensor in body.initializer if _is_long(tensor)):
        held = deepcopy(tensor)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        weights.append(Weight(Stored(held), source))
    return LightModel(bare, tuple(weights))


def every_tensor(graph: GraphProto) -> Iterator[TensorProto]:
    """All tensors of a graph, of its bodies and of the attributes of nodes."""
    yield from graph.initializer
    for attr in (attr for node in every_node_proto(graph) for attr in node.attribute):
        yield from (*attr.g.initializer, *([attr.t] if attr.HasField("t") else ()))


def lacking(graph: GraphProto) -> Iterator[TensorProto]:
    """Those of them that do not hold their data."""
    return (tensor for tensor in every_tensor(graph) if tensor.data_location == TensorProto.EXTERNAL)


def _is_long(tensor: TensorProto) -> bool:
    return bool(tensor.HasField("raw_data") and tensor.ByteSize() >= LEAST)


def _copy(source: Message, target: Any, without: str) -> None:
    """Copy all fields but one."""
    for field, value in source.ListFields():
        if field.name == without:
            continue
        if hasattr(value, "MergeFrom"):  # a message, or several values
            getattr(target, field.name).MergeFrom(value)
        else:
            setattr(target, field.name, value)
