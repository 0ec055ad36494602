"""TFLite files of models with open sizes, and what is said of nodes behind one without a form."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from rewriter.backends.tflite import BACKEND
from rewriter.cli import main
from tests.interop.in_backend import verdict
from tests.support.engines import default

SAME: dict[str, Any] = {"auto_pad": "SAME_UPPER", "strides": [2, 2]}
WINDOW: dict[str, Any] = {"kernel_shape": [3, 3], **SAME}


def net(shape: list[Any], *nodes: onnx.NodeProto, **constants: Any) -> ModelProto:
    """Nodes from ``x`` to ``y``."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    held = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "net", [x], [y], held)
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])


def random(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Conv", ["x", "w"], ["y"], **SAME),
        helper.make_node("Conv", ["x", "d"], ["y"], group=3, **SAME),
        helper.make_node("MaxPool", ["x"], ["y"], **WINDOW),
        helper.make_node("AveragePool", ["x"], ["y"], **WINDOW),
    ],
    ids=["Conv", "depthwise", "MaxPool", "AveragePool"],
)
def test_same_is_same_of_any_size(node: onnx.NodeProto, tmp_path: Path) -> None:
    model = net(["N", 3, "H", "W"], node, w=random(5, 3, 3, 3), d=random(3, 1, 3, 3))
    onnx.save(model, tmp_path / "net.onnx")
    assert main([str(tmp_path / "net.onnx"), "-o", str(tmp_path / "net.tflite"), "-q"]) == 0
    run = BACKEND.load(tmp_path / "net.tflite", "default")
    for size in ((8, 11), (9, 6)):
        x = random(2, 3, *size) - 1
        found: Any = run({"x": np.moveaxis(x, 1, -1)})["y"]
        wanted: Any = default(model, {"x": x})[0]
        np.testing.assert_allclose(found, np.moveaxis(wanted, 1, -1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (helper.make_node("AveragePool", ["x"], ["y"], count_include_pad=1, **WINDOW), "AveragePool"),
        (helper.make_node("MaxPool", ["x"], ["y"], dilations=[2, 2], **WINDOW), "MaxPool"),
        (helper.make_node("Conv", ["x", "w"], ["y"], **{**SAME, "auto_pad": "SAME_LOWER"}), "Conv"),
    ],
    ids=["counted", "dilated", "lower"],
)
def test_what_is_not_same_of_any_size_is_refused(
    node: onnx.NodeProto, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(net(["N", 3, "H", "W"], node, w=random(5, 3, 3, 3)), tmp_path / "net.onnx")
    assert main([str(tmp_path / "net.onnx"), "-o", str(tmp_path / "net.tflite"), "-q"]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "its padding depends on a size that is not known" in told


def test_other_axes_may_be_open() -> None:
    """What is split or mirrored along an axis needs the size of that one."""
    pads = np.array([0, 0, 2, 1, 0, 0, 1, 2])
    model = net(
        ["N", 6, 5, 7],
        helper.make_node("Pad", ["x", "pads"], ["p"], mode="reflect"),
        helper.make_node("Split", ["p"], ["a", "b"], axis=1),
        helper.make_node("Mul", ["a", "b"], ["y"]),
        pads=pads,
    )
    assert verdict(model, {"x": random(2, 6, 5, 7)}).status == "passed"


def test_tensorflows_nearest_elements() -> None:
    """As tf2onnx writes them; one operator in TFLite."""
    how = {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"}
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest", **how)
    model = net([1, 3, 5, 7], node, scales=np.array([1, 1, 2.4, 3], np.float32))
    assert verdict(model, {"x": random(1, 3, 5, 7)}).status == "passed"


def test_nodes_behind_one_without_a_form_are_not_blamed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What they read has the type that the model gives it."""
    onnx.save(
        net(
            [2, 3],
            helper.make_node("Unique", ["x"], ["u", "", "places", ""]),
            helper.make_node("Equal", ["places", "places"], ["same"]),
            helper.make_node("Not", ["same"], ["other"]),
            helper.make_node("Cast", ["other"], ["y"], to=TensorProto.FLOAT),
        ),
        tmp_path / "net.onnx",
    )
    assert main([str(tmp_path / "net.onnx"), "-o", str(tmp_path / "net.tflite"), "-q"]) == 2
    told = capsys.readouterr().err
    assert "no form in TensorFlow of Unique" in told
    assert not {"Equal", "Not", "Cast"} & {word.strip(";(") for word in told.split()}
