"""GroupNorm and the moments of tf2onnx as layers; what they compute is run in tests/interop/test_norms.py."""

import numpy as np
import pytest

from rewriter.weights import TARGETS, export_weights
from rewriter.weights.layers.norms import kind_of
from tests.support.graphs import KINDS, Array, ints, model, node, random

SHAPE = [2, 6, 5, 7]


def group_norm(ones: Array | None = None) -> list[str]:
    """The kinds of layers that are found for each target."""
    nodes = [
        node("Reshape", ["x", "groups"], ["r"]),
        node("InstanceNormalization", ["r", "ones", "zeros"], ["n"], "norm"),
        node("Reshape", ["n", "whole"], ["b"]),
        node("Mul", ["b", "gamma"], ["m"]),
        node("Add", ["beta", "m"], ["y"]),
    ]
    own = {"ones": np.ones(3, np.float32) if ones is None else ones, "zeros": np.zeros(3, np.float32)}
    learned = {"gamma": random(6, 1, 1), "beta": random(6, 1, 1) + 1}
    proto = model(nodes, {"x": SHAPE}, {"y": None}, {**own, **learned, "groups": ints(2, 3, -1), "whole": ints(*SHAPE)})
    kinds = []
    for target in TARGETS:
        export = export_weights(proto, target)
        kinds += [layer.kind for layer in export.manifest.layers.values()]
        if ones is None:
            assert set(export.tensors) == {"gamma", "beta"}
            (layer,) = export.manifest.layers.values()
            np.testing.assert_array_equal(
                export.tensors[next(iter(layer.parameters.values()))], random(6, 1, 1).ravel()
            )
            assert layer.settings["groups"] == 3
    return kinds


def test_group_norm() -> None:
    assert group_norm() == ["group_norm"] * len(TARGETS)


def test_groups_that_are_scaled_themselves_are_none() -> None:
    assert "group_norm" not in group_norm(np.full(3, 2, np.float32))


@pytest.mark.parametrize("target", TARGETS)
def test_moments_of_keras(target: str) -> None:
    kinds = [layer.kind for layer in export_weights(KINDS["keras_group_norm"], target).manifest.layers.values()]
    assert "group_norm" in kinds


@pytest.mark.parametrize(("opset", "count"), [(18, 3), (21, 6)])
def test_the_operator_has_an_entry_per_group_until_opset_21(opset: int, count: int) -> None:
    nodes = [node("GroupNormalization", ["x", "s", "b"], ["y"], "norm", num_groups=3)]
    scale = random(count)
    proto = model(nodes, {"x": SHAPE}, {"y": SHAPE}, {"s": scale, "b": random(count)}, opset=opset)
    export = export_weights(proto, "flax")
    np.testing.assert_array_equal(export.tensors["s"], scale.repeat(6 // count))
    assert export.manifest.layers["norm"].settings == {"epsilon": 1e-5, "groups": 3}


@pytest.mark.parametrize(
    ("x", "mean", "gamma", "found"),
    [
        ([2, 5, 8], [2, 5, 1], [1, 1, 8], ("layer_norm", {"axis": -1})),
        (["N", 5, 8], ["N", 5, 1], [8], ("layer_norm", {"axis": -1})),
        ([2, 5, 8], [2, 1, 1], [5, 8], ("layer_norm", {"axis": -2})),
        ([2, 5, 7, 4, 2], [2, 1, 1, 4, 1], [1, 1, 1, 4, 2], ("group_norm", {"groups": 4})),
        ([2, 4, 2, 5, 7], [2, 4, 1, 1, 1], [1, 4, 2, 1, 1], ("group_norm", {"groups": 4})),
        ([2, 6, 5, 7], [2, 1, 5, 7], [6, 1, 1], ("layer_norm", {"axis": -3})),  # channels, behind a Conv
        ([2, 5, 8], [2, 1, 8], [8], None),  # along the steps
        ([2, 5, 8], [2, 1, 1], [8], None),  # along all axes, by features
        ([2, 5, 8], None, [8], None),
        ([2, 5, 8], [2, 5, 1], [1], None),
    ],
)
def test_kinds(x: list[int | str], mean: list[int | str] | None, gamma: list[int], found: object) -> None:
    assert kind_of(x, mean, gamma) == found
