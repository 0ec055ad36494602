"""A node as forms see it: the operator's specification on one side, TensorFlow's tensors on the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from onnx import GraphProto, NodeProto, helper

from passes import dialects
from passes.ir.declared import standard
from passes.layout.edit import Array

Value = Any  # an array where it is known now, else a tf.Tensor
Dims = tuple[int | None, ...]
Form = Callable[..., Any]  # (node, *inputs) -> a value, or one for each output


class NoForm(Exception):
    """TensorFlow (or TFLite) has no form of this node; the text says why, after the node's name."""


@dataclass(frozen=True)
class Node:
    """A node of a channels-last graph, with its inputs (``None`` where one is left out).

    ``declared``: the shape of each output as far as it is known, ``None`` where not even its rank is. ``producers``:
    the node that makes each input. ``trace``: gives the results of a body, of the values that it is given by name.
    """

    proto: NodeProto
    opset: int
    inputs: Sequence[Value | None]
    declared: Sequence[Dims | None]
    producers: Sequence[NodeProto | None] = ()
    trace: Callable[[GraphProto, Mapping[str, Value]], list[Value]] | None = None

    @property
    def op(self) -> str:
        """The name of the operator that it is, in whatever words."""
        return dialects.operator_of(self.proto, self.opset)

    @property
    def title(self) -> str:
        """Its name as users know it, behind its domain if that is not the standard one."""
        is_other = standard(self.proto.domain) and not dialects.read(self.proto.domain, self.proto.op_type, self.opset)
        return f"{self.proto.domain}::{self.op}" if is_other else self.op

    @property
    def attrs(self) -> Mapping[str, Any]:
        """All attributes that are given; texts decoded."""
        given = {a.name: helper.get_attribute_value(a) for a in self.proto.attribute}
        return {name: value.decode() if isinstance(value, bytes) else value for name, value in given.items()}

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute, or the operator's default."""
        return self.attrs.get(name, default)

    def run(self, name: str, values: Mapping[str, Value]) -> list[Value]:
        """The results of the body that an attribute is, of these values by name and those around it."""
        assert self.trace is not None
        return self.trace(self.attr(name), values)

    def given(self, index: int) -> bool:
        """Whether there is such an input."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def static(self, index: int) -> Array:
        """The value of an input that must be known now. Raises NoForm."""
        value: Array | None = known(self.inputs[index])
        if value is None:
            raise NoForm(f"its input {self.proto.input[index]!r} is computed")
        return value

    def setting(self, name: str, index: int, default: Any = None) -> Any:
        """What is an attribute in older opsets and an input in newer ones, as a list. Raises NoForm if computed."""
        if self.given(index):
            return self.static(index).tolist()
        return self.attr(name, default)


def known(value: Value) -> Any:
    """The value as an array, if it does not depend on the model's inputs, else ``None``."""
    if isinstance(value, np.ndarray):
        return value
    found = tf.get_static_value(value)
    return None if found is None else np.asarray(found)


def dims(value: Value) -> Dims:
    """The shape, as far as it is known. Raises NoForm if the rank is not."""
    if isinstance(value, np.ndarray):
        shape: Dims = value.shape
        return shape
    if value.shape.rank is None:
        raise NoForm("the rank of its input is not known")
    return tuple(value.shape.as_list())


def rank(value: Value) -> int:
    """How many axes it has. Raises NoForm if that is not known."""
    return len(dims(value))


def sizes(value: Value) -> list[Any]:
    """The shape with numbers where they are known, else scalars that are computed."""
    found = dims(value)
    if None not in found:
        return list(found)
    computed = tf.shape(value)
    return [computed[axis] if size is None else size for axis, size in enumerate(found)]


def whole(shape: Dims, what: str = "the shape of its input") -> list[int]:
    """A shape that must be known. Raises NoForm."""
    numbers = [size for size in shape if size is not None]
    if len(numbers) != len(shape):
        raise NoForm(f"{what} is not known")
    return numbers


def axes_of(node: Node, value: Value, index: int = 1, default: Sequence[int] | None = None) -> list[int]:
    """The axes that a node names (as attribute or input), none of them negative; ``default`` where it names none."""
    axes = node.setting("axes", index, default)
    if axes is None:
        return list(range(rank(value)))
    return sorted(int(axis) % rank(value) for axis in axes)
