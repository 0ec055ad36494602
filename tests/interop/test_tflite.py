"""TFLite files: their kernels become those of the Keras model they were made of."""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from rewriter.weights import read_weights
from rewriter.weights.check import tensorflow
from rewriter.weights.check.record import Weights
from rewriter.weights.cli import main
from tests.interop import in_torch
from tests.interop.common import Array, agree, first, random


def keras_net() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((20, 24, 3), batch_size=1)
    x = keras.layers.Conv2D(16, 3, 2, "same", activation="relu", bias_initializer="normal")(inputs)
    x = keras.layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, bias_initializer="normal")(x)
    x = keras.layers.Conv2D(7, (1, 3), activation="relu", bias_initializer="normal")(x)
    x = keras.layers.Dense(10, bias_initializer="normal")(keras.layers.Flatten()(x))
    return keras.Model(inputs, x)


@pytest.fixture
def net(tmp_path: Path) -> keras.Model:
    made = keras_net()
    (tmp_path / "net.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(made).convert())
    return made


def converted(folder: Path, target: str) -> Weights:
    """In one command."""
    assert main([str(folder / "net.tflite"), "--for", target, "-o", str(folder / "out.safetensors"), "-q"]) == 0
    return Weights(*read_weights(folder / "out.safetensors"))


def tensor_names(folder: Path) -> set[str]:
    from ai_edge_litert.interpreter import Interpreter

    return {tensor["name"] for tensor in Interpreter(str(folder / "net.tflite")).get_tensor_details()}


def tflite_run(folder: Path, x: Array) -> Array:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(folder / "net.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_kernels_equal_those_of_the_keras_model(net: keras.Model, tmp_path: Path) -> None:
    kept = converted(tmp_path, "tflite")
    weights = converted(tmp_path, "tensorflow")
    kernels = [weights.of(entry)["kernel"] for entry in weights.layers() if "kernel" in entry["parameters"]]
    expected = [layer.get_weights()[0] for layer in net.layers if layer.weights]
    conv = next(iter(kept.layers("conv")))
    assert kept.of(conv)["filter"].shape == (16, 3, 3, 3)
    name = conv["parameters"]["filter"]
    assert name in tensor_names(tmp_path)
    assert weights.manifest["tensors"][name]["layout"] == ["OHWI", "HWIO"]
    assert kernels[0].shape == (3, 3, 3, 16)
    assert [k.shape for k in kernels] == [e.shape for e in expected]
    assert all(np.array_equal(k, e) for k, e in zip(kernels, expected, strict=True))


def test_a_keras_model_filled_from_it_gives_the_same(net: keras.Model, tmp_path: Path) -> None:
    x = random(1, 20, 24, 3)
    expected = tflite_run(tmp_path, x)
    weights = converted(tmp_path, "tensorflow")
    for layer in net.layers:
        layer.set_weights([np.zeros_like(array) for array in layer.get_weights()])
    for layer, entry in zip((made for made in net.layers if made.weights), weights.layers(), strict=True):
        layer.set_weights(list(weights.of(entry).values()))
    agree(net(x), expected)


def test_the_settings_too(net: keras.Model, tmp_path: Path) -> None:
    """Layer by layer, with nothing of the Keras model."""
    x = random(1, 20, 24, 3)
    expected = tflite_run(tmp_path, x)
    weights = converted(tmp_path, "tensorflow")
    conv, depthwise, second, dense = weights.layers()
    y = tf.nn.relu(tensorflow.layer(x, conv, weights))
    y = tf.nn.relu(tensorflow.layer(tensorflow.layer(y, depthwise, weights), second, weights))
    given = weights.of(dense)
    agree(tf.reshape(y, (1, -1)) @ given["kernel"] + given["bias"], expected)


def test_in_pytorch(net: keras.Model, tmp_path: Path) -> None:
    """The Dense's rows come into the order C, H, W: the PyTorch model flattens channels first."""
    x = random(1, 20, 24, 3)
    expected = tflite_run(tmp_path, x)
    weights = converted(tmp_path, "pytorch")
    assert all(note.startswith("reordered for a Flatten") for note in weights.manifest["notes"])
    conv, depthwise, second, dense = weights.layers()
    y = np.maximum(in_torch.layer(x, conv, weights), 0)
    y = np.maximum(in_torch.layer(in_torch.layer(y, depthwise, weights), second, weights), 0)
    given = weights.of(dense)
    agree(first(y).reshape(1, -1) @ given["weight"].T + given["bias"], expected)


def quantised(net: keras.Model, kind: str) -> bytes:
    """As TensorFlow's guide to post-training quantisation does it."""
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "int8":
        images = [random(1, 20, 24, 3) * (1 + i / 20) for i in range(20)]
        converter.representative_dataset = lambda: ([image] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that inputs and outputs stay real numbers
        return bytes(converter.convert())


def scale_and_zero(folder: Path, like: Array) -> tuple[float, int]:
    """Of the file's integers of this shape; scale 0 where it has none."""
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(str(folder / "net.tflite")).get_tensor_details()
    found = [t["quantization"] for t in details if t["dtype"] == np.int8 and tuple(t["shape"]) == like.shape]
    return max(found, default=(0.0, 0))


def rounded(folder: Path, x: Array) -> Array:
    """To what the file's integers can say."""
    scale, zero = scale_and_zero(folder, x)
    return scale * (np.clip(np.round(x / scale) + zero, -128, 127) - zero) if scale else x


@pytest.mark.parametrize("kind", ["int8", "dynamic range"])
def test_quantised_files_in_keras(kind: str, tmp_path: Path) -> None:
    """Within one step of the result (of 8 bits, if it is real) of what LiteRT computes; the Dense's bias is there."""
    net, x = keras_net(), random(1, 20, 24, 3)
    (tmp_path / "net.tflite").write_bytes(quantised(net, kind))
    expected = tflite_run(tmp_path, x)
    weights = converted(tmp_path, "tensorflow")
    assert {array.dtype for array in weights.tensors.values()} == {np.dtype(np.float32)}
    for layer, entry in zip((made for made in net.layers if made.weights), weights.layers(), strict=True):
        assert list(entry["parameters"]) == ["kernel", "bias"]
        layer.set_weights(list(weights.of(entry).values()))
    y = rounded(tmp_path, x)
    for layer in net.layers[1:]:
        y = rounded(tmp_path, layer(y).numpy().astype(np.float32))
    step = scale_and_zero(tmp_path, expected)[0] or np.ptp(expected) / 255
    assert np.abs(y - expected).max() <= 1.01 * step
