"""Keras's PReLU as tf2onnx writes it; its result is run in tests/interop/test_norms.py."""

from typing import Any

import numpy as np
import pytest

from rewriter.weights import TARGETS, Export, export_weights
from tests.support.graphs import Array, conv, model, node, random


def export(target: str, last: str = "Add", slopes: Array | None = None, **inputs: list[str]) -> Export:
    """``inputs``: those of an operator, in place of its own, by its result."""
    own = {"n": ["c"], "m": ["r", "slopes"], "y": ["p", "m"]} | inputs
    nodes = [
        conv("x", "c", "w"),
        node("Relu", ["c"], ["p"]),
        node("Neg", own["n"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("Mul", own["m"], ["m"], "slope"),
        node(last, own["y"], ["y"]),
        conv("y", "z", "v"),
    ]
    held = random(1, 4, 1, 1) if slopes is None else slopes
    constants = {"w": random(4, 3, 3, 3), "v": random(3, 4, 3, 3), "slopes": held}
    return export_weights(model(nodes, {"x": [2, 3, 7, 6]}, {"z": None}, constants), target)


@pytest.mark.parametrize(("last", "sign"), [("Add", -1), ("Sub", 1)])
@pytest.mark.parametrize("target", TARGETS)
def test_one_slope_per_channel(target: str, last: str, sign: int) -> None:
    made = export(target, last)
    (tensor,) = made.manifest.layers["slope"].parameters.values()
    assert made.manifest.layers["slope"].kind == "prelu"
    np.testing.assert_array_equal(made.tensors[tensor].ravel(), sign * random(1, 4, 1, 1).ravel())
    assert made.tensors[tensor].shape == ((4,) if target == "pytorch" else (1, 1, 4))


def test_operands_either_way_round() -> None:
    assert export("flax", m=["slopes", "r"], y=["m", "p"]).manifest.layers["slope"].kind == "prelu"


@pytest.mark.parametrize(
    "other",
    [
        {"n": ["p"]},  # the negative part of another value
        {"last": "Sub", "y": ["m", "p"]},
        {"m": ["r", "c"]},
        {"y": ["p", "r"]},
    ],
)
def test_what_is_none(other: dict[str, Any]) -> None:
    assert "slope" not in export("flax", **other).manifest.layers


def test_slopes_of_a_map_between_transposes() -> None:
    """As tf2onnx has them where axes are not shared: the Mul is channels last."""
    nodes = [
        conv("x", "c", "w"),
        node("Relu", ["c"], ["p"]),
        node("Neg", ["c"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("Transpose", ["r"], ["t"], perm=[0, 2, 3, 1]),
        node("Mul", ["t", "slopes"], ["m"], "slope"),
        node("Transpose", ["m"], ["b"], perm=[0, 3, 1, 2]),
        node("Add", ["p", "b"], ["y"]),
        conv("y", "z", "v"),
    ]
    constants = {"w": random(4, 3, 3, 3), "v": random(3, 4, 3, 3), "slopes": random(7, 6, 4)}
    proto = model(nodes, {"x": [2, 3, 7, 6]}, {"z": None}, constants)
    np.testing.assert_array_equal(export_weights(proto, "tensorflow").tensors["slopes"], -random(7, 6, 4))
    np.testing.assert_array_equal(
        export_weights(proto, "pytorch").tensors["slopes"], -random(7, 6, 4).transpose(2, 0, 1)
    )
