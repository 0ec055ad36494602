"""The counting of tests/tools/zoo.py, on committed models."""

import numpy as np
import onnx
import pytest
from onnx import ModelProto, shape_inference

from rewriter import rewrite
from tests.support.engines import disabled
from tests.support.graphs import COMMITTED, count
from tests.tools.zoo import measured, naive, profile

TRANSPOSED = COMMITTED["keras_mobilenet_v3_transposes"]


def test_an_inference_moves_what_the_shapes_say() -> None:
    model = shape_inference.infer_shapes(onnx.load(TRANSPOSED))
    values = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
    shapes = {name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for name, value in values.items()}
    sizes = [4 * int(np.prod(shapes[node.output[0]])) for node in model.graph.node if node.op_type == "Transpose"]
    found = measured(model, "file").transposes
    assert (found.nodes, found.bytes) == (108, sum(sizes))


def test_bodies_of_functions_are_not_in_the_file() -> None:
    result = rewrite(COMMITTED["torch_resnet"], "nhwc")
    assert measured(result.model, "file").transposes.nodes == count(result.model) == 0
    assert any(event["args"]["op_name"] == "Transpose" for event in profile(result.model, "file"))


@pytest.mark.parametrize(("name", "to"), [("torch_unet_dynamo", "nhwc"), ("keras_unet", "nchw")])
def test_the_naive_model_has_our_interface_and_the_original_outputs(name: str, to: str) -> None:
    original, result = onnx.load(COMMITTED[name]), rewrite(COMMITTED[name], to)
    base = naive(original, [*result.inputs, *result.outputs])
    onnx.checker.check_model(base, full_check=True)
    assert count(base) == count(original) + 2
    there, back = result.layouts["input"], np.argsort(result.layouts["output"])
    x = np.random.default_rng(0).standard_normal(shape(original), dtype=np.float32)
    np.testing.assert_array_equal(run(base, x.transpose(there)).transpose(back), run(original, x))


def shape(model: ModelProto) -> list[int]:
    return [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]


def run(model: ModelProto, x: np.ndarray) -> np.ndarray:
    (y,) = disabled(model, {"input": x})
    return np.asarray(y)
