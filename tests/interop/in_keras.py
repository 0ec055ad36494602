"""Keras's own transposed convolution, which takes ``output_padding`` where ``tf.nn`` takes a shape."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from rewriter.weights.check.record import Entry
from rewriter.weights.check.tensorflow import filled, trimmed
from tests.interop.common import Array


def conv_transpose(x: Any, layer: Entry, weights: Mapping[str, Array]) -> Any:
    """The Keras layer; its bias is added to the zeros behind too, so that it is added after these."""
    kernel, dims = weights["kernel"], len(layer["strides"])
    made = getattr(keras.layers, f"Conv{dims}DTranspose")(
        kernel.shape[-2],
        tuple(layer["kernel_size"]),
        strides=tuple(layer["strides"]),
        padding=layer["padding"].lower(),
        output_padding=None if layer.get("output_padding") is None else tuple(layer["output_padding"]),
        dilation_rate=tuple(layer["dilations"]),
        use_bias=False,
    )
    y = filled(made, x, {"kernel": kernel})
    return trimmed(y, layer) + weights.get("bias", np.float32(0))
