"""Operators on each element alone; operands are broadcast as numpy does, in ONNX and TensorFlow alike."""

from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import tensorflow as tf
from onnx import helper

from rewriter.backends.forms.node import Form, Node, NoForm, Value, known, rank
from rewriter.backends.forms.reduce import softmax_axes
from rewriter.backends.guards import is_guard

UNARY: dict[str, Any] = {
    "Abs": tf.abs,
    "Ceil": tf.math.ceil,
    "Cos": tf.cos,
    "Exp": tf.exp,
    "Floor": tf.floor,
    "Identity": tf.identity,
    "Log": tf.math.log,
    "Neg": tf.negative,
    "Not": tf.logical_not,
    "Reciprocal": lambda x: 1.0 / x,
    "Relu": tf.nn.relu,
    "Round": tf.round,  # half to even, both
    "Sigmoid": tf.sigmoid,
    "Sign": tf.sign,
    "Sin": tf.sin,
    "Sinh": lambda x: (tf.exp(x) - tf.exp(-x)) / 2,
    "Cosh": lambda x: (tf.exp(x) + tf.exp(-x)) / 2,
    "Softsign": lambda x: x / (1 + tf.abs(x)),
    "Sqrt": tf.sqrt,
    "Tan": lambda x: tf.sin(x) / tf.cos(x),
    "Tanh": tf.tanh,
    "Mish": lambda x: x * tf.tanh(softplus(x)),
    "HardSwish": lambda x: x * tf.nn.relu6(x + 3) * np.float32(1 / 6),
    "IsNaN": lambda x: tf.not_equal(x, x),
}
BINARY: dict[str, Any] = {
    "Add": tf.add,
    "And": tf.logical_and,
    "Equal": tf.equal,
    "Greater": tf.greater,
    "GreaterOrEqual": tf.greater_equal,
    "Less": tf.less,
    "LessOrEqual": tf.less_equal,
    "Mul": tf.multiply,
    "Or": tf.logical_or,
    "Sub": tf.subtract,
    "Xor": tf.not_equal,
}
VARIADIC: dict[str, Any] = {"Max": tf.maximum, "Min": tf.minimum, "Sum": tf.add}


def softplus(x: Value) -> Value:
    """``log(1 + e^x)``, which does not overflow."""
    return tf.nn.relu(x) + tf.math.log(1 + tf.exp(-tf.abs(x)))


def div(node: Node, a: Value, b: Value) -> Value:
    """Of integers it cuts off what is behind the point: one more than the floor, where that is below."""
    if tf.as_dtype(a.dtype).is_floating:
        return tf.divide(a, b)
    if a.dtype == tf.int64:
        return tf.cast(div(node, _as_size(a), _as_size(b)), tf.int64)
    floor = tf.math.floordiv(a, b)
    is_below = tf.logical_and(tf.not_equal(floor * b, a), tf.not_equal(tf.less(a, 0), tf.less(b, 0)))
    return floor + tf.cast(is_below, floor.dtype)


def _as_size(value: Value) -> Value:
    """TFLite divides no int64, so that sizes are taken as int32, which have to fit there. Raises NoForm for others."""
    if rank(value) > 1:
        raise NoForm("TFLite divides no int64")
    return tf.cast(value, tf.int32)


def mod(node: Node, a: Value, b: Value) -> Value:
    """With the sign of the divisor, or, as ``fmod``, of the dividend."""
    if a.dtype == tf.int64:
        return tf.cast(mod(node, _as_size(a), _as_size(b)), tf.int64)
    return tf.sign(a) * tf.math.floormod(tf.abs(a), tf.abs(b)) if node.attr("fmod", 0) else tf.math.floormod(a, b)


def power(_: Node, x: Value, exponent: Value) -> Value:
    """The result has the type of ``x``; a whole exponent of 2 is a square, which knows negative numbers everywhere."""
    constant = known(exponent)
    if constant is not None and constant.size == 1 and constant.item() in (2, 0.5):
        return tf.square(x) if constant.item() == 2 else tf.sqrt(x)
    return tf.pow(x, tf.cast(exponent, x.dtype))


def clip(node: Node, x: Value, low: Value | None = None, high: Value | None = None) -> Value:
    """Bounds are attributes before opset 11; 0 and 6 are RELU6 to TFLite."""
    low, high = node.attr("min", low), node.attr("max", high)
    if (
        x.dtype == tf.float32
        and all(bound is not None for bound in (low, high))
        and (known(low), known(high)) == (0, 6)
    ):
        return tf.nn.relu6(x)
    x = x if low is None else tf.maximum(x, tf.cast(low, x.dtype))
    return x if high is None else tf.minimum(x, tf.cast(high, x.dtype))


def leaky(node: Node, x: Value) -> Value:
    """TFLite has it as one operator."""
    return tf.nn.leaky_relu(x, node.attr("alpha", 0.01))


def prelu(_: Node, x: Value, slope: Value) -> Value:
    """As the pattern that the converter knows as PRELU, whose slopes have no axis for the batch."""
    constant = known(slope)
    if constant is not None and rank(x) > 1 and (constant.ndim < rank(x) or constant.shape[0] == 1):
        bare = constant[0] if constant.ndim == rank(x) else constant
        slope = bare.reshape([1] * (rank(x) - 1 - bare.ndim) + list(bare.shape))
    return tf.nn.relu(x) + tf.nn.relu(-x) * -slope


def hard_sigmoid(node: Node, x: Value) -> Value:
    """A line between 0 and 1."""
    line = x * np.float32(node.attr("alpha", 0.2)) + np.float32(node.attr("beta", 0.5))
    return tf.minimum(tf.nn.relu(line), np.float32(1))


def selu(node: Node, x: Value) -> Value:
    """``gamma * (alpha * e^x - alpha)`` below 0."""
    gamma, alpha = node.attr("gamma", 1.0507009873554805), node.attr("alpha", 1.6732632423543772)
    return np.float32(gamma) * (tf.nn.relu(x) + np.float32(alpha) * (tf.exp(tf.minimum(x, 0)) - 1))


def celu(node: Node, x: Value) -> Value:
    """``alpha * (e^(x / alpha) - 1)`` below 0."""
    alpha = np.float32(node.attr("alpha", 1.0))
    return tf.nn.relu(x) + alpha * (tf.exp(tf.minimum(x, 0) / alpha) - 1)


def elu(node: Node, x: Value) -> Value:
    """One operator where ``alpha`` is 1."""
    if node.attr("alpha", 1.0) == 1.0:
        return tf.nn.elu(x)
    return tf.nn.relu(x) + np.float32(node.attr("alpha")) * (tf.exp(tf.minimum(x, 0)) - 1)


def gelu(node: Node, x: Value) -> Value:
    """One operator, exact or by tanh; so spelled the converter knows it."""
    if node.attr("approximate", "none") == "tanh":
        return tf.nn.gelu(x, approximate=True)
    return (x * np.float32(0.5)) * (tf.math.erf(x * np.float32(0.5**0.5)) + np.float32(1))


def erf(_: Node, x: Value) -> Value:
    """Within 1.5e-7 (Abramowitz and Stegun, 7.1.26): TFLite has none but inside GELU."""
    t = 1 / (1 + np.float32(0.3275911) * tf.abs(x))
    factors = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    series = reduce(lambda total, factor: total * t + np.float32(factor), factors, tf.zeros_like(t)) * t
    return tf.sign(x) * (1 - series * tf.exp(-tf.square(x)))


def swish(node: Node, x: Value) -> Value:
    """``x * sigmoid(alpha * x)``."""
    return x * tf.sigmoid(x * np.float32(node.attr("alpha", 1.0)))


def cast(node: Node, x: Value) -> Value:
    """To a type that TensorFlow has."""
    return tf.cast(x, tf.as_dtype(helper.tensor_dtype_to_np_dtype(node.attr("to"))))


def where(node: Node, condition: Value, x: Value, y: Value) -> Value:
    """Broadcast as the others; of rows that are NaN as a whole or not at all, one element is asked."""
    if _guards_rows(node, y):
        condition = UNARY["IsNaN"](y[..., :1])
    return tf.where(condition, x, y)


def _guards_rows(node: Node, y: Value) -> bool:
    """Whether it is ``Where(IsNaN(y), x, y)`` of a Softmax along rows: their sum makes all of a row NaN, or nothing."""
    asked, _, made = node.producers
    if made is None or not is_guard(node.proto, asked, made):
        return False
    return softmax_axes(replace(node, proto=made), y) == [rank(y) - 1]


def is_inf(node: Node, x: Value) -> Value:
    """Beyond the largest numbers, of the signs that are asked for: LiteRT's EQUAL finds no infinity."""
    largest = x.dtype.max
    found = [tf.less(x, -largest)] * bool(node.attr("detect_negative", 1))
    found += [tf.greater(x, largest)] * bool(node.attr("detect_positive", 1))
    return reduce(tf.logical_or, found, tf.zeros_like(x, tf.bool))


def dropout(node: Node, x: Value, *_: Value) -> Value:
    """Nothing, in inference."""
    if known(node.inputs[2]) if node.given(2) else False:
        raise NoForm("it is in training mode")
    return tf.identity(x)


def unary(function: Any) -> Form:
    """A form of an operator without attributes."""
    return lambda _, x: function(x)


def binary(function: Any) -> Form:
    """A form of one with two operands."""
    return lambda _, a, b: function(a, b)


def variadic(function: Any) -> Form:
    """A form of one with any number of operands."""
    return lambda _, *operands: reduce(function, operands)


def mean(_: Node, *operands: Value) -> Value:
    """The sum by their number."""
    return reduce(tf.add, operands) / len(operands)


ROWS: dict[str, Form] = {
    **{op: unary(function) for op, function in UNARY.items()},
    **{op: binary(function) for op, function in BINARY.items()},
    **{op: variadic(function) for op, function in VARIADIC.items()},
    "Cast": cast,
    "CastLike": lambda _, x, like: tf.cast(x, like.dtype),
    "Celu": celu,
    "Clip": clip,
    "Div": div,
    "Dropout": dropout,
    "Elu": elu,
    "Erf": erf,
    "Gelu": gelu,
    "HardSigmoid": hard_sigmoid,
    "IsInf": is_inf,
    "LeakyRelu": leaky,
    "Mean": mean,
    "Mod": mod,
    "PRelu": prelu,
    "Pow": power,
    "Selu": selu,
    "Softplus": unary(softplus),
    "Swish": swish,
    "Where": where,
}
MICROSOFT: dict[str, Form] = {"Gelu": gelu}
LAST = {"HardSwish": ROWS["HardSwish"]}
