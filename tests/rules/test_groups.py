"""GroupNormalization as exporters write it: three nodes, which are one operator in the function dialect."""

import pytest
from onnx import ModelProto

from passes.rules.norm import GROUP_NORM as NAME
from rewriter import rewrite
from tests.support.graphs import Dims, conv, converted, count, ints, model, node, op_types, random

CONSTANTS = {"w": random(6, 6, 3, 3), "scale": random(2), "bias": random(2), "k": random(6, 1, 1), "to": ints(0, 2, -1)}
STATIC: Dims = ["n", 6, 5, 7]
DYNAMIC: Dims = ["n", 6, "h", "w"]


def net(shape: Dims, back: str = "Shape", groups: int = 2, opset: int = 17) -> ModelProto:
    """Conv, GroupNormalization in three nodes, its scale, Conv."""
    nodes = [
        conv("x", "c"),
        node("Reshape", ["c", "to"], ["g"]),
        node("InstanceNormalization", ["g", "scale", "bias"], ["m"], epsilon=0.25),
        *([node("Shape", ["c"], ["back"])] if back == "Shape" else []),
        node("Reshape", ["m", "back"], ["r"]),
        node("Mul", ["r", "k"], ["s"]),
        conv("s", "y"),
    ]
    constants = {**CONSTANTS, "to": ints(0, groups, -1), "scale": random(groups), "bias": random(groups)}
    constants |= {"back": ints(0, 6, 5, 7)} if back != "Shape" else {}
    return model(nodes, {"x": shape}, {"y": shape}, constants, opset=opset)


@pytest.mark.parametrize("to_and_dialect", [("nhwc", "function"), ("nhwc", "onnx"), ("nchw", "onnx")])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize(("shape", "back"), [(STATIC, "Shape"), (STATIC, "constant"), (DYNAMIC, "Shape")])
def test_it_is_proven(shape: Dims, back: str, groups: int, to_and_dialect: tuple[str, str]) -> None:
    made = converted(net(shape, back, groups), *to_and_dialect).model
    assert count(made) == (2 if to_and_dialect == ("nhwc", "onnx") else 0)
    if to_and_dialect == ("nhwc", "function"):
        assert op_types(made) == ["ConvNoBias_NHWC", f"{NAME}_NHWC", "Mul", "ConvNoBias_NHWC"]


def test_it_returns_as_three_nodes() -> None:
    original = net(STATIC)
    back = converted(converted(original, "nhwc", "function").model, "nchw", "onnx").model
    assert op_types(back) == op_types(original)


def test_who_reads_a_part_keeps_the_three() -> None:
    original = net(STATIC)
    original.graph.output.extend(model([node("Relu", ["x"], ["m"])], {"x": [1]}, {"m": [None] * 3}).graph.output)
    assert f"{NAME}_NHWC" not in op_types(converted(original, "nhwc", "function").model)


@pytest.mark.parametrize("change", ["groups", "opset"])
def test_others_stay_as_they_are(change: str) -> None:
    """Groups that are no whole channels, and an opset without Constants of integers."""
    original = net([2, 6, 5, 8], groups=4 if change == "groups" else 2, opset=11 if change == "opset" else 17)
    assert f"{NAME}_NHWC" not in op_types(rewrite(original, "nhwc", dialect="function").model)
