"""Models to files that appear whole or not at all; weights beside them, where protobuf's limit makes it necessary."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from google.protobuf.message import Message
from onnx import GraphProto, ModelProto, TensorProto

from passes.ir.declared import every_node_proto
from rewriter.files.weights_files import remove_old_weights, weights_name
from rewriter.files.whole import folder_beside, put
from rewriter.steps import step

TWO_GIB = 2**31 - 2**20  # protobuf's limit, less some room for what is not weights
SMALL_BYTES = 1024  # of a weight that stays in the model's file


@step("write", limited=False)
def save(model: ModelProto, path: Path) -> None:
    """Write a model, which is left as it is; over 2 GiB, its weights go to a file beside ``path`` first.

    That file has another name for other weights, and the old one stays until the new model is in its place: whenever
    a run is killed, there is the old model or the new one.
    """
    with folder_beside(path) as folder:
        name = None
        if weight_bytes(model) >= TWO_GIB:
            with (folder / "weights").open("wb") as file:
                weights = _Weights(file)
                model = _without_weights(model, weights)
            name = weights_name(path, weights.hash.hexdigest())
            weights.call(name)
        (folder / "model").write_bytes(model.SerializeToString())
        if name is not None:
            put(folder / "weights", path.with_name(name))
        put(folder / "model", path)
    remove_old_weights(path, name)


def weight_bytes(model: ModelProto) -> int:
    """The size of all that a model holds as tensors, in bodies and attributes too."""
    return sum(tensor.ByteSize() for tensor in every_tensor(model.graph))


def every_tensor(graph: GraphProto) -> Iterator[TensorProto]:
    """All tensors of a graph, of its bodies and of the attributes of nodes."""
    yield from graph.initializer
    for attr in (attr for node in every_node_proto(graph) for attr in node.attribute):
        yield from (*attr.g.initializer, *([attr.t] if attr.HasField("t") else ()))


class _Weights:
    """A file of weights, its hash, and the tensors that it has taken the data of."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.hash, self.size = file, hashlib.sha256(), 0
        self.tensors: list[TensorProto] = []

    def take(self, data: bytes, tensor: TensorProto) -> None:
        """Append a tensor's data to the file, and say so in the tensor."""
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", ""), ("offset", self.size), ("length", len(data))):
            tensor.external_data.add(key=key, value=str(value))
        self.file.write(data)
        self.hash.update(data)
        self.size += len(data)
        self.tensors.append(tensor)

    def call(self, name: str) -> None:
        """Tell the tensors the name of the file."""
        for tensor in self.tensors:
            tensor.external_data[0].value = name


def _without_weights(model: ModelProto, weights: _Weights) -> ModelProto:
    """A copy of the model but for its weights, which go to the file."""
    light = ModelProto()
    _copy(model, light, without="graph")
    _copy(model.graph, light.graph, without="initializer")
    for tensor in model.graph.initializer:
        new = light.graph.initializer.add()
        if len(tensor.raw_data) < SMALL_BYTES:
            new.CopyFrom(tensor)
        else:
            _copy(tensor, new, without="raw_data")
            weights.take(tensor.raw_data, new)
    for tensor in (t for node in every_node_proto(light.graph) for attr in node.attribute for t in attr.g.initializer):
        if len(tensor.raw_data) >= SMALL_BYTES:
            weights.take(tensor.raw_data, tensor)
            tensor.ClearField("raw_data")
    return light


def _copy(source: Message, target: Any, without: str) -> None:
    """Copy all fields but one."""
    for field, value in source.ListFields():
        if field.name == without:
            continue
        if hasattr(value, "MergeFrom"):  # a message, or several values
            getattr(target, field.name).MergeFrom(value)
        else:
            setattr(target, field.name, value)
