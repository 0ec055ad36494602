"""What is told of recurrent layers; what they compute is run in tests/interop/test_recurrent.py."""

from typing import Any

import numpy as np
import pytest

from rewriter.weights import Export, export_weights
from tests.support.graphs import model, node, random

GATES = {"LSTM": 4, "GRU": 3}


def export(op: str, target: str, **attrs: Any) -> Export:
    """A layer of 5 units and 6 features."""
    weights = {"w": random(1, GATES[op] * 5, 6), "r": random(1, GATES[op] * 5, 5), "b": random(1, GATES[op] * 10)}
    nodes = [node(op, ["x", "w", "r", "b"], ["y"], "layer", hidden_size=5, **attrs)]
    return export_weights(model(nodes, {"x": [7, 2, 6]}, {"y": None}, weights), target)


@pytest.mark.parametrize("op", GATES)
def test_gates_of_keras(op: str) -> None:
    found = export(op, "tensorflow").tensors["layer.kernel"]
    gates = np.split(random(1, GATES[op] * 5, 6)[0], GATES[op])
    ordered = [gates[i] for i in ((0, 2, 3, 1) if op == "LSTM" else (0, 1, 2))]
    np.testing.assert_array_equal(found, np.concatenate(ordered).T)


@pytest.mark.parametrize(("after", "shape"), [(0, (15,)), (1, (2, 15))])
def test_two_biases_only_where_the_reset_is_behind(after: int, shape: tuple[int, ...]) -> None:
    made = export("GRU", "tensorflow", linear_before_reset=after)
    assert made.tensors["layer.bias"].shape == shape
    assert made.manifest.layers["layer"].settings["reset_after"] is bool(after)


def test_tflite_keeps_the_operators_own() -> None:
    made = export("LSTM", "tflite")
    assert set(made.tensors) == {"w", "r", "b"}
    assert made.manifest.notes == ["layer: its gates stay in the order of ONNX's operator LSTM"]


@pytest.mark.parametrize(
    ("op", "target", "attrs", "told"),
    [
        ("GRU", "pytorch", {}, "linear_before_reset = 0: no layer of pytorch"),
        ("GRU", "flax", {}, "linear_before_reset = 0: no layer of flax"),
        ("LSTM", "flax", {"clip": 3.0}, "clip: no layer of flax"),
        ("LSTM", "tensorflow", {"activations": ["Sigmoid", "Relu", "Tanh"]}, "activations: no layer"),
        ("LSTM", "pytorch", {"direction": "reverse"}, "runs backwards only"),
        ("LSTM", "pytorch", {"input_forget": 1}, "input_forget: no layer"),
    ],
)
def test_what_layers_do_otherwise_is_told(op: str, target: str, attrs: dict[str, Any], told: str) -> None:
    assert [told in note for note in export(op, target, **attrs).manifest.notes] == [True]
