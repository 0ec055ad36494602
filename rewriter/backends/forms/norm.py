"""Normalisations, in plain arithmetic: TFLite folds what follows a convolution into it, and has no other form."""

import numpy as np
import tensorflow as tf

from rewriter.backends.forms.node import Form, Node, NoForm, Value, dims, known, rank, sizes, whole
from rewriter.backends.forms.pool import over_space


def normalised(x: Value, axes: list[int], epsilon: float) -> Value:
    """Mean 0 and variance 1 over these axes."""
    mean = tf.reduce_mean(x, axes, keepdims=True)
    apart = x - mean
    variance = tf.reduce_mean(tf.square(apart), axes, keepdims=True)
    return apart * tf.math.rsqrt(variance + np.float32(epsilon))


def along(vector: Value, axis: int, ranks: int) -> Value:
    """A vector as a tensor of that rank, along one axis."""
    if axis % ranks == ranks - 1:
        return vector
    shape = [1] * ranks
    shape[axis] = -1
    return vector.reshape(shape) if isinstance(vector, np.ndarray) else tf.reshape(vector, shape)


def batch_norm(axis: int) -> Form:
    """Of inference: a factor and a summand for each channel."""

    def form(node: Node, x: Value, scale: Value, bias: Value, mean: Value, variance: Value) -> Value:
        if node.attr("training_mode", 0):
            raise NoForm("it is in training mode")
        root = np.sqrt if known(variance) is not None else tf.sqrt
        factor = scale / root(variance + np.float32(node.attr("epsilon", 1e-5)))
        place = min(axis % rank(x), rank(x) - 1)
        return x * along(factor, place, rank(x)) + along(bias - mean * factor, place, rank(x))

    return form


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
    "BatchNormalization": batch_norm(1),
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "LpNormalization": lp_norm,
    "RMSNormalization": rms_norm,
}
LAST: dict[str, Form] = {
    "BatchNormalization": batch_norm(-1),
    "GroupNormalization": group_norm_last,
    "InstanceNormalization": instance_norm_last,
    "LRN": lrn,
}
