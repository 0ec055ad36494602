"""Normalisations, in plain arithmetic: TFLite folds what follows a convolution into it, and has no other form."""

import math
from functools import reduce

import numpy as np
import tensorflow as tf

from rewriter.backends.forms.node import Form, Node, NoForm, Value, dims, known, rank, sizes, whole
from rewriter.backends.forms.pool import over_space

MOST_ADDED = 4096  # elements of float32 in one sum: of 131,072 a net came out 1.3e-4 of its scale off


def mean(x: Value, axes: list[int]) -> Value:
    """Over these axes, which stay with size 1: of many elements axis by axis, since TFLite adds one after the other."""
    sizes_of_axes = [dims(x)[axis] for axis in axes]
    if None not in sizes_of_axes and math.prod(whole(tuple(sizes_of_axes))) <= MOST_ADDED:
        return tf.reduce_mean(x, axes, keepdims=True)
    return reduce(lambda y, axis: tf.reduce_mean(y, axis, keepdims=True), axes, x)


def normalised(x: Value, axes: list[int], epsilon: float) -> Value:
    """Mean 0 and variance 1 over these axes."""
    apart = x - mean(x, axes)
    variance = mean(tf.square(apart), axes)
    return apart * tf.math.rsqrt(variance + np.float32(epsilon))


def along(vector: Value, axis: int, ranks: int) -> Value:
    """A vector as a tensor of that rank, along one axis."""
    if axis % ranks == ranks - 1:
        return vector
    shape = [1] * ranks
    shape[axis] = -1
    return vector.reshape(shape) if isinstance(vector, np.ndarray) else tf.reshape(vector, shape)


def batch_norm(node: Node, x: Value, scale: Value, bias: Value, mean: Value, variance: Value) -> Value:
    """Of inference, channels second: a factor and a summand for each."""
    factor, summand = _affine(node, scale, bias, mean, variance)
    place = min(1, rank(x) - 1)
    return x * along(factor, place, rank(x)) + along(summand, place, rank(x))


def batch_norm_last(node: Node, x: Value, scale: Value, bias: Value, mean: Value, variance: Value) -> Value:
    """Channels last. Behind a convolution TFLite folds both into it.

    Elsewhere it is a convolution of each channel alone: one operator, which int8 rounds once, with scales by channel.
    """
    factor, summand = _affine(node, scale, bias, mean, variance)
    producer = node.producers[0] if node.producers else None
    if known(factor) is None or rank(x) != 4 or (producer is not None and "Conv" in producer.op_type):
        return x * factor + summand
    return tf.nn.bias_add(tf.nn.depthwise_conv2d(x, factor.reshape(1, 1, -1, 1), [1] * 4, "VALID"), summand)


def _affine(node: Node, scale: Value, bias: Value, mean: Value, variance: Value) -> tuple[Value, Value]:
    if node.attr("training_mode", 0):
        raise NoForm("it is in training mode")
    root = np.sqrt if known(variance) is not None else tf.sqrt
    factor = scale / root(variance + np.float32(node.attr("epsilon", 1e-5)))
    return factor, bias - mean * factor


def layer_norm(node: Node, x: Value, scale: Value, bias: Value | None = None) -> Value:
    """Over all axes from ``axis`` on."""
    axis = node.attr("axis", -1) % rank(x)
    y = normalised(x, list(range(axis, rank(x))), node.attr("epsilon", 1e-5)) * scale
    return y if bias is None else y + bias


def rms_norm(node: Node, x: Value, scale: Value) -> Value:
    """As a layer's, without a mean."""
    axes = list(range(node.attr("axis", -1) % rank(x), rank(x)))
    squares = tf.reduce_mean(tf.square(x), axes, keepdims=True)
    return x * tf.math.rsqrt(squares + np.float32(node.attr("epsilon", 1e-5))) * scale


def instance_norm(node: Node, x: Value, scale: Value, bias: Value) -> Value:
    """Channels second."""
    y = normalised(x, list(range(2, rank(x))), node.attr("epsilon", 1e-5))
    return y * along(scale, 1, rank(x)) + along(bias, 1, rank(x))


def instance_norm_last(node: Node, x: Value, scale: Value, bias: Value) -> Value:
    """Channels last; ``group_shape``: channels in groups are normalised as one."""
    shape = node.attr("group_shape")
    if shape is None:
        return normalised(x, over_space(x), node.attr("epsilon", 1e-5)) * scale + bias
    groups = shape[1]
    if groups <= 0:
        raise NoForm("the number of its groups is not known")
    return in_groups(x, groups, node.attr("epsilon", 1e-5), scale, bias, by_group=True)


def group_norm_last(node: Node, x: Value, scale: Value, bias: Value) -> Value:
    """A scale and bias for each channel, since opset 21, or for each group."""
    groups = node.attr("num_groups")
    return in_groups(x, groups, node.attr("epsilon", 1e-5), scale, bias, by_group=dims(scale) == (groups,))


def in_groups(x: Value, groups: int, epsilon: float, scale: Value, bias: Value, *, by_group: bool) -> Value:
    """Normalised over space and the channels of a group: as ``[N, space, groups, channels of one]``."""
    channels = whole(dims(x)[-1:])[0]
    each = channels // groups
    parts = tf.reshape(x, tf.stack([*sizes(x)[:1], -1, groups, each]))
    y = normalised(parts, [1, 3], epsilon)
    if by_group:
        y = y * along(scale, 2, 4) + along(bias, 2, 4)
    y = tf.reshape(y, tf.stack(sizes(x)))
    return y if by_group else y * scale + bias


def lrn(node: Node, x: Value) -> Value:
    """TensorFlow's: ``depth_radius`` on both sides, ``alpha`` of each element."""
    size = node.attr("size")
    if size % 2 == 0:
        raise NoForm("its size is even")
    alpha, beta, bias = (node.attr(name, value) for name, value in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    return tf.nn.local_response_normalization(x, size // 2, bias, alpha / size, beta)


def lp_norm(node: Node, x: Value) -> Value:
    """By the sum of magnitudes, or the root of that of squares."""
    axis = node.attr("axis", -1)
    if node.attr("p", 2) == 1:
        return x / tf.reduce_sum(tf.abs(x), axis, keepdims=True)
    return x / tf.sqrt(tf.reduce_sum(tf.square(x), axis, keepdims=True))


ROWS: dict[str, Form] = {
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "LpNormalization": lp_norm,
    "RMSNormalization": rms_norm,
}
LAST: dict[str, Form] = {
    "BatchNormalization": batch_norm_last,
    "GroupNormalization": group_norm_last,
    "InstanceNormalization": instance_norm_last,
    "LRN": lrn,
}
