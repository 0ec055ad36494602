"""Operators that choose elements by indices."""

import numpy as np
import tensorflow as tf

from rewriter.backends.forms.node import Form, Node, NoForm, Value, dims, known, rank, sizes, whole


def gather(node: Node, x: Value, indices: Value) -> Value:
    """Negative indices count from the end; of a computed shape one element is a slice, which inference follows."""
    axis, constant = node.attr("axis", 0) % rank(x), known(indices)
    if constant is None:
        return tf.gather(x, _from_the_start(indices, sizes(x)[axis]), axis=axis)
    if constant.ndim == 0:
        return x[(*[slice(None)] * axis, int(constant))]
    if (constant < 0).any():
        size = dims(x)[axis]
        if size is None:
            raise NoForm("its indices are negative, of an axis of unknown size")
        constant = np.where(constant < 0, constant + size, constant)
    return tf.gather(x, constant, axis=axis)


def gather_nd(node: Node, x: Value, indices: Value) -> Value:
    """Indices of the first axes, in the last one."""
    batches, (axes,) = node.attr("batch_dims", 0), whole(dims(indices)[-1:])
    wanted = _from_the_start(indices, tf.stack(sizes(x)[batches : batches + axes]))
    return tf.gather_nd(x, wanted, batch_dims=batches)


def _from_the_start(indices: Value, size: Value) -> Value:
    """Indices that count from the end, as TensorFlow's kernels do not, from the start."""
    return tf.where(indices < 0, indices + tf.cast(size, indices.dtype), indices)


def gather_elements(node: Node, x: Value, indices: Value) -> Value:
    """An index for each element of the result, of its place along one axis."""
    axis = node.attr("axis", 0) % rank(x)
    places = [tf.range(size) for size in sizes(indices)]
    grid = tf.meshgrid(*places, indexing="ij")
    grid[axis] = _from_the_start(indices, sizes(x)[axis])
    return tf.gather_nd(x, tf.stack([tf.cast(along, tf.int32) for along in grid], -1))


def one_hot(node: Node, indices: Value, depth: Value, values: Value) -> Value:
    """``values`` are what stands off, and on."""
    size = int(known(depth).item()) if known(depth) is not None else tf.reshape(depth, [])
    return tf.one_hot(
        _from_the_start(indices, size), size, values[1], values[0], node.attr("axis", -1) % (rank(indices) + 1)
    )


def reverse_sequence(node: Node, x: Value, lengths: Value) -> Value:
    """The first ``lengths`` places, backwards."""
    time, batch = node.attr("time_axis", 0), node.attr("batch_axis", 1)
    return tf.reverse_sequence(x, lengths, time, batch)


def spans(_: Node, start: Value, limit: Value, delta: Value) -> Value:
    """Scalars."""
    return tf.range(start, limit, delta)


ROWS: dict[str, Form] = {
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "OneHot": one_hot,
    "Range": spans,
    "ReverseSequence": reverse_sequence,
}
