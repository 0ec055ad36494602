"""Front ends with the real packages: operators of TensorFlow that tf2onnx alone would not convert, or not well."""

from collections import Counter
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from rewriter.cli import main
from tests.interop.common import agree, first, random
from tests.interop.test_frontends import converted, settled
from tests.support.command import USAGE, error
from tests.support.engines import default
from tests.tools.tflite_zoo import operators

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras saves variables as numpy 1 copied them
L = keras.layers
ENLARGING = {
    "as_usual": ((5, 7, 2), L.Conv2DTranspose(3, 3, strides=2, padding="same")),
    "one_row_of_zeros_behind": ((5, 7, 2), L.Conv2DTranspose(3, 2, strides=3, padding="same")),
    "two_rows_of_zeros_behind": ((5, 7, 2), L.Conv2DTranspose(3, (3, 1), strides=(2, 3), padding="same")),
    "output_padding": ((5, 7, 2), L.Conv2DTranspose(3, 3, strides=2, padding="valid", output_padding=1)),
    "sequence": ((11, 2), L.Conv1DTranspose(3, 4, strides=3, padding="same")),
    "volume": ((3, 4, 5, 2), L.Conv3DTranspose(3, 2, strides=(1, 3, 2), padding="same")),
}


@pytest.mark.parametrize("name", ENLARGING)
def test_transposed_convolutions_of_an_open_batch_cut_and_pad_nothing_else(name: str, tmp_path: Path) -> None:
    """TensorFlow computes their sizes from the batch's: what it has inferred of them is enough."""
    shape, layer = ENLARGING[name]
    image = keras.Input(shape, name="image")
    net = settled(keras.Model(image, layer(image)))
    net.save(tmp_path / "net.keras")
    result = converted(tmp_path / "net.keras", "nchw")
    x = random(2, *shape)
    agree(default(result, {"image": first(x)})[0], first(net(x).numpy()))
    assert not {"Transpose", "Slice", "Pad", "Shape"} & set(Counter(node.op_type for node in result.graph.node))


def test_an_open_size_that_is_enlarged_to_a_known_one(tmp_path: Path) -> None:
    """What there is too much of is cut by TensorFlow's halves: the larger part behind."""

    class Net(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, None, None, 2), name="image")])
        def __call__(self, image: Any) -> Any:
            kernel = tf.constant(random(3, 3, 4, 2))
            return {"result": tf.nn.conv2d_transpose(image, kernel, [1, 10, 14, 4], 2, "SAME")}

    net = Net()
    tf.saved_model.save(net, str(tmp_path / "saved"))
    result = converted(tmp_path / "saved", "nchw", "--layout", "image=nchw", "--input-shape", "image=1,5,7,2")
    x = random(1, 5, 7, 2)
    agree(default(result, {"image": first(x)})[0], first(net(x)["result"].numpy()))


def test_the_largest_of_zeros_with_signs(tmp_path: Path) -> None:
    """Keras takes -0 for less than 0, and reads bits for that."""
    image = keras.Input((2, 3, 4), name="image")
    keras.Model(image, keras.ops.argmax(image, axis=-1)).save(tmp_path / "net.keras")
    result = converted(tmp_path / "net.keras", "nchw", "--keep-io")
    x = np.random.default_rng(0).choice(np.array([-0.0, 0.0, -1.0], np.float32), (5, 2, 3, 4))
    x[0, 0, 0] = [-1, -0.0, 0, 0]
    wanted = np.asarray(keras.ops.argmax(x, axis=-1))
    assert wanted[0, 0, 0] == 2
    assert (default(result, {"image": x})[0] == wanted).all()


def test_bits_that_are_read_are_no_operator_of_the_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """ONNX has BitwiseAnd, but not yet in the opset that is written."""

    class Odd(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((2, 3), tf.int32)])
        def __call__(self, x: Any) -> Any:
            return tf.bitwise.bitwise_and(x, 6)

    tf.saved_model.save(Odd(), str(tmp_path / "saved"))
    assert main([str(tmp_path / "saved"), "--to", "nchw"]) == USAGE
    assert "tf2onnx has no ONNX form for BitwiseAnd" in error(capsys)
    assert onnx.defs.has("BitwiseAnd")


@pytest.mark.parametrize("approximate", [False, True])
def test_gelu_in_a_tflite_file(approximate: bool, tmp_path: Path) -> None:
    image = keras.Input((5, 7, 2), batch_size=1, name="image")
    layer = L.Activation(lambda x: keras.activations.gelu(x, approximate=approximate))
    net = settled(keras.Model(image, L.Conv2D(3, 3)(layer(L.Conv2D(4, 1)(image)))))
    file = tf.lite.TFLiteConverter.from_keras_model(net).convert()
    (tmp_path / "net.tflite").write_bytes(file)
    result = converted(tmp_path / "net.tflite", "nchw")
    assert operators(file)["GELU"] == 1
    x = random(1, 5, 7, 2)
    (name,) = (value.name for value in result.graph.input)
    agree(default(result, {name: first(x)})[0], first(net(x).numpy()))


@pytest.mark.parametrize("kernel", [(3, 3), (2, 4)])
def test_dilated_convolutions_pad_as_much_whatever_the_size(kernel: tuple[int, int], tmp_path: Path) -> None:
    """onnxruntime has no ``auto_pad`` with dilations."""

    class Net(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, None, None, 2), name="image")])
        def __call__(self, image: Any) -> Any:
            return {"result": tf.nn.conv2d(image, tf.constant(random(*kernel, 2, 4)), 1, "SAME", dilations=[2, 3])}

    net = Net()
    tf.saved_model.save(net, str(tmp_path / "saved"))
    result = converted(tmp_path / "saved", "nchw")
    x = random(1, 9, 11, 2)
    agree(default(result, {"image": first(x)})[0], first(net(x)["result"].numpy()))


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
@pytest.mark.parametrize(("size", "result"), [((32, 24), (20, 28)), ((15, 19), (10, 14))])
def test_sizes_that_float32_makes_one_less(
    size: tuple[int, int], result: tuple[int, int], method: str, tmp_path: Path
) -> None:
    """With whatever optimisation; a symmetric padding behind it computes with the shape that onnx infers."""

    class Net(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, *size, 3), name="image")])
        def __call__(self, image: Any) -> Any:
            larger = tf.image.resize(image, result, method=method)
            return {"result": tf.pad(larger, [[0, 0], [1, 2], [0, 1], [0, 0]], mode="SYMMETRIC")}

    net = Net()
    tf.saved_model.save(net, str(tmp_path / "saved"))
    made = converted(tmp_path / "saved", "nchw", "--layout", "image=nchw", "--layout", "result=nchw")
    x = random(2, *size, 3)
    agree(default(made, {"image": first(x)})[0], first(net(x)["result"].numpy()))
