"""Operators that make one number of many along axes."""

from collections.abc import Callable

import tensorflow as tf

from rewriter.backends.forms.node import Form, Node, NoForm, Value, axes_of, dims, rank

REDUCTIONS: dict[str, Callable[..., Value]] = {
    "ReduceL1": lambda x, axes, keep: tf.reduce_sum(tf.abs(x), axes, keep),
    "ReduceL2": lambda x, axes, keep: tf.sqrt(tf.reduce_sum(tf.square(x), axes, keep)),
    "ReduceLogSum": lambda x, axes, keep: tf.math.log(tf.reduce_sum(x, axes, keep)),
    "ReduceLogSumExp": lambda x, axes, keep: tf.math.log(tf.reduce_sum(tf.exp(x), axes, keep)),
    "ReduceMax": tf.reduce_max,
    "ReduceMean": tf.reduce_mean,
    "ReduceMin": tf.reduce_min,
    "ReduceProd": tf.reduce_prod,
    "ReduceSum": tf.reduce_sum,
    "ReduceSumSquare": lambda x, axes, keep: tf.reduce_sum(tf.square(x), axes, keep),
}


def reduction(function: Callable[..., Value]) -> Form:
    """Along ``axes``, all if there are none, but with ``noop_with_empty_axes``."""

    def form(node: Node, x: Value, *_: Value) -> Value:
        none_given = not node.setting("axes", 1)
        if none_given and node.attr("noop_with_empty_axes", 0):
            return tf.identity(x)
        axes = list(range(rank(x))) if none_given else axes_of(node, x)
        return function(x, axes, bool(node.attr("keepdims", 1)))

    return form


def softmax_axes(node: Node, x: Value) -> list[int]:
    """One axis; before opset 13 all from ``axis`` on, as one."""
    axis = node.attr("axis", -1 if node.opset >= 13 else 1) % rank(x)
    return [axis] if node.opset >= 13 else list(range(axis, rank(x)))


def softmax(node: Node, x: Value) -> Value:
    """TFLite's is along the last axis; along another it would move the data there and back."""
    axes = softmax_axes(node, x)
    if axes == [rank(x) - 1]:
        return tf.nn.softmax(x)
    powers = tf.exp(x - tf.reduce_max(x, axes, keepdims=True))
    return powers / tf.reduce_sum(powers, axes, keepdims=True)


def log_softmax(node: Node, x: Value) -> Value:
    """Likewise."""
    axes = softmax_axes(node, x)
    if axes == [rank(x) - 1]:
        return tf.nn.log_softmax(x)
    apart = x - tf.reduce_max(x, axes, keepdims=True)
    return apart - tf.math.log(tf.reduce_sum(tf.exp(apart), axes, keepdims=True))


def arg(function: Callable[..., Value]) -> Form:
    """The first of the largest (or least): TensorFlow's, too, on a tie."""

    def form(node: Node, x: Value) -> Value:
        if node.attr("select_last_index", 0):
            raise NoForm("it takes the last on a tie")
        axis = node.attr("axis", 0) % rank(x)
        y = function(x, axis, tf.int64)
        return tf.expand_dims(y, axis) if node.attr("keepdims", 1) else y

    return form


def top_k(node: Node, x: Value, k: Value | None = None) -> list[Value]:
    """The largest along the last axis; on a tie the first comes first, in both."""
    if node.attr("axis", -1) % rank(x) != rank(x) - 1 or not node.attr("largest", 1):
        raise NoForm("TFLite has the largest along the last axis only")
    count = node.attr("k") if k is None else tf.reshape(k, [])
    values, places = tf.math.top_k(x, tf.cast(count, tf.int32))
    return [values, tf.cast(places, tf.int64)]


def cum_sum(node: Node, x: Value, _: Value) -> Value:
    """The axis is an input."""
    axis = int(node.static(1).item())
    return tf.cumsum(x, axis, bool(node.attr("exclusive", 0)), bool(node.attr("reverse", 0)))


def hardmax(node: Node, x: Value) -> Value:
    """1 at the first of the largest."""
    (axis,) = softmax_axes(node, x)[:1]
    if node.opset < 13 and axis != rank(x) - 1:
        raise NoForm("it flattens its input")
    return tf.one_hot(tf.argmax(x, axis), dims(x)[axis], axis=axis, dtype=x.dtype)


ROWS: dict[str, Form] = {
    **{op: reduction(function) for op, function in REDUCTIONS.items()},
    "ArgMax": arg(tf.argmax),
    "ArgMin": arg(tf.argmin),
    "CumSum": cum_sum,
    "Hardmax": hardmax,
    "LogSoftmax": log_softmax,
    "Softmax": softmax,
    "TopK": top_k,
}
