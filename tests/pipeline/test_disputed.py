"""Resizes of which onnx's inference and onnxruntime compute different sizes."""

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper

from passes.ir.declared import shape_of
from rewriter import rewrite
from rewriter.shapes.check import onnx_fault, skeleton
from rewriter.shapes.infer import infer
from tests.support.engines import disabled
from tests.support.graphs import DIRECTIONS, conv, converted, ints, model, node, random

SIZE, SCALE = 24, 1.1666666  # 27.99999 in float64, 28 in float32
RESIZED = 28
RESIZES: dict[str, tuple[int, Any]] = {
    "Resize": (17, node("Resize", ["c", "", "scales"], ["resized"])),
    "linear Resize": (17, node("Resize", ["c", "", "scales"], ["resized"], mode="linear")),
    "Resize of axes": (18, node("Resize", ["c", "", "last_scales"], ["resized"], axes=[2, 3])),
    "Resize 10": (10, node("Resize", ["c", "scales"], ["resized"])),
}
every_resize = pytest.mark.parametrize("name", RESIZES)


def net(name: str) -> ModelProto:
    """The original hides the size behind a Slice to that of a Reshape, which the rewriter's inference follows."""
    opset, resize = RESIZES[name]
    nodes = [
        conv("x", "c"),
        resize,
        node("Shape", ["flat"], ["flat_shape"]),
        node("Gather", ["flat_shape", "zero"], ["batch"]),
        node("Concat", ["batch", "image"], ["sizes"], axis=0),
        node("Reshape", ["flat", "sizes"], ["z"]),
        node("Shape", ["z"], ["shape"]),
        node("Gather", ["shape", "axes"], ["ends"]),
        node("Slice", ["resized", "starts", "ends", "axes"], ["cropped"]),
        node("Add", ["cropped", "z"], ["y"]),
    ]
    constants = {
        "w": random(3, 3, 3, 3), "scales": np.array([1, 1, SCALE, SCALE], np.float32), "zero": ints(0),
        "last_scales": np.array([SCALE, SCALE], np.float32), "starts": ints(0, 0), "axes": ints(2, 3),
        "image": ints(3, RESIZED, RESIZED),
    }  # fmt: skip
    used = {name for each in nodes for name in each.input}
    constants = {name: array for name, array in constants.items() if name in used}
    inputs: dict[str, list[int | str | None]] = {"x": ["n", 3, SIZE, SIZE], "flat": ["n", 3 * RESIZED**2]}
    return model(nodes, inputs, {"y": ["n", 3, RESIZED, RESIZED]}, constants, opset=opset)


def resized(a_model: ModelProto) -> list[Any]:
    """What inference tells of the Resize's result."""
    return shape_of(infer(skeleton(a_model))["resized"]) or []


@every_resize
@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
def test_nothing_is_called_invalid_for_it(name: str, to: str, dialect: str) -> None:
    converted(net(name), to, dialect)


@every_resize
def test_no_size_is_told_where_onnxruntime_has_another(name: str) -> None:
    told = resized(net(name))
    assert told[:2] == ["n", 3]
    assert not any(isinstance(size, int) for size in told[2:])
    results = disabled(net(name), {"x": random(1, 3, SIZE, SIZE), "flat": random(1, 3 * RESIZED**2)})
    assert results[0].shape == (1, 3, RESIZED, RESIZED)


@every_resize
def test_sizes_that_agree_are_told(name: str) -> None:
    agreed = net(name)
    for given in agreed.graph.input:
        given.type.tensor_type.shape.dim[0].dim_value = 1
    for tensor in agreed.graph.initializer:
        if tensor.name in ("scales", "last_scales"):
            scales = np.array(numpy_helper.to_array(tensor))
            scales[scales != 1] = 1.2
            tensor.CopyFrom(numpy_helper.from_array(scales, tensor.name))
    assert resized(agreed) == [1, 3, 28, 28]


@pytest.mark.parametrize("dialect", ["function", "onnx"])
def test_a_crop_to_the_size_that_onnxruntime_has_is_valid(dialect: str) -> None:
    nodes = [conv("x", "c"), RESIZES["Resize"][1], node("Add", ["resized", "z"], ["y"])]
    constants = {"w": random(3, 3, 3, 3), "scales": np.array([1, 1, SCALE, SCALE], np.float32)}
    large = [1, 3, RESIZED, RESIZED]
    original = model(nodes, {"x": [1, 3, SIZE, SIZE], "z": large}, {"y": large}, constants)
    assert onnx_fault(original) is None
    assert onnx_fault(rewrite(original, "nhwc", dialect=dialect).model) is None
