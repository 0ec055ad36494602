"""Quantised values in plain arithmetic, element by element, as the operators' specifications have it."""

from typing import Any

import numpy as np
import tensorflow as tf
from onnx import helper

from rewriter.backends.forms.node import Form, Node, NoForm, Value, known, rank
from rewriter.backends.forms.norm import along

ALMOST_ONE = float(np.nextafter(np.float32(1), np.float32(0)))  # by 1 nothing is multiplied: it is folded away


def _spread(node: Node, x: Value, vector: Value) -> Value:
    """Scales or zero points, one for all or one for each place along ``axis``."""
    if node.attr("block_size", 0):
        raise NoForm("it is quantised in blocks")
    if rank(vector) == 0:
        return vector
    return vector if tuple(vector.shape) == (1,) else along(vector, node.attr("axis", 1) % rank(x), rank(x))


def dequantize(node: Node, x: Value, scale: Value, zero: Value | None = None) -> Value:
    """``(x - zero) * scale``; of a constant at once."""
    scale, zero = _spread(node, x, scale), None if zero is None else _spread(node, x, zero)
    constants = [known(value) for value in (x, scale, 0 if zero is None else zero)]
    if all(constant is not None for constant in constants):
        x, scale, offset = (np.asarray(constant) for constant in constants)
        return ((x.astype(np.int32) - offset.astype(np.int32)) * scale).astype(np.float32)
    wide = tf.cast(x, tf.float32)
    return (wide if zero is None else wide - tf.cast(zero, tf.float32)) * scale


def _target(node: Node, zero: Value | None) -> Any:
    """The type of the zero point, else the one that is asked for, else uint8."""
    asked = node.attr("output_dtype", 0)
    return zero.dtype if zero is not None else helper.tensor_dtype_to_np_dtype(asked) if asked else np.uint8


def quantize(node: Node, x: Value, scale: Value, zero: Value | None = None) -> Value:
    """``round(x / scale) + zero``, half to even, within the type."""
    kind = tf.as_dtype(_target(node, zero)).as_numpy_dtype
    places = tf.round(x / _spread(node, x, scale))
    places = places if zero is None else places + tf.cast(_spread(node, x, zero), tf.float32)
    limits: Any = np.iinfo(kind)
    return tf.cast(tf.clip_by_value(places, float(limits.min), float(limits.max)), kind)


def fake_quantize(node: Node, x: Value) -> Value:
    """The range of ``x``, for TensorFlow's converter. Of two in a row it forgets one, but for an operator between."""
    x = tf.nn.leaky_relu(x, ALMOST_ONE) if node.attr("again") else x
    low, high, narrow = node.attr("low"), node.attr("high"), bool(node.attr("narrow"))
    if len(low) == 1:
        return tf.quantization.fake_quant_with_min_max_vars(x, low[0], high[0], narrow_range=narrow)
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(x, low, high, narrow_range=narrow)


def saturate(node: Node, x: Value) -> Value:
    """Between the lowest and the highest number that a type has, for all or for each place along ``axis``."""
    low, high = (np.asarray(node.attr(name), np.float32) for name in ("low", "high"))
    if low.size > 1:
        low, high = (along(end, node.attr("axis") % rank(x), rank(x)) for end in (low, high))
    return tf.minimum(tf.maximum(x, low) if low.any() else tf.nn.relu(x), high)


ROWS: dict[str, Form] = {"DequantizeLinear": dequantize, "QuantizeLinear": quantize}
MICROSOFT = ROWS
RANGES: dict[str, Form] = {"FakeQuantize": fake_quantize, "Saturate": saturate}
