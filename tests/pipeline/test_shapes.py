"""Unknown ranks, dynamic dims and computed sizes."""

import numpy as np
import pytest

from passes.ir.declared import Shape, shape_of
from rewriter import rewrite
from rewriter.shapes.check import skeleton
from rewriter.shapes.infer import infer
from tests.support.graphs import (
    INT64,
    conv,
    converted,
    count,
    dims,
    ints,
    model,
    node,
    random,
    value,
)
from tests.support.small import KERNEL, every_direction


@every_direction
def test_a_value_of_unknown_rank(to: str, dialect: str) -> None:
    nodes = [conv("x", "c"), node("Reshape", ["c", "target"], ["r"]), node("Softmax", ["r"], ["s"]),
             node("Unsqueeze", ["s", "first"], ["y"])]  # fmt: skip
    target = value("target", (None,), INT64)
    constants = {**KERNEL, "first": ints(0)}
    a_model = model(nodes, [value("x", (2, 3, 5, 7)), target], [value("y", None)], constants)
    result = rewrite(a_model, to, dialect=dialect)
    assert [port.new_layout for port in result.outputs] == [None]


@every_direction
@pytest.mark.parametrize("target", [[0, -1], [-1, 3 * 35]])
def test_a_view_of_computed_sizes(target: list[int], to: str, dialect: str) -> None:
    """``x.view(x.size(0), -1)``, as exporters write it."""
    nodes = [
        conv("x", "c"),
        node("Shape", ["c"], ["s"]),
        node("Gather", ["s", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "first"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], axis=0),
        node("Reshape", ["c", "target"], ["f"]),
        node("MatMul", ["f", "m"], ["y"]),
    ]
    constants = {**KERNEL, "zero": np.asarray(0, dtype=np.int64), "first": ints(0), "rest": ints(-1),
                 "m": random(3 * 35, 4)}  # fmt: skip
    result = converted(model(nodes, {"x": ["N", 3, 5, 7]}, {"y": ["N", 4]}, constants), to, dialect)
    assert count(result.model) == (1 if (to, dialect) == ("nhwc", "onnx") else 0)


@every_direction
def test_sizes_are_read_in_the_original_order(to: str, dialect: str) -> None:
    nodes = [conv("x", "y"), node("Shape", ["y"], ["s"])]
    original = model(nodes, [value("x", ["N", 3, "H", "W"])], [value("y", None), value("s", [4], INT64)], KERNEL)
    converted(original, to, dialect)


@every_direction
@pytest.mark.parametrize("shape", [["N", 3, 5, 7], [1, 3, "H", "W"], ["N", 3, "H", "W"], [None, 3, None, None]])
def test_dynamic_dims(shape: list[int | str | None], to: str, dialect: str) -> None:
    nodes = [
        conv("x", "c"),
        node("GlobalAveragePool", ["c"], ["g"]),
        node("Mul", ["c", "g"], ["m"]),
        node("Concat", ["m", "x"], ["y"], axis=1),
    ]
    original = model(nodes, {"x": shape}, {"y": [shape[0], 6, *shape[2:]]}, KERNEL)
    result = converted(original, to, dialect)
    first = [shape[0], 6, *shape[2:]]
    assert dims(result.model.graph.output)["y"] == ([shape[0], *shape[2:], 6] if to == "nhwc" else first)


@pytest.mark.parametrize(
    ("left", "right", "batches"),
    [([2, 3], [2, 3], [2, 3]), ([2, 3], [1, 3], [2, 3]), ([1, 3], [2, 1], [2, 3]), ([2, 3], [3], [2, 3]),
     ([3], [2, 3], [2, 3]), (["n", 3], [1, 3], ["n", 3]), (["n", 3], ["n", 3], ["n", 3]), (["n", 3], [2, 3], None)],
)  # fmt: skip
def test_batches_of_products_of_turned_matrices(left: Shape, right: Shape, batches: Shape | None) -> None:
    """onnx has no inference for FusedMatMul; batches are broadcast as MatMul's, or not told."""
    product = node("FusedMatMul", ["a", "b"], ["y"], domain="com.microsoft", transA=1)
    a_model = model([product], {"a": [*left, 7, 5], "b": [*right, 7, 11]}, {"y": None}, domains=["com.microsoft"])
    told = shape_of(infer(skeleton(a_model))["y"])
    assert told is not None
    assert told[-2:] == [5, 11]
    assert told[:-2] == batches if batches else not isinstance(told[0], int)
