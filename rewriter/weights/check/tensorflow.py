"""Layers of TensorFlow and Keras: ``layer`` takes and gives arrays channels last, recurrent ones [batch, steps,
features]."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rewriter.weights.check.record import Entry, NotRun, Weights, in_order, scaled
from rewriter.weights.tensors.letters import Array

TRANSPOSED = {1: tf.nn.conv1d_transpose, 2: tf.nn.conv2d_transpose, 3: tf.nn.conv3d_transpose}
DEPTHWISE = {1: keras.layers.DepthwiseConv1D, 2: keras.layers.DepthwiseConv2D}
RECURRENT = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}

Arrays = Mapping[str, Array]


def version() -> str:
    """Of the framework."""
    return f"{tf.__version__}, Keras {keras.__version__}"


def layer(x: Array, entry: Entry, weights: Weights) -> Array:
    """What any one layer of the manifest makes of ``x``. Raises NotRun."""
    with tf.device("CPU"):
        return np.asarray(LAYERS[entry["kind"]](x, entry, weights.of(entry)))


def padded(x: Any, entry: Entry) -> Any:
    return tf.pad(x, entry["pad"], constant_values=float(entry.get("pad_value", 0))) if "pad" in entry else x


def convolution(x: Any, kernel: Any, strides: Sequence[int], padding: str, dilations: Sequence[int]) -> Any:
    """``tf.nn.convNd``: unlike ``tf.nn.convolution`` and Keras it takes strides and dilations at once."""
    if len(strides) == 1:
        return tf.nn.conv1d(x, kernel, strides[0], padding, dilations=dilations[0])
    if len(strides) == 2:
        return tf.nn.conv2d(x, kernel, strides, padding, dilations=dilations)
    return tf.nn.conv3d(x, kernel, [1, *strides, 1], padding, dilations=[1, *dilations, 1])


def conv(x: Any, entry: Entry, given: Arrays) -> Any:
    """In 3-D with groups through XLA, as the manifest's note says."""

    def run(x: Any) -> Any:
        return convolution(x, kernel, entry["strides"], entry["padding"], entry["dilations"])

    kernel = tf.constant(given["kernel"])
    xla = entry["groups"] > 1 and kernel.ndim == 5
    y = tf.function(run, jit_compile=True)(padded(x, entry)) if xla else run(padded(x, entry))
    return y + given["bias"] if "bias" in given else y


def depthwise_conv(x: Any, entry: Entry, given: Arrays) -> Any:
    """The Keras layer, or in 3-D and where it does not take strides or dilations the convolution of groups."""
    kernel, strides, dilations = given["kernel"], entry["strides"], entry["dilations"]
    if kernel.ndim == 5:
        return conv(x, entry, given)
    if len(set(strides)) > 1 or len(set(dilations)) > 1 or (strides[0] > 1 and dilations[0] > 1):
        return conv(x, entry, {**given, "kernel": kernel.reshape(*kernel.shape[:-2], 1, -1)})
    made = DEPTHWISE[kernel.ndim - 2](
        tuple(kernel.shape[:-2]),
        strides=strides[0],
        padding=entry["padding"].lower(),
        depth_multiplier=kernel.shape[-1],
        dilation_rate=dilations[0],
        use_bias="bias" in given,
        dtype=kernel.dtype.name,
    )
    return filled(made, padded(x, entry), given)


def conv_transpose(x: Any, entry: Entry, given: Arrays) -> Any:
    """``tf.nn.convN_transpose``."""
    if entry["groups"] > 1:
        raise NotRun("TensorFlow has no grouped transposed convolution")
    kernel, dims = given["kernel"], len(entry["strides"])
    sizes = zip(x.shape[1:-1], entry["output_size"]["scale"], entry["output_size"]["offset"], strict=True)
    shape = [x.shape[0], *(n * scale + offset for n, scale, offset in sizes), kernel.shape[-2]]
    y = TRANSPOSED[dims](x, kernel, shape, entry["strides"], entry["padding"], dilations=entry["dilations"])
    return trimmed(y, entry) + given.get("bias", kernel.dtype.type(0))


def trimmed(y: Any, entry: Entry) -> Any:
    """Cropped and padded as the layer says."""
    for axis, (before, after) in enumerate(entry.get("crop", []), 1):
        y = tf.gather(y, tf.range(before, y.shape[axis] - after), axis=axis)
    return padded(y, entry)


def pool(x: Any, entry: Entry, _: Arrays) -> Any:
    if max(entry["strides"]) > 1 and max(entry["dilations"]) > 1:
        raise NotRun("TensorFlow's pools take no strides with dilations")
    x = tf.cast(x, tf.float32) if len(x.shape) == 5 else x  # TensorFlow has no 3-D pool of float64
    kind = "AVG" if entry["kind"] == "average_pool" else "MAX"
    settings = entry["kernel_size"], kind, entry["strides"], entry["padding"]

    def run(x: Any) -> Any:
        return tf.nn.pool(padded(x, entry), *settings, dilations=entry["dilations"])

    return run(x) / run(tf.ones_like(x)) if entry.get("divide_by_ones") else run(x)


def dense(x: Any, entry: Entry, given: Arrays) -> Any:
    made = keras.layers.Dense(given["kernel"].shape[-1], use_bias="bias" in given, dtype=given["kernel"].dtype.name)
    return filled(made, x.T if entry.get("transpose_input") else x, dict(enumerate(scaled(entry, given))))


def batch_norm(x: Any, entry: Entry, given: Arrays) -> Any:
    settings = {"epsilon": entry["epsilon"], "momentum": entry["momentum"]}
    return filled(keras.layers.BatchNormalization(**settings, dtype=x.dtype.name), x, given)


def layer_norm(x: Any, entry: Entry, given: Arrays) -> Any:
    """Keras's parameters have the shape of the axes."""
    axes = list(range(entry["axis"], 0)) if entry["axis"] < 0 else list(range(entry["axis"], x.ndim))
    shape = [x.shape[axis] for axis in axes]
    made = keras.layers.LayerNormalization(axes, **of_norm(x, entry, given))
    return filled(made, x, {name: array.reshape(shape) for name, array in given.items()})


def group_norm(x: Any, entry: Entry, given: Arrays) -> Any:
    """Each channel is a group of its own in an InstanceNormalization."""
    return filled(keras.layers.GroupNormalization(entry.get("groups", -1), **of_norm(x, entry, given)), x, given)


def of_norm(x: Any, entry: Entry, given: Arrays) -> dict[str, Any]:
    return {
        "epsilon": entry["epsilon"],
        "center": "beta" in given,
        "scale": "gamma" in given,
        "dtype": x.dtype.name,
    }


def prelu(x: Any, _: Entry, given: Arrays) -> Any:
    """Slopes are shared along the axes that have one."""
    slopes = given["alpha"]
    alpha = slopes.reshape([1] * (x.ndim - 1 - slopes.ndim) + list(slopes.shape))
    shared = [axis for axis, n in enumerate(alpha.shape, 1) if n == 1]
    return filled(keras.layers.PReLU(shared_axes=shared, dtype=x.dtype.name), x, {"alpha": alpha})


def shuffle(x: Array, entry: Entry, _: Arrays) -> Any:
    """``tf.nn.depth_to_space``, or back."""
    run = tf.nn.depth_to_space if entry["kind"] == "depth_to_space" else tf.nn.space_to_depth
    return in_order(run(in_order(x, entry, "input", -1), entry["block_size"]).numpy(), entry, "result", -1)


def embedding(x: Any, _: Entry, given: Arrays) -> Any:
    table = given["embeddings"]
    return filled(keras.layers.Embedding(*table.shape, dtype=table.dtype.name), x, given)


def recurrent(x: Any, entry: Entry, given: Arrays) -> Any:
    """Keras gives the results of a layer that goes backwards in that order."""
    direction = entry["direction"]
    made = RECURRENT[entry["kind"]](
        entry["hidden_size"],
        return_sequences=True,
        use_bias="bias" in given,
        go_backwards=direction == "reverse",
        dtype=x.dtype.name,
        **{key: entry[key] for key in ("reset_after",) if key in entry},
    )
    made = keras.layers.Bidirectional(made) if direction == "bidirectional" else made
    y = np.asarray(filled(made, x, given))
    return y[:, ::-1] if direction == "reverse" else y


def filled(made: Any, x: Any, given: Mapping[Any, Array]) -> Any:
    """``set_weights`` takes parameters in the manifest's order."""
    if not made.built:
        made.build(x.shape)
    made.set_weights(list(given.values()))
    return made(x)


LAYERS: dict[str, Callable[[Any, Entry, Arrays], Any]] = {
    "conv": conv,
    "depthwise_conv": depthwise_conv,
    "conv_transpose": conv_transpose,
    "average_pool": pool,
    "max_pool": pool,
    "dense": dense,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "instance_norm": group_norm,
    "prelu": prelu,
    "depth_to_space": shuffle,
    "space_to_depth": shuffle,
    "embedding": embedding,
    "lstm": recurrent,
    "gru": recurrent,
}
