"""Layers of TFLite: a .tflite file whose weights are replaced, byte for byte, by the exported ones, run by LiteRT.

TensorFlow's converter builds the file around weights of other numbers, so that nothing but the export can be right.
Arrays are channels last, of float32; one axis of space becomes an image of height 1.
"""

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from rewriter.weights.check.record import Entry, NotRun, Weights
from rewriter.weights.check.tensorflow import convolution
from rewriter.weights.check.tensorflow import pool as tf_pool
from rewriter.weights.tensors.letters import Array

BUILTIN = schema.BuiltinOperator
WEIGHTS_INPUTS = {
    BUILTIN.CONV_2D: 1,
    BUILTIN.DEPTHWISE_CONV_2D: 1,
    BUILTIN.TRANSPOSE_CONV: 1,
    BUILTIN.CONV_3D: 1,
    BUILTIN.CONV_3D_TRANSPOSE: 1,
    BUILTIN.FULLY_CONNECTED: 1,
    BUILTIN.GATHER: 0,
    BUILTIN.PRELU: 1,
}

Build = Callable[[Any], Any]
Arrays = dict[str, Array]


def version() -> str:
    """Of what builds the files; LiteRT tells none."""
    return str(tf.__version__)


def layer(x: Array, entry: Entry, weights: Weights) -> Array:
    """What any one layer of the manifest makes of ``x``. Raises NotRun."""
    return LAYERS[entry["kind"]](x, entry, weights.of(entry))


def none(x: Array, entry: Entry, given: Arrays) -> Array:
    raise NotRun("TFLite has no operator for it")


def pool(x: Array, entry: Entry, _: Arrays) -> Array:
    if len(entry["strides"]) == 3:
        raise NotRun("TFLite has no 3-D pools")
    return run(lambda x: tf_pool(x, entry, {}), x)


def embedding(x: Array, _: Entry, given: Arrays) -> Array:
    table = given["params"]
    return run(lambda x: tf.gather(noise(table.shape), x), x, table)


def prelu(x: Array, _: Entry, given: Arrays) -> Array:
    """The converter makes one operator of these, whose slopes have as many axes as an example."""
    slopes = given["alpha"]
    alpha = slopes.reshape([1] * (x.ndim - 1 - slopes.ndim) + list(slopes.shape))
    return run(lambda x: tf.nn.relu(x) + noise(alpha.shape) * tf.nn.relu(-x), x, alpha)


def dense(x: Array, entry: Entry, given: Arrays) -> Array:
    """Without a bias: that, and factors, are applied to the result."""
    kernel, bias = given["filter"], given.get("bias", np.float32(0))
    rows = x.T if entry.get("transpose_input") else x
    y = run(lambda x: tf.matmul(x, noise(kernel.shape[::-1])), rows.reshape(-1, kernel.shape[1]), kernel)
    y = np.float32(entry.get("alpha", 1)) * y + np.float32(entry.get("beta", 1)) * bias
    return y.reshape(*rows.shape[:-1], -1)


def convolved(x: Array, entry: Entry, given: Arrays) -> Array:
    """The bias is added to the result."""
    if entry["kind"] == "conv_transpose" and (entry["groups"] > 1 or max(entry["dilations"]) > 1):
        raise NotRun("TFLite's TRANSPOSE_CONV has neither groups nor dilations")
    kernel, flat = given["filter"], x.ndim == 3
    wide = np.expand_dims(x, 1) if flat else x
    dims = wide.ndim - 2
    if dims == 3 and entry["groups"] > 1:
        raise NotRun("TFLite's CONV_3D has no groups")
    shape = tf_shape(entry["kind"], kernel.shape, dims, wide.shape[-1])
    y = run(BUILDS[entry["kind"]](entry, shape, flat), wide, kernel)
    y = np.squeeze(y, 1) if flat else y
    for axis, (before, after) in enumerate(entry.get("crop", []), 1):
        y = np.take(y, range(before, y.shape[axis] - after), axis)
    y = np.pad(y, entry["pad"]) if entry["kind"] == "conv_transpose" and "pad" in entry else y
    return y + given.get("bias", np.float32(0))


def tf_shape(kind: str, shape: tuple[int, ...], dims: int, channels: int) -> tuple[int, ...]:
    """The shape of TensorFlow's kernel for TFLite's."""
    if dims == 3:
        return shape
    if kind == "depthwise_conv":
        return (*shape[1:-1], channels, shape[-1] // channels)
    if kind == "conv_transpose":
        return (*shape[1:-1], shape[0], shape[-1])
    return (*shape[1:-1], shape[-1], shape[0])


def noise(shape: tuple[int, ...]) -> Any:
    return tf.constant(np.random.default_rng(0).standard_normal(shape), tf.float32)


def padded(x: Any, entry: Entry, flat: bool) -> Any:
    pads = entry.get("pad")
    return x if pads is None else tf.pad(x, [pads[0], [0, 0], *pads[1:]] if flat else pads)


def wide_settings(entry: Entry, flat: bool) -> list[list[int]]:
    """Strides and dilations."""
    return [[*([1] if flat else []), *entry[key]] for key in ("strides", "dilations")]


def conv(entry: Entry, shape: tuple[int, ...], flat: bool) -> Build:
    strides, dilations = wide_settings(entry, flat)
    return lambda x: convolution(padded(x, entry, flat), noise(shape), strides, entry["padding"], dilations)


def depthwise_conv(entry: Entry, shape: tuple[int, ...], flat: bool) -> Build:
    if len(set(entry["strides"])) > 1 or len(set(entry["dilations"])) > 1:
        raise NotRun("tf.nn.depthwise_conv2d has one stride and one dilation for both axes")
    stride, dilation = entry["strides"][-1], entry["dilations"][-1]
    steps = [1, stride, stride, 1]

    def build(x: Any) -> Any:
        x = padded(x, entry, flat)
        return tf.nn.depthwise_conv2d(x, noise(shape), steps, entry["padding"], dilations=[dilation] * 2)

    return build


def conv_transpose(entry: Entry, shape: tuple[int, ...], flat: bool) -> Build:
    strides, _ = wide_settings(entry, flat)
    transposed = tf.nn.conv3d_transpose if len(strides) == 3 else tf.nn.conv2d_transpose
    size = entry["output_size"]

    def build(x: Any) -> Any:
        along = zip(x.shape[-1 - len(size["scale"]) : -1], size["scale"], size["offset"], strict=True)
        out = [x.shape[0], *([1] if flat else []), *(n * scale + offset for n, scale, offset in along), shape[-2]]
        return transposed(x, noise(shape), out, strides, entry["padding"])

    return build


BUILDS = {"conv": conv, "depthwise_conv": depthwise_conv, "conv_transpose": conv_transpose}


def run(build: Build, x: Array, kernel: Array | None = None) -> Array:
    """What LiteRT computes with ``kernel`` in place of the built one."""
    traced = tf.function(build).get_concrete_function(tf.TensorSpec(x.shape, x.dtype))
    made = tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert()
    interpreter = Interpreter(model_content=made if kernel is None else with_kernel(made, kernel))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def with_kernel(file: bytes, kernel: Array) -> bytes:
    """The file with the bytes of ``kernel`` for the weights of its one layer. Raises ValueError on another shape."""
    model = schema.ModelT.InitFromPackedBuf(file, 0)
    (graph,) = model.subgraphs
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    (operator,) = (op for op in graph.operators if codes[op.opcodeIndex] in WEIGHTS_INPUTS)
    tensor = graph.tensors[operator.inputs[WEIGHTS_INPUTS[codes[operator.opcodeIndex]]]]
    if tuple(tensor.shape) != kernel.shape:
        raise ValueError(f"its weights have shape {list(kernel.shape)}, not {list(tensor.shape)}")
    model.buffers[tensor.buffer].data = np.frombuffer(kernel.tobytes(), np.uint8)
    builder = flatbuffers.Builder(len(file))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


LAYERS: dict[str, Callable[[Array, Entry, Arrays], Array]] = {
    "conv": convolved,
    "depthwise_conv": convolved,
    "conv_transpose": convolved,
    "average_pool": pool,
    "max_pool": pool,
    "dense": dense,
    "batch_norm": none,
    "layer_norm": none,
    "group_norm": none,
    "instance_norm": none,
    "prelu": prelu,
    "embedding": embedding,
}
