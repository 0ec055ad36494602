"""Pools on channels-last tensors ``[N, spatial..., C]``."""

from dataclasses import replace
from itertools import product

import numpy as np
import tensorflow as tf
from onnx import NodeProto

from passes.layout.edit import Array
from rewriter.backends.forms.node import Form, Node, NoForm, Value, dims, rank, whole
from rewriter.backends.forms.windows import OPEN, padded, windows
from rewriter.weights.windows import Windows, whole_pads

NOT_NEGATIVE = ("Relu", "Sigmoid", "Softmax", "Abs")


def max_pool(node: Node, x: Value) -> Value:
    """What is padded must never be the largest: 0 behind a Relu, a mirror image within the window, or the lowest."""
    if len(node.declared) > 1:
        raise NoForm("TFLite has no indices of maxima")
    at, same = _windows(node, x)
    if same and set(at.dilations) == {1}:
        return _pooled(x, at, "MAX", "SAME")
    return _pooled(_padded_for_max(node, x, at), at, "MAX", "VALID")


def _padded_for_max(node: Node, x: Value, at: Windows) -> Value:
    if _is_not_negative(node.producers[0] if node.producers else None):
        return padded(x, at.pads)
    fits = (2 * max(pads) <= kernel for kernel, pads in zip(at.kernel, at.pads, strict=True))
    if (
        all(fits)
        and set(at.dilations) == {1}
        and all(n is None or n >= max(p) for n, p in zip(dims(x)[1:-1], at.pads, strict=True))
    ):
        return padded(x, at.pads, mode="SYMMETRIC")
    return padded(x, at.pads, constant_values=tf.as_dtype(x.dtype).min)


def _is_not_negative(producer: NodeProto | None) -> bool:
    return producer is not None and producer.op_type in NOT_NEGATIVE


def average_pool(node: Node, x: Value) -> Value:
    """An average over the window, times its size over what ONNX counts of it: a map, by place."""
    at, same = _windows(node, x)
    counted = bool(node.attr("count_include_pad", 0))
    if same and set(at.dilations) == {1} and not (counted and any(map(any, at.pads))):
        return _pooled(x, at, "AVG", "SAME")
    y = _pooled(padded(x, at.pads), at, "AVG", "VALID")
    if not any(map(any, at.pads)):
        return y
    given = node.attr("pads") or [0] * 2 * len(at.kernel)
    if counted and at.pads == list(zip(given[: len(given) // 2], given[len(given) // 2 :], strict=True)):
        return y
    return y * _factors(at, whole(dims(x)[1:-1]), given if counted else [0] * len(given))


def _factors(at: Windows, size: list[int], counted: list[int]) -> Array:
    """Elements of a window over those counted, ``[1, spatial..., 1]``; ``counted``: how much of the padding is."""
    count = np.ones((), np.float64)
    for axis, n in enumerate(size):
        before, after = at.pads[axis]
        ones = np.zeros(before + n + after)
        ones[before - counted[axis] : before + n + counted[axis + len(size)]] = 1
        steps = range(0, len(ones) - at.extents[axis] + 1, at.strides[axis])
        along = [ones[start : start + at.extents[axis] : at.dilations[axis]].sum() for start in steps]
        count = count[..., None] * np.array(along)
    return (np.prod(at.kernel) / count)[None, ..., None].astype(np.float32)


def _windows(node: Node, x: Value) -> tuple[Windows, bool]:
    """With the padding for windows that ``ceil_mode`` adds; whether SAME pads as much."""
    at, same = windows(node, x, node.attr("kernel_shape"))
    if not node.attr("ceil_mode", 0):
        if not at.pads and (node.attr("count_include_pad", 0) or set(at.dilations) != {1} or len(at.kernel) > 2):
            raise NoForm(OPEN)
        return at, same
    pads = whole_pads(at) if at.pads else None
    if pads is None:
        raise NoForm("ceil_mode adds a window where the input's size leaves a rest, which is not known")
    at = replace(at, pads=pads)
    return at, at.is_same(at.size)


def _pooled(x: Value, at: Windows, kind: str, padding: str) -> Value:
    """Of one, two or three axes of space; TFLite has no dilated pools, and none of three axes."""
    if set(at.dilations) != {1}:
        return _by_parts(x, at, kind)
    if len(at.kernel) == 1:
        wide = [1, *at.kernel], [1, *at.strides]
        return tf.squeeze(_pool2d(tf.expand_dims(x, 1), *wide, kind, padding), 1)
    if len(at.kernel) == 2:
        return _pool2d(x, at.kernel, at.strides, kind, padding)
    return _pool3d(x, at, kind, padding)


def _pool2d(x: Value, kernel: list[int], strides: list[int], kind: str, padding: str) -> Value:
    return (tf.nn.max_pool2d if kind == "MAX" else tf.nn.avg_pool2d)(x, kernel, strides, padding)


def _pool3d(x: Value, at: Windows, kind: str, padding: str) -> Value:
    """First height and width, frame by frame, then the frames, with both in one axis."""
    if padding == "SAME":
        if kind == "AVG" and any(map(any, at.pads)):
            raise NoForm("TFLite has no average over three axes with padding")
        x = padded(x, at.pads, constant_values=tf.as_dtype(x.dtype).min)
    depth, height, width, channels = whole(dims(x)[1:])
    flat = tf.reshape(x, [-1, height, width, channels])
    flat = _pool2d(flat, at.kernel[1:], at.strides[1:], kind, "VALID")
    height, width = whole(dims(flat)[1:3])
    rows = tf.reshape(flat, [-1, depth, height * width, channels])
    rows = _pool2d(rows, [at.kernel[0], 1], [at.strides[0], 1], kind, "VALID")
    return tf.reshape(rows, [-1, dims(rows)[1], height, width, channels])


def _by_parts(x: Value, at: Windows, kind: str) -> Value:
    """One shifted and strided view for each element of a window."""
    parts = []
    for place in product(*map(range, at.kernel)):
        along = zip(whole(dims(x)[1:-1]), place, at.dilations, at.strides, at.extents, strict=True)
        views = (slice(i * d, n - extent + i * d + 1, s) for n, i, d, s, extent in along)
        parts.append(x[(slice(None), *views)])
    stacked = tf.stack(parts)
    return tf.reduce_max(stacked, 0) if kind == "MAX" else tf.reduce_mean(stacked, 0)


def over_space(x: Value) -> list[int]:
    """The axes between batch and channels."""
    return list(range(1, rank(x) - 1))


def lp(x: Value, node: Node) -> Value:
    """``(sum |x|^p)^(1/p)`` over space."""
    p = node.attr("p", 2)
    if p not in (1, 2):
        raise NoForm(f"p is {p}")
    total = tf.reduce_sum(tf.square(x) if p == 2 else tf.abs(x), over_space(x), keepdims=True)
    return tf.sqrt(total) if p == 2 else total


LAST: dict[str, Form] = {
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda _, x: tf.reduce_mean(x, over_space(x), keepdims=True),
    "GlobalLpPool": lambda node, x: lp(x, node),
    "GlobalMaxPool": lambda _, x: tf.reduce_max(x, over_space(x), keepdims=True),
    "MaxPool": max_pool,
}
