"""Mistakes of the kinds that a layout rewriter makes, planted in a model."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Array = NDArray[np.floating]
Plant = Callable[[ModelProto], None]


def nodes(model: ModelProto, op: str) -> list[NodeProto]:
    """The nodes of the main graph that are ``op``, or calls of the function that is named after it; not none."""
    found = [node for node in model.graph.node if node.op_type.partition("_")[0] == op]
    assert found
    return found


def initializer(model: ModelProto, name: str) -> TensorProto:
    held: dict[str, TensorProto] = {tensor.name: tensor for tensor in model.graph.initializer}
    return held[name]


def changed(op: str, number: int, operand: int, change: Callable[[Array], Array]) -> Plant:
    """Another constant at an operand of node ``number`` of those that are ``op``."""

    def plant(model: ModelProto) -> None:
        held = initializer(model, nodes(model, op)[number].input[operand])
        before = numpy_helper.to_array(held)
        after = np.ascontiguousarray(change(before.copy())).astype(before.dtype)
        assert after.shape == before.shape
        assert (after != before).any()
        held.CopyFrom(numpy_helper.from_array(after, held.name))

    return plant


def with_attribute(op: str, number: int, name: str, after: Sequence[int]) -> Plant:
    """Another attribute of such a node."""

    def plant(model: ModelProto) -> None:
        attr = next(a for a in nodes(model, op)[number].attribute if a.name == name)
        assert list(attr.ints) != after
        attr.CopyFrom(helper.make_attribute(name, after))

    return plant


def with_operands(op: str, number: int, change: Callable[[list[str]], list[str]]) -> Plant:
    """Other operands of such a node."""

    def plant(model: ModelProto) -> None:
        node = nodes(model, op)[number]
        after = change(list(node.input))
        assert after != list(node.input)
        del node.input[:]
        node.input.extend(after)

    return plant


def exchanged(axis: int) -> Callable[[Array], Array]:
    """The first two slices along an axis change places."""

    def change(array: Array) -> Array:
        first = np.moveaxis(array, axis, 0)
        first[[0, 1]] = first[[1, 0]]
        return array

    return change


def scaled(*index: int, by: float = 1.03) -> Callable[[Array], Array]:
    """A part of the constant is off."""

    def change(array: Array) -> Array:
        array[index] = array[index].astype(np.float32) * by
        return array

    return change


def turned(array: Array) -> Array:
    """The last two axes change places, as of a kernel whose rows are taken for columns."""
    return array.swapaxes(-1, -2)


def upside_down(array: Array) -> Array:
    """The rows of a matrix in another order, as behind a Flatten of another layout."""
    return array[::-1]


def missing(array: Array) -> Array:
    return np.zeros_like(array)
