"""Layers of TFLite: a .tflite file whose kernel is replaced, byte for byte, by the exported one, run by LiteRT.

TensorFlow's converter builds the file around a kernel of other numbers, so that nothing but the export can be right.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flatbuffers
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from tests.interop.common import Array, Weights
from tests.interop.in_tensorflow import convolution

OPERATORS = {
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.TRANSPOSE_CONV,
    schema.BuiltinOperator.CONV_3D,
    schema.BuiltinOperator.CONV_3D_TRANSPOSE,
    schema.BuiltinOperator.FULLY_CONNECTED,
}
WEIGHTS_INPUT = 1  # of each of these operators


def layer(x: Array, entry: Mapping[str, Any], weights: Weights) -> Array:
    """Any one layer of the manifest; one axis of space becomes an image of height 1."""
    given = weights.of(entry)
    kernel, bias = given["filter"], given.get("bias", np.float32(0))
    if entry["kind"] == "dense":
        return run(lambda x: tf.matmul(x, noise(kernel.shape[::-1])), x, kernel) + bias
    flat = x.ndim == 3
    wide = np.expand_dims(x, 1) if flat else x
    dims = wide.ndim - 2
    ones = [1] if flat else []
    settings = {key: [*ones, *entry[key]] for key in ("strides", "dilations")}
    build = transposed if entry["kind"] == "conv_transpose" else depthwise if "depthwise" in entry["kind"] else conv
    if dims == 3:
        build = transposed_3d if entry["kind"] == "conv_transpose" else conv
    shape = tf_shape(entry["kind"], kernel.shape, dims, wide.shape[-1])
    y = run(build(entry, shape, settings, flat), wide, kernel)
    y = np.squeeze(y, 1) if flat else y
    for axis, (before, after) in enumerate(entry.get("crop", []), 1):
        y = np.take(y, range(before, y.shape[axis] - after), axis)
    if entry["kind"] == "conv_transpose" and "pad" in entry:
        y = np.pad(y, entry["pad"])
    return y + bias


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


def padded(x: Any, entry: Mapping[str, Any], flat: bool) -> Any:
    pads = entry.get("pad")
    return x if pads is None else tf.pad(x, [pads[0], [0, 0], *pads[1:]] if flat else pads)


def conv(
    entry: Mapping[str, Any], shape: tuple[int, ...], settings: dict[str, Any], flat: bool
) -> Callable[[Any], Any]:
    def build(x: Any) -> Any:
        x = padded(x, entry, flat)
        return convolution(x, noise(shape), settings["strides"], entry["padding"], settings["dilations"])

    return build


def depthwise(
    entry: Mapping[str, Any], shape: tuple[int, ...], settings: dict[str, Any], flat: bool
) -> Callable[[Any], Any]:
    stride, dilations = settings["strides"][-1], settings["dilations"]

    def build(x: Any) -> Any:
        steps = [1, stride, stride, 1]
        return tf.nn.depthwise_conv2d(
            padded(x, entry, flat), noise(shape), steps, entry["padding"], dilations=[dilations[-1]] * 2
        )

    return build


def output_shape(x: Any, entry: Mapping[str, Any], channels: int, flat: bool) -> list[int]:
    size = entry["output_size"]
    spatial = [
        n * s + o for n, s, o in zip(x.shape[-1 - len(size["scale"]) : -1], size["scale"], size["offset"], strict=True)
    ]
    return [x.shape[0], *([1] if flat else []), *spatial, channels]


def transposed(
    entry: Mapping[str, Any], shape: tuple[int, ...], settings: dict[str, Any], flat: bool
) -> Callable[[Any], Any]:
    def build(x: Any) -> Any:
        out = output_shape(x, entry, shape[-2], flat)
        return tf.nn.conv2d_transpose(x, noise(shape), out, settings["strides"], entry["padding"])

    return build


def transposed_3d(
    entry: Mapping[str, Any], shape: tuple[int, ...], settings: dict[str, Any], flat: bool
) -> Callable[[Any], Any]:
    def build(x: Any) -> Any:
        out = output_shape(x, entry, shape[-2], flat)
        return tf.nn.conv3d_transpose(x, noise(shape), out, settings["strides"], entry["padding"])

    return build


def run(build: Callable[[Any], Any], x: Array, kernel: Array) -> Array:
    """What LiteRT computes with ``kernel`` in place of the built one."""
    traced = tf.function(build).get_concrete_function(tf.TensorSpec(x.shape))
    made = tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert()
    interpreter = Interpreter(model_content=with_kernel(made, kernel))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def with_kernel(file: bytes, kernel: Array) -> bytes:
    """The file with the bytes of ``kernel`` for the weights of its one layer, which has the same shape."""
    model = schema.ModelT.InitFromPackedBuf(file, 0)
    (graph,) = model.subgraphs
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    (operator,) = (op for op in graph.operators if codes[op.opcodeIndex] in OPERATORS)
    tensor = graph.tensors[operator.inputs[WEIGHTS_INPUT]]
    assert tuple(tensor.shape) == kernel.shape
    model.buffers[tensor.buffer].data = np.frombuffer(kernel.tobytes(), np.uint8)
    builder = flatbuffers.Builder(len(file))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
