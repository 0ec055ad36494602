"""Everything in a model's protobuf, message by message, and how to call it in a sentence."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from onnx import FunctionProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, ValueInfoProto

NAMED = (FunctionProto, NodeProto, SparseTensorProto, TensorProto, ValueInfoProto)
LIGHT = ("name", "doc_string", "external_data", "metadata_props")  # of tensors: to list their data would copy it


class Found(NamedTuple):
    """A message and its fields; ``owner`` is the nearest around it (or itself) that has a name in the model."""

    message: Any
    fields: list[tuple[FieldDescriptor, Any]]
    owner: Any
    in_function: bool

    @property
    def name(self) -> str:
        """The owner in words."""
        return called(self.owner)


def every_message(model: ModelProto) -> Iterator[Found]:
    """The model, and all messages in it."""
    left: list[tuple[Message, Message, bool]] = [(model, model, False)]
    while left:
        message, owner, inside = left.pop()
        owner = message if isinstance(message, NAMED) and _has_name(message) else owner
        inside = inside or isinstance(message, FunctionProto)
        fields = _light_fields(message) if isinstance(message, TensorProto) else message.ListFields()
        yield Found(message, fields, owner, inside)
        for field, value in fields:
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                several = (value,) if isinstance(value, Message) else value
                left.extend((inner, owner, inside) for inner in several)


def called(message: Any) -> str:
    """A part of a model in words: its kind and its name, a node without one by its first output."""
    if isinstance(message, NodeProto):
        name = message.name or next(iter(message.output), "")
        return f"node {name!r} ({message.op_type})"
    if isinstance(message, SparseTensorProto):
        return f"sparse tensor {message.values.name!r}"
    kinds = {FunctionProto: "function", TensorProto: "tensor", ValueInfoProto: "value"}
    return f"{kinds[type(message)]} {message.name!r}" if type(message) in kinds else "the model"


def _has_name(message: Message) -> bool:
    """Whether it has; a tensor that is an attribute needs none, and a node without one is called by its output."""
    return not isinstance(message, TensorProto) or bool(message.name)


def _light_fields(tensor: TensorProto) -> list[tuple[FieldDescriptor, Any]]:
    known = tensor.DESCRIPTOR.fields_by_name
    both = ((known[name], getattr(tensor, name)) for name in LIGHT)
    return [(field, value) for field, value in both if len(value)]
