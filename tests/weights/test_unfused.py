"""onnxruntime's FusedConv as a convolution."""

from typing import Any

import numpy as np
import onnx
import pytest

from rewriter.weights import TARGETS, export_weights
from rewriter.weights.layers.unfused import unfused
from tests.support.engines import disabled
from tests.support.graphs import model, node, random

SHAPE = [2, 3, 7, 6]
CASES: dict[str, dict[str, Any]] = {
    "Relu": {},
    "Tanh": {},
    "Sigmoid": {},
    "LeakyRelu": {"activation_params": [0.3]},
    "HardSigmoid": {"activation_params": [0.25, 0.4]},
    "Clip": {"activation_params": [-0.5, 0.75]},
}


def fused(activation: str, added: bool = False) -> onnx.ModelProto:
    """A FusedConv, and a Gemm behind a Flatten."""
    inputs = ["x", "w", "b", *(["z"] if added else [])]
    nodes = [
        node("FusedConv", inputs, ["c"], "conv", domain="com.microsoft", activation=activation, pads=[1, 0, 1, 2],
             **CASES.get(activation, {})),
        node("Flatten", ["c"], ["f"]),
        node("MatMul", ["f", "m"], ["y"], "fc"),
    ]  # fmt: skip
    ends = {"x": SHAPE, **({"z": [2, 4, 7, 7]} if added else {})}
    constants = {"w": random(4, 3, 3, 2), "b": random(4), "m": random(4 * 7 * 7, 5)}
    return model(nodes, ends, {"y": None}, constants, domains=["com.microsoft"])


@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("activation", CASES)
def test_the_operators_compute_the_same(activation: str, added: bool) -> None:
    proto = fused(activation, added)
    inputs = {"x": random(*SHAPE), **({"z": random(2, 4, 7, 7)} if added else {})}
    found, expected = (disabled(made, inputs)[0] for made in (unfused(proto)[0], proto))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("target", TARGETS)
def test_a_layer_with_its_activation(target: str) -> None:
    export = export_weights(fused("LeakyRelu"), target)
    layer = export.manifest.layers["conv"]
    assert (layer.kind, len(layer.parameters), layer.settings["activation"]) == ("conv", 2, "LeakyRelu")
    assert layer.settings["activation_parameters"] == [pytest.approx(0.3)]
    assert all(note.startswith("reordered for a Flatten") for note in export.manifest.notes)
    if target == "tensorflow":  # the plan goes through it, to the rows of the Dense
        rows = random(4 * 7 * 7, 5).reshape(4, 7, 7, 5).transpose(1, 2, 0, 3).reshape(-1, 5)
        np.testing.assert_array_equal(export.tensors["m"], rows)


def test_what_is_none_stays() -> None:
    other = fused("Softmax")
    assert unfused(other)[0] is other
