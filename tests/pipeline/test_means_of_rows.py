"""LayerNormalization of a sequence as tf2onnx writes it makes no image of it."""

import pytest
from onnx import ModelProto

from rewriter import rewrite
from tests.support.graphs import converted, model, node, random

T, F = 7, 6


def normalised(square: str = "Mul", opset: int = 17, shape: tuple[int, ...] = (2, T, F)) -> ModelProto:
    """``(x - mean) / sqrt(variance + epsilon)`` along the last axis, and a Dense."""
    squares = ["d", "d"] if square == "Mul" else ["d", "two"]
    nodes = [
        node("GlobalAveragePool", ["x"], ["mean"]),
        node("Sub", ["x", "mean"], ["d"]),
        node(square, squares, ["d2"]),
        node("GlobalAveragePool", ["d2"], ["variance"]),
        node("Add", ["variance", "epsilon"], ["v"]),
        node("Sqrt", ["v"], ["s"]),
        node("Div", ["d", "s"], ["n"]),
        node("MatMul", ["n", "m"], ["y"]),
    ]
    constants = {"epsilon": abs(random(1)) + 0.1, "two": random(1) * 0 + 2, "m": random(shape[-1], 5)}
    return model(nodes, {"x": list(shape)}, {"y": None}, constants, opset=opset)


@pytest.mark.parametrize("opset", [13, 17, 18])
@pytest.mark.parametrize("square", ["Mul", "Pow"])
@pytest.mark.parametrize("to", ["nhwc", "nchw"])
def test_a_sequence_stays_one(to: str, square: str, opset: int) -> None:
    result = converted(normalised(square, opset), to, "function" if to == "nhwc" else "onnx")
    assert not any(value.flipped for value in (*result.inputs, *result.outputs))
    assert result.plan.bytes == 0
    assert {n.op_type for n in result.model.graph.node} & {"GlobalAveragePool", "Transpose"} == set()


def test_a_pool_of_a_signal_is_one() -> None:
    """One whose mean is taken from something else, or from an image of four axes."""
    nodes = [
        node("GlobalAveragePool", ["x"], ["mean"]),
        node("Neg", ["x"], ["other"]),
        node("Sub", ["other", "mean"], ["y"]),
    ]
    result = rewrite(model(nodes, {"x": [2, 3, 11]}, {"y": None}), "nhwc")
    assert result.inputs[0].flipped
    assert rewrite(normalised(shape=(2, 3, T, F)), "nhwc").inputs[0].flipped


def test_an_instance_normalisation_behind_a_convolution_is_of_an_image() -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1]),
        node("GlobalAveragePool", ["c"], ["mean"]),
        node("Sub", ["c", "mean"], ["y"]),
    ]
    result = converted(model(nodes, {"x": [2, 3, 11]}, {"y": None}, {"w": random(5, 3, 3)}), "nhwc", "function")
    assert result.inputs[0].flipped
    assert result.outputs[0].flipped
    assert result.plan.bytes == 0
