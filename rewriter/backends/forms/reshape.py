"""Operators that see the same elements under another shape, and those that tell shapes."""

import math
from functools import reduce

import numpy as np
import tensorflow as tf
from onnx import numpy_helper

from rewriter.backends.forms.node import Dims, Form, Node, NoForm, Value, axes_of, dims, known, rank, sizes, whole


def to_declared(x: Value, declared: Dims | None) -> Value | None:
    """``x`` in a shape of which one size at most is unknown; ``None`` if that is not so."""
    if declared is None or declared.count(None) > 1:
        return None
    return tf.reshape(x, [-1 if size is None else size for size in declared])


def reshape(node: Node, x: Value, *_: Value) -> Value:
    """0 is the size that ``x`` has there, but with ``allowzero``."""
    known_shape = to_declared(x, node.declared[0])
    if known_shape is not None:
        return known_shape
    shape: Value = node.inputs[1] if node.given(1) else np.array(node.attr("shape"))
    parts = tf.get_static_value(shape, partial=True)
    if node.attr("allowzero", 0) or (parts is None and None in dims(shape)):
        raise NoForm("its shape is computed; export the model with sizes that are numbers")
    given = sizes(x)
    if parts is None:
        copied = tf.stack([given[i] if i < len(given) else 0 for i in range(*whole(dims(shape)))])
        shape = tf.cast(shape, tf.int32)
        return tf.reshape(x, tf.where(shape == 0, copied, shape))
    entries = [shape[i] if part is None else given[i] if part == 0 else part for i, part in enumerate(parts)]
    return tf.reshape(x, tf.stack([tf.cast(entry, tf.int32) for entry in entries]))


def flatten(node: Node, x: Value) -> Value:
    """Two axes: those before ``axis``, and the others."""
    axis = node.attr("axis", 1)
    axis = axis + rank(x) if axis < 0 else axis
    behind = dims(x)[axis:]
    if None not in behind:
        return tf.reshape(x, [-1, math.prod(whole(behind))])
    if axis == 0:
        return tf.reshape(x, [1, -1])
    before = sizes(x)[:axis]
    return tf.reshape(x, tf.stack([reduce(tf.multiply, before), -1]))


def squeeze(node: Node, x: Value, *_: Value) -> Value:
    """Without ``axes``: all of size 1, as far as they are known."""
    ones = [axis for axis, size in enumerate(dims(x)) if size == 1]
    axes = axes_of(node, x, default=ones)
    return tf.squeeze(x, axes) if axes else tf.identity(x)


def unsqueeze(node: Node, x: Value, *_: Value) -> Value:
    """``axes`` are those of the result."""
    axes = node.setting("axes", 1)
    for axis in sorted(int(axis) % (rank(x) + len(axes)) for axis in axes):
        x = tf.expand_dims(x, axis)
    return x


def shape(node: Node, x: Value) -> Value:
    """Known now where all sizes are."""
    wanted = slice(node.attr("start", 0), node.attr("end"))
    size = dims(x)[wanted]
    return tf.shape(x, tf.int64)[wanted] if None in size else np.array(size, np.int64)


def size(_: Node, x: Value) -> Value:
    """The number of elements."""
    return tf.size(x, tf.int64)


def constant_of_shape(node: Node, wanted: Value) -> Value:
    """One value everywhere: 0 in float32 unless told."""
    given = node.attr("value")
    value = np.zeros(1, np.float32) if given is None else numpy_helper.to_array(given)
    sizes_known = known(wanted)
    return tf.fill(wanted, value.reshape(())) if sizes_known is None else np.full(sizes_known, value.reshape(()))


def constant(node: Node) -> Value:
    """Whatever attribute it has."""
    (name, value), *_ = node.attrs.items()
    if name == "value":
        return numpy_helper.to_array(value)
    return np.array(value, np.float32 if name.startswith("value_float") else np.int64)


ROWS: dict[str, Form] = {
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Flatten": flatten,
    "Reshape": reshape,
    "Shape": shape,
    "Size": size,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
}
