"""Front ends with the real packages: the ONNX file, and what is made of it, compute what the framework does."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import flatbuffers
import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from rewriter import rewrite, validate
from rewriter.cli import main
from rewriter.weights.cli import main as weights
from tests.interop.common import Array, agree, first, random
from tests.interop.test_tflite import quantised
from tests.support.command import USAGE, error
from tests.support.engines import default
from tests.support.graphs import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras saves variables as numpy 1 copied them
L = keras.layers
BOTH = pytest.mark.parametrize("to", ["nchw", "nhwc"])


def converted(model: Path, to: str, *more: str) -> onnx.ModelProto:
    """By one command, validated against the ONNX file and the framework."""
    output = model.parent / "result.onnx"
    assert main([str(model), "--to", to, "--providers", "cpu", "-o", str(output), "-q", *more]) == 0
    return onnx.load(output)


def shape_of(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def transposes(model: onnx.ModelProto) -> int:
    return sum(node.op_type == "Transpose" for node in model.graph.node)


def settled(net: keras.Model) -> keras.Model:
    """With weights as of a trained net: no biases of 0, no variances of 1."""
    for number, weight in enumerate(net.weights):
        noise = np.random.default_rng(number).standard_normal(weight.shape)
        weight.assign(np.abs(noise) / 2 + 0.5 if "var" in weight.path else noise / 3)
    return net


def sequential() -> keras.Model:
    """As it is taught for MNIST."""
    return settled(
        keras.Sequential(
            [
                keras.Input((20, 28, 1), name="image"),
                L.Conv2D(8, 3, padding="same", use_bias=False),
                L.BatchNormalization(),
                L.ReLU(),
                L.MaxPooling2D(),
                L.Conv2DTranspose(6, 3, strides=2, padding="same"),
                L.Conv2D(12, 3, groups=3, activation="gelu"),
                L.Flatten(),
                L.Dense(10, activation="softmax", name="digit"),
            ]
        )
    )


# Keras


@BOTH
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_keras_file_in_one_command(ending: str, to: str, tmp_path: Path) -> None:
    net, x = sequential(), random(3, 20, 28, 1)
    net.save(tmp_path / f"net.{ending}")
    result = converted(tmp_path / f"net.{ending}", to)
    assert ([value.name for value in result.graph.input], result.graph.output[0].name) == (["image"], "digit")
    assert transposes(result) == 0
    assert shape_of(result.graph.input[0])[1:] == ([1, 20, 28] if to == "nchw" else [20, 28, 1])
    agree(default(result, {"image": first(x) if to == "nchw" else x})[0], net(x).numpy())


@BOTH
def test_a_functional_model_with_named_ends(to: str, tmp_path: Path) -> None:
    left, right = keras.Input((8, 10, 3), name="left"), keras.Input((8, 10, 3), name="right")
    both = L.Conv2D(4, 3, name="image")(L.add([left, right]))
    net = settled(
        keras.Model({"left": left, "right": right}, {"b": both, "a": L.Dense(3, name="v")(L.Flatten()(both))})
    )
    net.save(tmp_path / "net.keras")
    result = converted(tmp_path / "net.keras", to)
    given = {"left": random(2, 8, 10, 3), "right": random(2, 8, 10, 3) + 1}
    expected = net(given)
    stored = {name: first(x) if to == "nchw" else x for name, x in given.items()}
    found = dict(zip([o.name for o in result.graph.output], default(result, stored), strict=True))
    agree(found["v"], expected["a"].numpy())
    agree(found["image"], first(expected["b"].numpy()) if to == "nchw" else expected["b"].numpy())


def test_the_command_says_what_it_does_and_frameworks_say_nothing(tmp_path: Path) -> None:
    """In a process of its own, as users run it; the result is beside the model."""
    sequential().save(tmp_path / "mnist.keras")
    command = [sys.executable, "-m", "rewriter", str(tmp_path / "mnist.keras"), "--to", "nchw"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told = done.stdout.splitlines()
    assert done.stderr == ""
    assert told[0].endswith("mnist.keras to NCHW, onnx dialect")
    assert "tf2onnx's file computes what Keras does: largest error" in done.stdout
    assert told[-1] == f"Wrote {tmp_path / 'mnist.nchw.onnx'}"
    verbose = subprocess.run([*command, "-v", "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "tensorflow" in verbose.stderr.lower() or "oneDNN" in verbose.stderr


def test_of_a_keras_model_from_python(tmp_path: Path) -> None:
    sequential().save(tmp_path / "net.keras")
    result = rewrite(tmp_path / "net.keras", "nchw")
    assert validate(tmp_path / "net.keras", result.model, layouts=result.layouts).ok


def test_weights_of_a_keras_model_are_its_own(tmp_path: Path) -> None:
    net = sequential()
    net.save(tmp_path / "net.keras")
    assert weights([str(tmp_path / "net.keras"), "--for", "pytorch", "-o", str(tmp_path / "w.npz"), "-q"]) == 0
    kernel = np.asarray(net.get_layer("digit").kernel)
    rows = kernel.reshape(18, 26, 12, 10).transpose(2, 0, 1, 3).reshape(-1, 10).T
    with np.load(tmp_path / "w.npz") as data:
        (dense,) = (array for array in data.values() if array.shape == rows.shape)
    np.testing.assert_array_equal(dense, rows)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_lambda_layers_are_refused(ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"net.{ending}"
    keras.Sequential([keras.Input((4, 4, 3)), L.Lambda(lambda x: x * 2, name="twice")]).save(path)
    assert main([str(path), "--to", "nchw"]) == USAGE
    assert "the layer 'twice' is a Lambda" in error(capsys)


def test_files_of_weights_and_broken_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = sequential()
    net.save_weights(tmp_path / "net.weights.h5")
    net.save(tmp_path / "net.keras")
    whole = (tmp_path / "net.keras").read_bytes()
    (tmp_path / "half.keras").write_bytes(whole[: len(whole) // 2])
    net.save(tmp_path / "net.h5")
    (tmp_path / "half.h5").write_bytes((tmp_path / "net.h5").read_bytes()[:5000])
    cases = {
        "net.weights.h5": "weights of Keras; build their model",
        "half.keras": "not a Keras model",
        "half.h5": "not a Keras model",
    }
    for name, words in cases.items():
        assert main([str(tmp_path / name), "--to", "nchw"]) == USAGE
        assert words in error(capsys)


# TensorFlow


def test_classes_that_keras_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Own(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x * 2

    image = keras.Input((4, 4, 3))
    keras.Model(image, Own()(L.Conv2D(2, 3)(image))).save(tmp_path / "net.keras")
    assert main([str(tmp_path / "net.keras"), "--to", "nchw"]) == USAGE
    assert "for it does not know Own; give its SavedModel" in error(capsys)


class Two(tf.Module):
    """Two functions of one kernel; the arguments are not in the order of their names."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(random(3, 3, 3, 5))

    @tf.function(input_signature=[tf.TensorSpec((1, 9, 11, 3)), tf.TensorSpec((1, 9, 11, 1))])
    def one(self, picture: Any, mask: Any) -> Any:
        found = tf.nn.relu(tf.nn.conv2d(picture, self.kernel, 1, "SAME")) * mask
        return {"z": found, "a": tf.reduce_mean(found, (1, 2))}

    @tf.function(input_signature=[tf.TensorSpec((1, 9, 11, 3))])
    def two(self, picture: Any) -> Any:
        return {"z": tf.nn.conv2d(picture, self.kernel, 2, "VALID")}


def fed(result: onnx.ModelProto, given: dict[str, Array], to: str) -> dict[str, Array]:
    """Outputs by name, of inputs as TensorFlow has them."""
    shapes = {value.name: shape_of(value) for value in result.graph.input}
    stored = {name: x if shapes[name] == [*x.shape] else first(x) for name, x in given.items()}
    return dict(zip([o.name for o in result.graph.output], default(result, stored), strict=True))


@BOTH
def test_a_saved_model_with_two_signatures(to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, path = Two(), tmp_path / "saved"
    tf.saved_model.save(net, str(path), signatures={"one": net.one, "two": net.two})
    assert main([str(path), "--to", to]) == USAGE
    assert "It has one, two; name one with --tf-signature" in error(capsys)
    assert main([str(path), "--to", to, "--tf-signature", "three"]) == USAGE
    assert "has no such signature; it has one, two" in error(capsys)
    given = {"picture": random(1, 9, 11, 3), "mask": random(1, 9, 11, 1)}
    found = fed(converted(path, to, "--tf-signature", "one"), given, to)
    expected = net.one(**{name: tf.constant(x) for name, x in given.items()})
    agree(found["a"], expected["a"].numpy())
    z = expected["z"].numpy()
    agree(found["z"], first(z) if to == "nchw" else z)
    assert set(fed(converted(path, to, "--tf-signature", "two"), {"picture": given["picture"]}, to)) == {"z"}


def test_models_that_are_none_or_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A SavedModel without a signature, and a TFLite file of two."""
    tf.saved_model.save(tf.Module(), str(tmp_path / "none"))
    assert main([str(tmp_path / "none"), "--to", "nchw"]) == USAGE
    assert "none: it has no signature" in error(capsys)
    net = Two()
    tf.saved_model.save(net, str(tmp_path / "saved"), signatures={"one": net.one, "two": net.two})
    file = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"), signature_keys=["one", "two"]).convert()
    (tmp_path / "net.tflite").write_bytes(file)
    assert main([str(tmp_path / "net.tflite"), "--to", "nchw"]) == USAGE
    assert "tf2onnx converts one signature, and it has one, two; make a file of each" in error(capsys)


@BOTH
def test_the_usual_signature_of_a_keras_export(to: str, tmp_path: Path) -> None:
    net, x = sequential(), random(2, 20, 28, 1)
    net.export(tmp_path / "saved", verbose=False)
    result = converted(tmp_path / "saved", to)
    agree(default(result, {"image": first(x) if to == "nchw" else x})[0], net(x).numpy())


@BOTH
def test_a_frozen_graph(to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, path = Two(), tmp_path / "frozen.pb"
    frozen = convert_variables_to_constants_v2(net.one.get_concrete_function())
    path.write_bytes(frozen.graph.as_graph_def().SerializeToString())
    assert main([str(path), "--to", to]) == USAGE
    assert "its placeholders are picture, mask, nobody reads Identity, Identity_1" in error(capsys)
    given = {"picture": random(1, 9, 11, 3), "mask": random(1, 9, 11, 1)}
    ends = ("--tf-inputs", "picture,mask", "--tf-outputs", "Identity,Identity_1:0")
    found = fed(converted(path, to, *ends), given, to)
    expected = net.one(**{name: tf.constant(x) for name, x in given.items()})
    agree(found["Identity"], expected["a"].numpy())
    assert main([str(path), "--to", to, "--tf-inputs", "image", "--tf-outputs", "Identity"]) == USAGE
    assert "has no node 'image'" in error(capsys)


@pytest.mark.parametrize("kind", ["float", "int8", "dynamic range"])
@BOTH
def test_a_tflite_file(kind: str, to: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((20, 24, 3), batch_size=1)
    x = L.DepthwiseConv2D(3, padding="same", bias_initializer="normal")(L.Conv2D(8, 3, 2, activation="relu")(inputs))
    net = keras.Model(inputs, L.Dense(10)(L.Flatten()(x)))
    plain = tf.lite.TFLiteConverter.from_keras_model(net).convert
    (tmp_path / "net.tflite").write_bytes(plain() if kind == "float" else quantised(net, kind))
    result, image = converted(tmp_path / "net.tflite", to), random(1, 20, 24, 3)
    (given,) = (value for value in result.graph.input)
    found = default(result, {given.name: first(image) if to == "nchw" else image})[0]
    agree(found, net(image).numpy(), 1e-5 if kind == "float" else 0.1)


def test_tflite_files_keep_the_names_of_their_signature(tmp_path: Path) -> None:
    """So that a net is the same net as its TFLite file, and as that of this one."""
    x = keras.Input((8, 10, 3), name="image")
    keras.Model(x, L.Conv2D(2, 3, name="map")(x)).save(tmp_path / "net.keras")
    assert main([str(tmp_path / "net.keras"), "-o", str(tmp_path / "net.tflite"), "-q"]) == 0
    assert main([str(tmp_path / "net.tflite"), "-o", str(tmp_path / "again.tflite"), "-q"]) == 0
    assert validate(tmp_path / "net.keras", tmp_path / "again.tflite").ok
    result = converted(tmp_path / "again.tflite", "nchw")
    ends = [*result.graph.input, *result.graph.output]
    assert [value.name for value in ends] == ["image", "map"]


def test_names_that_a_graph_has_already_stay_its_tensors(tmp_path: Path) -> None:
    """The signature calls the output as another tensor is called."""
    net = settled(keras.Sequential([keras.Input((4, 4, 1), batch_size=1, name="x"), L.Conv2D(1, 3), L.Flatten()]))
    file = tf.lite.TFLiteConverter.from_keras_model(net).convert()
    model = schema.ModelT.InitFromPackedBuf(file, 0)
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    inner = next(i for op in graph.operators for i in op.outputs if i not in graph.outputs)
    signature.outputs[0].name = graph.tensors[inner].name
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "net.tflite").write_bytes(builder.Output())
    result = converted(tmp_path / "net.tflite", "nchw")
    assert result.graph.output[0].name == graph.tensors[graph.outputs[0]].name.decode()


@pytest.mark.parametrize("name", ["net.pb", "saved", "net.tflite"])
def test_truncated_files(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    if name == "saved":
        path.mkdir()
    broken = {"net.pb": b"\x0a\xff\xff", "saved": b"\x08\x01\x12\xff", "net.tflite": b"\x1c\0\0\0TFL3" + bytes(40)}[
        name
    ]
    (path / "saved_model.pb" if name == "saved" else path).write_bytes(broken)
    assert main([str(path), "--to", "nchw"]) == USAGE
    assert name in error(capsys)


def test_operators_without_a_form_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Odd(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((2, 3))])
        def __call__(self, x: Any) -> Any:
            return tf.math.igamma(x, x)

    tf.saved_model.save(Odd(), str(tmp_path / "saved"))
    assert main([str(tmp_path / "saved"), "--to", "nchw"]) == USAGE
    assert "tf2onnx has no ONNX form for Igamma" in error(capsys)
