"""What TFLite files and SavedModels keep of a model: names, shapes and the order of outputs."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from rewriter.backends.tflite import BACKEND
from rewriter.cli import main
from tests.interop.in_backend import verdict
from tests.interop.test_backends import conv_net


@pytest.mark.parametrize("name", ["self", "class", "é 1", "1", "args", "a.b/c:0"])
def test_any_name_is_kept(name: str) -> None:
    """Also what Python, or TensorFlow's signatures, have for themselves."""
    found = verdict(conv_net(name), {})
    assert found.status == "passed", found.reason


@pytest.mark.parametrize(
    "outputs",
    [["y", "x"], ["y", "z"], ["c", "y"], ["c"]],
    ids=["an input", "the same twice", "a constant", "nothing but a constant"],
)
def test_odd_outputs(outputs: list[str]) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Identity", ["y"], ["z"])]
    names = ("x", "unused", *outputs)
    x, unused, *others = (
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [5] if n == "c" else [2, 3]) for n in names
    )
    constant = onnx.numpy_helper.from_array(np.ones(5, np.float32), "c")
    graph = helper.make_graph(nodes, "odd", [x, unused], others, [constant])
    found = verdict(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)]), {})
    assert found.status == "passed", found.reason


def test_names_and_open_sizes_are_kept(tmp_path: Path) -> None:
    onnx.save(conv_net(), tmp_path / "net.onnx")
    assert main([str(tmp_path / "net.onnx"), "-o", str(tmp_path / "net.tflite"), "-q"]) == 0
    run = BACKEND.load(tmp_path / "net.tflite", "default")
    for batch in (1, 3):
        (result,) = run({"images:0/in": np.ones((batch, 11, 13, 3), np.float32)}).items()
        assert (result[0], result[1].shape) == ("scores:0", (batch, 12, 13, 5))


def test_a_shape_that_is_computed() -> None:
    """As tf2onnx writes an Einsum of an open batch: a product of sizes, -1, and a size that is copied."""
    nodes = [
        helper.make_node("Shape", ["x"], ["sizes"]),
        helper.make_node("Gather", ["sizes", "batches"], ["some"]),
        helper.make_node("ReduceProd", ["some"], ["product"], axes=[0], keepdims=1),
        helper.make_node("Concat", ["product", "rest"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "M", 4, 6])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None, None])
    held = [onnx.numpy_helper.from_array(np.array(v, np.int64), n) for n, v in (("batches", [0, 1]), ("rest", [-1, 0]))]
    graph = helper.make_graph(nodes, "computed", [x], [y], held)
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    found = verdict(made, {"x": np.random.default_rng(0).standard_normal((2, 3, 4, 6)).astype(np.float32)})
    assert found.status == "passed", found.reason


def test_an_image_resized_to_sizes_that_are_computed(tmp_path: Path) -> None:
    """As a segmenter of open sizes brings its classes back to the size of the image."""
    nodes = [
        helper.make_node("MaxPool", ["x"], ["small"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Shape", ["x"], ["space"], start=2),
        helper.make_node("Shape", ["small"], ["rest"], end=2),
        helper.make_node("Concat", ["rest", "space"], ["sizes"], axis=0),
        helper.make_node("Resize", ["small", "", "", "sizes"], ["y"], mode="linear"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, "H", "W"]) for name in "xy"]
    graph = helper.make_graph(nodes, "resized", ends[:1], ends[1:])
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    found = verdict(made, {"x": np.random.default_rng(0).standard_normal((2, 3, 7, 12)).astype(np.float32)})
    assert found.status == "passed", found.reason
    onnx.save(made, tmp_path / "net.onnx")
    assert main([str(tmp_path / "net.onnx"), "-o", str(tmp_path / "net.tflite"), "-q"]) == 0
    run = BACKEND.load(tmp_path / "net.tflite", "default")
    assert run({"x": np.zeros((1, 9, 5, 3), np.float32)})["y"].shape == (1, 9, 5, 3)


def test_what_constants_make_needs_no_form() -> None:
    """As weights that are standardised by a BatchNormalization in training, and a table of positions that is filled."""
    nodes = [
        helper.make_node("BatchNormalization", ["w", "one", "zero", "zero", "one"], ["k", "m", "v"], training_mode=1),
        helper.make_node("ScatterElements", ["k", "places", "filled"], ["f"], axis=1),
        helper.make_node("Mul", ["x", "f"], ["y"]),
    ]
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {
        "w": rng.standard_normal((1, 2, 6)).astype(np.float32),
        "one": np.ones(2, np.float32),
        "zero": np.zeros(2, np.float32),
        "places": np.ones((1, 1, 6), np.int64),
        "filled": rng.standard_normal((1, 1, 6)).astype(np.float32),
    }
    held = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 2, 6]) for name in "xy"]
    graph = helper.make_graph(nodes, "constants", ends[:1], ends[1:], held)
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    found = verdict(made, {})
    assert found.status == "passed", found.reason


def test_an_output_of_one_number_proves_little() -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Mul", ["x", "none"], ["y"])], "none", [x], [y],
                              [onnx.numpy_helper.from_array(np.zeros(3, np.float32), "none")])  # fmt: skip
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    assert "agrees proves little" in " ".join(verdict(made, {}).notes)


@pytest.mark.parametrize(("op", "indices"), [("Gather", [-1, 1, -5]), ("GatherND", [[-1, 1], [2, -4], [-5, 0]])])
def test_indices_that_are_given_may_count_from_the_end(op: str, indices: list[object]) -> None:
    """LiteRT ends a run on these."""
    given = np.array(indices)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, 4])
    i = helper.make_tensor_value_info("i", TensorProto.INT64, given.shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 4] if op == "Gather" else [3])
    graph = helper.make_graph([helper.make_node(op, ["x", "i"], ["y"])], "indices", [x, i], [y])
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    found = verdict(made, {"i": given})
    assert found.status == "passed", found.reason
