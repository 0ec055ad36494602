"""Layers of TensorFlow and Keras, made from a manifest's entry and filled from its tensors."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.interop.common import Array, Weights

TRANSPOSED = {1: tf.nn.conv1d_transpose, 2: tf.nn.conv2d_transpose, 3: tf.nn.conv3d_transpose}
DEPTHWISE = {1: keras.layers.DepthwiseConv1D, 2: keras.layers.DepthwiseConv2D}


def padded(x: Any, layer: Mapping[str, Any]) -> Any:
    return tf.pad(x, layer["pad"], constant_values=float(layer.get("pad_value", 0))) if "pad" in layer else x


def convolution(x: Any, kernel: Any, strides: Sequence[int], padding: str, dilations: Sequence[int]) -> Any:
    """``tf.nn.convNd``: unlike ``tf.nn.convolution`` and Keras it takes strides and dilations at once."""
    if len(strides) == 1:
        return tf.nn.conv1d(x, kernel, strides[0], padding, dilations=dilations[0])
    if len(strides) == 2:
        return tf.nn.conv2d(x, kernel, strides, padding, dilations=dilations)
    return tf.nn.conv3d(x, kernel, [1, *strides, 1], padding, dilations=[1, *dilations, 1])


def conv(x: Any, layer: Mapping[str, Any], weights: Mapping[str, Array]) -> Any:
    """In 3-D with groups through XLA, as the manifest's note says."""

    def run(x: Any) -> Any:
        return convolution(x, kernel, layer["strides"], layer["padding"], layer["dilations"])

    kernel = tf.constant(weights["kernel"])
    xla = layer["groups"] > 1 and kernel.ndim == 5
    y = tf.function(run, jit_compile=True)(padded(x, layer)) if xla else run(padded(x, layer))
    return y + weights["bias"] if "bias" in weights else y


def depthwise(x: Any, layer: Mapping[str, Any], weights: Mapping[str, Array]) -> Any:
    """The Keras layer."""
    kernel = weights["kernel"]
    made = DEPTHWISE[kernel.ndim - 2](
        tuple(kernel.shape[:-2]),
        strides=layer["strides"][0],
        padding=layer["padding"].lower(),
        depth_multiplier=kernel.shape[-1],
        dilation_rate=layer["dilations"][0],
        use_bias="bias" in weights,
    )
    return filled(made, padded(x, layer), weights)


def conv_transpose(x: Any, layer: Mapping[str, Any], weights: Mapping[str, Array]) -> Any:
    """``tf.nn.convN_transpose``."""
    kernel, dims = weights["kernel"], len(layer["strides"])
    sizes = zip(x.shape[1:-1], layer["output_size"]["scale"], layer["output_size"]["offset"], strict=True)
    shape = [x.shape[0], *(n * scale + offset for n, scale, offset in sizes), kernel.shape[-2]]
    y = TRANSPOSED[dims](x, kernel, shape, layer["strides"], layer["padding"], dilations=layer["dilations"])
    return trimmed(y, layer) + weights.get("bias", np.float32(0))


def keras_conv_transpose(x: Any, layer: Mapping[str, Any], weights: Mapping[str, Array]) -> Any:
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


def trimmed(y: Any, layer: Mapping[str, Any]) -> Any:
    """Cropped and padded as the layer says."""
    for axis, (before, after) in enumerate(layer.get("crop", []), 1):
        y = tf.gather(y, tf.range(before, y.shape[axis] - after), axis=axis)
    return padded(y, layer)


def pool(x: Any, layer: Mapping[str, Any]) -> Any:
    kind = "AVG" if layer["kind"] == "average_pool" else "MAX"

    def run(x: Any) -> Any:
        return tf.nn.pool(
            padded(x, layer),
            layer["kernel_size"],
            kind,
            layer["strides"],
            layer["padding"],
            dilations=layer["dilations"],
        )

    return run(x) / run(tf.ones_like(x)) if layer.get("divide_by_ones") else run(x)


def filled(made: keras.layers.Layer, x: Any, weights: Mapping[str, Array]) -> Any:
    """``set_weights`` takes parameters in the manifest's order."""
    if not made.built:
        made.build(x.shape)
    made.set_weights(list(weights.values()))
    return made(x)


def layer(x: Any, entry: Mapping[str, Any], weights: Weights) -> Any:
    """Any one layer of the manifest."""
    parameters = weights.of(entry)
    if entry["kind"] == "depthwise_conv" and parameters["kernel"].ndim < 5:
        return depthwise(x, entry, parameters)
    if entry["kind"] in ("conv", "depthwise_conv"):
        return conv(x, entry, parameters)
    return conv_transpose(x, entry, parameters)
