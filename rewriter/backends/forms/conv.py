"""Convolutions on channels-last tensors. Kernels come as ``HWIO`` (``I`` of one group), transposed ones likewise."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from rewriter.backends.forms.node import Form, Node, NoForm, Value, dims, known, rank, sizes, whole
from rewriter.backends.forms.windows import OPEN, padded, windows
from rewriter.weights.frameworks.tensorflow import TensorFlow
from rewriter.weights.windows import Windows, spread, transpose_pads_of

TENSORFLOW = TensorFlow()


def conv(node: Node, x: Value, kernel: Value, bias: Value | None = None) -> Value:
    """SAME where that pads as much, else what is padded apart; one axis of space is an image of height 1."""
    shape = whole(dims(kernel), "the shape of its kernel")
    x = with_channels(x, shape[-2] * node.attr("group", 1))
    at, same = windows(node, x, shape[:-2])
    y = convolved(x if same else padded(x, at.pads), kernel, at, node.attr("group", 1), "SAME" if same else "VALID")
    return y if bias is None else tf.nn.bias_add(y, bias)


def with_channels(x: Value, channels: int) -> Value:
    """``x`` with a known number of channels, as TFLite needs it."""
    return x if dims(x)[-1] is not None else tf.reshape(x, tf.stack([*sizes(x)[:-1], channels]))


def convolved(x: Value, kernel: Value, at: Windows, groups: int, padding: str) -> Value:
    """The convolution alone, of one, two or three axes of space."""
    spatial = len(at.kernel)
    if spatial == 1:
        wide = Windows([1, *at.kernel], [1, *at.strides], [1, *at.dilations], [(0, 0), *at.pads])
        return tf.squeeze(convolved(tf.expand_dims(x, 1), kernel[None], wide, groups, padding), 1)
    if spatial == 2 and groups > 1 and groups == dims(x)[-1]:
        return depthwise(x, kernel, at, padding)
    if spatial == 2:
        return tf.nn.conv2d(x, kernel, at.strides, padding, dilations=at.dilations)
    if spatial > 3:
        raise NoForm(f"it has {spatial} axes of space")
    one = [conv3d(*pair, at, padding) for pair in in_groups(x, kernel, groups)]
    return tf.concat(one, -1) if len(one) > 1 else one[0]


def depthwise(x: Value, kernel: Value, at: Windows, padding: str) -> Value:
    """``HW1(CM) -> HWCM``; strides that differ have no kernel in TensorFlow, one group each has."""
    height, width, *_ = dims(kernel)
    if at.strides[0] != at.strides[1]:
        return tf.nn.conv2d(x, kernel, at.strides, padding, dilations=at.dilations)
    folded = tf.reshape(kernel, [height, width, dims(x)[-1], -1])
    constant = known(kernel)
    if constant is not None:
        folded = constant.reshape(height, width, dims(x)[-1], -1)
    return tf.nn.depthwise_conv2d(x, folded, [1, *at.strides, 1], padding, dilations=at.dilations)


def conv3d(x: Value, kernel: Value, at: Windows, padding: str) -> Value:
    """Kernels ``DHWIO``."""
    return tf.nn.conv3d(x, kernel, [1, *at.strides, 1], padding, dilations=[1, *at.dilations, 1])


def in_groups(x: Value, kernel: Value, groups: int, kernel_axis: int = -1) -> list[tuple[Value, Value]]:
    """The channels of ``x`` and of the kernel for each group."""
    if groups == 1:
        return [(x, kernel)]
    return list(zip(tf.split(x, groups, -1), tf.split(kernel, groups, kernel_axis), strict=True))


def conv_transpose(node: Node, x: Value, kernel: Value, bias: Value | None = None) -> Value:
    """SAME where that cuts as much, else all of the result, cut apart; a dilated kernel is one with zeros between.

    Kernels are ``HWIO``, ``O`` of one group; TensorFlow's are ``HWOI``. TFLite adds a bias in the operator itself, so
    that it comes before the cut, but not before zeros that end the result.
    """
    shape = whole(dims(kernel), "the shape of its kernel")
    at, extra = _transposed_windows(node, x, shape)
    pads = transpose_pads_of(node.attrs, at, extra)
    if pads is None:
        raise NoForm(OPEN)
    told = TENSORFLOW.conv_transpose_padding(replace(at, pads=pads), extra)
    sizes_told, groups = told["output_size"], node.attr("group", 1)
    kernel = _dilated(_turned(kernel), at.dilations)
    spans = list(zip(sizes_told["scale"], sizes_told["offset"], strict=True))
    parts = [_transposed(one, w, spans, told["padding"]) for one, w in in_groups(x, kernel, groups)]
    y = tf.concat(parts, -1) if groups > 1 else parts[0]
    early = bias is not None and "pad" not in told
    y = tf.nn.bias_add(y, bias) if early else y
    cut = told.get("crop", [])
    y = y[(slice(None), *(slice(before, -after or None) for before, after in cut))] if any(map(any, cut)) else y
    y = padded(y, told["pad"][1:-1]) if "pad" in told else y
    assert rank(y) == len(shape)
    return y if bias is None or early else tf.nn.bias_add(y, bias)


def _transposed_windows(node: Node, x: Value, shape: list[int]) -> tuple[Windows, list[int]]:
    ones = [1] * (len(shape) - 2)
    strides, dilations = node.attr("strides") or ones, node.attr("dilations") or ones
    extra = spread(len(shape) - 2, node.attr("output_padding") or 0, "output_padding")
    return Windows(shape[:-2], list(strides), list(dilations), [(0, 0)] * len(ones), [*dims(x)[1:-1]]), extra


def _turned(kernel: Value) -> Value:
    """``HWIO -> HWOI``."""
    constant = known(kernel)
    if constant is None:
        return tf.transpose(kernel, [*range(rank(kernel) - 2), rank(kernel) - 1, rank(kernel) - 2])
    return np.swapaxes(constant, -1, -2)


def _dilated(kernel: Value, dilations: list[int]) -> Value:
    if set(dilations) == {1}:
        return kernel
    if known(kernel) is None:
        raise NoForm("its kernel is computed, and dilated")
    extents = [(size - 1) * step + 1 for size, step in zip(kernel.shape, dilations, strict=False)]
    wide = np.zeros((*extents, *kernel.shape[-2:]), kernel.dtype)
    wide[tuple(slice(None, None, step) for step in dilations)] = kernel
    return wide


def _transposed(x: Value, kernel: Value, spans: Sequence[tuple[int, int]], padding: str) -> Value:
    """``scale * size + offset`` elements along each axis of space (``spans``); the scale is the stride."""
    if len(spans) == 1:
        return tf.squeeze(_transposed(tf.expand_dims(x, 1), kernel[None], [(1, 0), *spans], padding), 1)
    batch, *space, _ = sizes(x)
    results = [n * scale + offset for n, (scale, offset) in zip(space, spans, strict=True)]
    shape = tf.stack([batch, *results, dims(kernel)[-2]])
    run = tf.nn.conv2d_transpose if len(spans) == 2 else tf.nn.conv3d_transpose
    return run(x, kernel, shape, [scale for scale, _ in spans], padding)


LAST: dict[str, Form] = {"Conv": conv, "ConvTranspose": conv_transpose}
