"""Front ends with the real packages: sizes that are told, and which input and output is which."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from rewriter import read_model, rewrite, validate
from rewriter.cli import main
from rewriter.validate_cli import main as compare
from tests.interop.common import agree, first, random
from tests.interop.test_frontends import converted, fed, settled, shape_of, transposes
from tests.support.command import DIFFERS, USAGE, error
from tests.support.engines import default

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras saves variables as numpy 1 copied them
L = keras.layers


# Open sizes


def in_tensorflow(kind: str, net: keras.Model, folder: Path) -> list[str]:
    """The net as a file of this kind, and what tells it."""
    path = folder / kind
    if kind == "saved":
        net.export(path, verbose=False)
    elif kind == "net.pb":
        function = tf.function(lambda image: net(image), input_signature=[tf.TensorSpec(net.inputs[0].shape)])
        graph = convert_variables_to_constants_v2(function.get_concrete_function()).graph
        path.write_bytes(graph.as_graph_def().SerializeToString())
        return [str(path), "--tf-inputs", "image", "--tf-outputs", "Identity"]
    else:
        net.save(path)
    return [str(path)]


@pytest.mark.parametrize("kind", ["net.keras", "net.h5", "saved", "net.pb"])
def test_sizes_that_are_told_are_fixed(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So that a Dense of an image, of whose sizes TensorFlow makes a product, keeps no Transpose."""
    image = keras.Input((None, 10, 3), name="image")
    net = settled(keras.Model(image, L.Conv2D(4, 3)(L.Dense(6)(L.Conv2D(5, 3)(image)))))
    model, *ends = in_tensorflow(kind, net, tmp_path)
    result = converted(Path(model), "nchw", *ends, "--input-shape", "image=1,8,10,3")
    assert shape_of(result.graph.input[0]) == [1, 3, 8, 10]
    assert shape_of(result.graph.output[0]) == [1, 4, 4, 6]
    assert transposes(result) == 0
    x = random(1, 8, 10, 3)
    agree(default(result, {"image": first(x)})[0], first(net(x).numpy()))
    for wrong, words in (("image=1,8,11,3", "and cannot be (1, 8, 11, 3)"), ("picture=1", "there is no such input")):
        assert main([model, "--to", "nchw", *ends, "--input-shape", wrong]) == USAGE
        assert words in error(capsys)


def test_layers_that_need_fixed_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = keras.Input((None, None, 3), name="image")
    net = settled(keras.Model(image, L.Conv2D(2, 3)(L.UpSampling2D(2, interpolation="bilinear")(image))))
    net.save(tmp_path / "net.keras")
    assert main([str(tmp_path / "net.keras"), "--to", "nchw"]) == USAGE
    told = error(capsys)
    assert "Keras makes no graph of the model while sizes are open" in told
    assert told.endswith("fix them, as with --input-shape image=1,64,64,3\n")
    shapes = {"image": [1, 6, 8, 3]}
    result = rewrite(tmp_path / "net.keras", "nchw", input_shapes=shapes)
    assert validate(tmp_path / "net.keras", result.model, layouts=result.layouts, input_shapes=shapes).ok
    assert read_model(tmp_path / "net.keras", input_shapes=shapes).graph.input[0].type == tensor_type([1, 6, 8, 3])


def tensor_type(shape: list[int]) -> onnx.TypeProto:
    return onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, shape)


# Names


class Pair(tf.Module):
    """Two inputs and two outputs of equal shapes, which TensorFlow and its converter have in other orders."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels = tf.Variable(random(3, 3, 3, 4)), tf.Variable(random(3, 3, 3, 4) + 0.3)

    @tf.function(input_signature=[tf.TensorSpec((1, 8, 10, 3)), tf.TensorSpec((1, 8, 10, 3))])
    def both(self, zeta: Any, alpha: Any) -> Any:
        m2 = tf.nn.conv2d(zeta, self.kernels[0], 1, "VALID")
        return {"m2": m2, "m1": tf.nn.conv2d(alpha, self.kernels[1], 1, "VALID") - m2}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this net as TensorFlow's converter writes it, and as ours."""
    net, folder = Pair(), tmp_path_factory.mktemp("pair")
    tf.saved_model.save(net, str(folder / "saved"), signatures={"serving_default": net.both})
    file = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved")).convert()
    (folder / "theirs.tflite").write_bytes(file)
    assert main([str(folder / "saved"), "-o", str(folder / "ours.tflite"), "-q"]) == 0
    for to in ("nchw", "nhwc"):
        assert main([str(folder / "theirs.tflite"), "--to", to, "-o", str(folder / f"{to}.onnx"), "-q"]) == 0
    return folder


@pytest.mark.parametrize("other", ["saved", "theirs.tflite", "ours.tflite", "nchw.onnx", "nhwc.onnx"])
def test_ends_of_equal_shapes_are_told_by_their_names(other: str, pair: Path) -> None:
    for model in ("theirs.tflite", "saved"):
        assert compare([str(pair / model), str(pair / other), "--providers", "cpu", "-q"]) == 0
        assert compare([str(pair / other), str(pair / model), "--providers", "cpu", "-q"]) == 0
    if not other.endswith(".onnx"):
        assert validate(pair / "saved", pair / other, layouts={}).ok


@pytest.mark.parametrize("ends", ["input", "output"])
def test_ends_that_are_called_as_others_are_no_match(ends: str, pair: Path) -> None:
    """In the order of the names, where those are exchanged."""
    wrong = onnx.load(pair / "nhwc.onnx")
    names = {"input": ("zeta", "alpha"), "output": ("m2", "m1")}[ends]
    exchanged = dict(zip(names, names[::-1], strict=True))
    for node in wrong.graph.node:
        for side in (node.input, node.output):
            side[:] = [exchanged.get(name, name) for name in side]
    onnx.save(wrong, pair / "wrong.onnx")
    for model in ("theirs.tflite", "saved"):
        assert compare([str(pair / model), str(pair / "wrong.onnx"), "--providers", "cpu", "-q"]) == DIFFERS


def test_a_file_of_two_inputs_computes_what_its_interpreter_does(pair: Path) -> None:
    zeta, alpha = random(1, 8, 10, 3), random(1, 8, 10, 3)[:, ::-1]
    loaded = tf.saved_model.load(str(pair / "saved"))
    expected = loaded.both(zeta, alpha)
    for to in ("nchw", "nhwc"):
        made = onnx.load(pair / f"{to}.onnx")
        found = fed(made, {"zeta": zeta, "alpha": np.ascontiguousarray(alpha)}, to)
        for name, value in expected.items():
            agree(found[name], first(value.numpy()) if to == "nchw" else value.numpy())
