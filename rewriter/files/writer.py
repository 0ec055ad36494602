"""Models to files that appear whole or not at all; weights beside them, where protobuf's limit makes it necessary."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from google.protobuf.message import Message
from onnx import GraphProto, ModelProto, TensorProto

from passes.ir.declared import every_node_proto

TWO_GIB = 2**31 - 2**20  # protobuf's limit, less some room for what is not weights
SMALL_BYTES = 1024  # of a weight that stays in the model's file


def save(model: ModelProto, path: Path) -> None:
    """Write a model, which is left as it is; over 2 GiB, its weights go to ``path.data`` first."""
    with folder_beside(path) as folder:
        if weight_bytes(model) < TWO_GIB:
            (folder / path.name).write_bytes(model.SerializeToString())
        else:
            data = folder / f"{path.name}.data"
            with data.open("wb") as file:
                light = _with_weights_in(file, data.name, model)
            (folder / path.name).write_bytes(light.SerializeToString())
            os.replace(data, f"{path}.data")
        os.replace(folder / path.name, path)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """A folder for files that are to appear whole in the place of ``path``, by ``os.replace``, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        yield Path(folder)


def weight_bytes(model: ModelProto) -> int:
    """The size of all that a model holds as tensors, in bodies and attributes too."""
    return sum(tensor.ByteSize() for tensor in every_tensor(model.graph))


def every_tensor(graph: GraphProto) -> Iterator[TensorProto]:
    """All tensors of a graph, of its bodies and of the attributes of nodes."""
    yield from graph.initializer
    for attr in (attr for node in every_node_proto(graph) for attr in node.attribute):
        yield from (*attr.g.initializer, *([attr.t] if attr.HasField("t") else ()))


def _with_weights_in(file: BinaryIO, name: str, model: ModelProto) -> ModelProto:
    """A copy of the model but for its weights, which go to the file of this name."""
    light = ModelProto()
    _copy(model, light, without="graph")
    _copy(model.graph, light.graph, without="initializer")
    for tensor in model.graph.initializer:
        new = light.graph.initializer.add()
        if len(tensor.raw_data) < SMALL_BYTES:
            new.CopyFrom(tensor)
        else:
            _copy(tensor, new, without="raw_data")
            _move(tensor.raw_data, new, file, name)
    for tensor in (t for node in every_node_proto(light.graph) for attr in node.attribute for t in attr.g.initializer):
        if len(tensor.raw_data) >= SMALL_BYTES:
            _move(tensor.raw_data, tensor, file, name)
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


def _move(data: bytes, tensor: TensorProto, file: BinaryIO, name: str) -> None:
    """Append a tensor's data to the file, and say so in the tensor."""
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", name), ("offset", file.tell()), ("length", len(data))):
        tensor.external_data.add(key=key, value=str(value))
    file.write(data)
