"""DepthToSpace and SpaceToDepth; what frameworks compute of them is run in tests/interop/test_shuffles.py."""

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from rewriter.weights import TARGETS, Export, export_weights
from tests.support.engines import default
from tests.support.graphs import Array, conv, ints, model, node, random

MODES = ("CRD", "DCR")
KERNEL = (12, 3, 3, 3)


def shuffled(
    mode: str, *between: Any, extra: tuple[str, ...] = (), constants: dict[str, Any] | None = None
) -> ModelProto:
    """A Conv of 12 channels, ``between``, a DepthToSpace of ``y``, whose input is an output too if ``extra``."""
    nodes = [conv("x", "c", "w"), *between]
    nodes.append(node("DepthToSpace", [nodes[-1].output[0]], ["y"], "up", blocksize=2, mode=mode))
    outputs = dict.fromkeys(("y", *extra))
    return model(nodes, {"x": [2, 3, 7, 6]}, outputs, {"w": random(*KERNEL), **(constants or {})})


def ordered(array: Array, mode: str, wanted: str) -> Array:
    """The first axis, 12 channels, from one mode's order to the other's."""
    sizes = {"CRD": (3, 4), "DCR": (4, 3)}[mode]
    return array if mode == wanted else array.reshape(*sizes, -1).swapaxes(0, 1).reshape(array.shape)


def kernel(export: Export) -> Array:
    """That of a convolution, OIHW."""
    entry = export.manifest.tensors["w"]
    letters = entry.new or "OIHW"
    return export.tensors["w"].transpose([letters.index(letter) for letter in "OIHW"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("target", "wanted"), [("pytorch", ["CRD"]), ("tensorflow", ["DCR"]), ("tflite", ["DCR"]), ("flax", MODES)]
)
def test_a_kernel_is_stored_for_the_targets_operator(target: str, wanted: list[str], mode: str) -> None:
    export = export_weights(shuffled(mode), target)
    own = mode if mode in wanted else wanted[0]
    np.testing.assert_array_equal(kernel(export), ordered(random(*KERNEL), mode, own))
    assert export.manifest.layers["up"].settings == {"block_size": 2, "mode": own}
    assert [note.startswith("up: weights are stored for") for note in export.manifest.notes] == [True] * (own != mode)
    np.testing.assert_array_equal(export.manifest.tensors["w"].change.undo(export.tensors["w"]), random(*KERNEL))


def test_what_stands_between_is_stored_so_too() -> None:
    names = ("gamma", "beta", "mean", "var")
    constants: dict[str, Any] = {name: random(12) + i for i, name in enumerate(names)} | {
        "slope": random(12, 1, 1),
        "two": np.float32(2),
    }
    between = [
        node("BatchNormalization", ["c", *names], ["n"]),
        node("PRelu", ["n", "slope"], ["p"]),
        node("Mul", ["p", "two"], ["m"]),
        node("Relu", ["m"], ["r"]),
    ]
    export = export_weights(shuffled("CRD", *between, constants=constants), "tensorflow")
    for name in (*names, "slope"):
        expected = ordered(constants[name].ravel(), "CRD", "DCR")
        np.testing.assert_array_equal(export.tensors[name].ravel(), expected)


REFUSED: dict[str, Any] = {
    "another reads it": ((), {"extra": ("c",)}),
    "channels are mixed": ([node("Softmax", ["c"], ["s"], axis=1)], {}),
    "no convolution": ([node("Concat", ["c"], ["d"], axis=1)], {}),
    "a map is added": ([node("Add", ["c", "b"], ["d"])], {"constants": {"b": random(12, 7, 6)}}),
    "two images": ([node("Sigmoid", ["c"], ["s"]), node("Mul", ["c", "s"], ["d"])], {}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_else_the_record_says_how_to_reorder(case: str) -> None:
    between, given = REFUSED[case]
    export = export_weights(shuffled("CRD", *between, **given), "tensorflow")
    np.testing.assert_array_equal(kernel(export), random(*KERNEL))
    assert export.manifest.layers["up"].settings["reorder_channels"] == {"of": "input", "sizes": [3, 4], "perm": [1, 0]}
    assert any("reorder those of its input" in note for note in export.manifest.notes)


def by_hand(sizes: tuple[int, ...], perm: list[int], shape: tuple[int, ...]) -> ModelProto:
    """Reshape, Transpose, Reshape behind a Conv of 12 channels and before one of as many as there are."""
    nodes = [
        conv("x", "c", "w"),
        node("Reshape", ["c", "divided"], ["a"]),
        node("Transpose", ["a"], ["t"], "t", perm=perm),
        node("Reshape", ["t", "whole"], ["b"]),
        conv("b", "y", "v"),
    ]
    constants = {"w": random(*KERNEL), "v": random(5, shape[1], 1, 1)}
    constants |= {"divided": ints(*sizes), "whole": ints(*shape)}
    return model(nodes, {"x": [2, 3, 6, 6]}, {"y": None}, constants)


DOWN = by_hand((2, 12, 3, 2, 3, 2), [0, 1, 3, 5, 2, 4], (2, 48, 3, 3))
UP = by_hand((2, 3, 2, 2, 6, 6), [0, 1, 4, 2, 5, 3], (2, 3, 12, 12))


def test_reshapes() -> None:
    down, up = export_weights(DOWN, "tensorflow"), export_weights(UP, "tflite")
    assert (down.manifest.layers["t"].kind, up.manifest.layers["t"].kind) == ("space_to_depth", "depth_to_space")
    expected = random(5, 48, 1, 1).reshape(5, 12, 4).swapaxes(1, 2).reshape(5, 48)
    np.testing.assert_array_equal(down.tensors["v"].reshape(48, 5).T, expected)
    np.testing.assert_array_equal(down.tensors["w"].transpose(3, 2, 0, 1), random(*KERNEL))
    np.testing.assert_array_equal(up.tensors["w"].transpose(0, 3, 1, 2), ordered(random(*KERNEL), "CRD", "DCR"))


def test_reshapes_stay_in_a_target_that_can_do_the_same() -> None:
    dcr = by_hand((2, 2, 2, 3, 6, 6), [0, 3, 4, 1, 5, 2], (2, 3, 12, 12))
    for proto in (DOWN, UP, dcr):
        export = export_weights(proto, "pytorch")
        np.testing.assert_array_equal(export.tensors["w"], random(*KERNEL))
        assert export.manifest.notes == []
    assert export.manifest.layers["t"].settings["mode"] == "DCR"


@pytest.mark.parametrize(
    "other",
    [
        by_hand((2, 3, 2, 2, 6, 6), [0, 1, 4, 3, 5, 2], (2, 3, 12, 12)),  # rows and columns of a block exchanged
        by_hand((2, 3, 2, 2, 6, 6), [0, 1, 4, 2, 5, 3], (2, 3, 24, 6)),
        by_hand((2, 2, 3, 2, 6, 6), [0, 1, 4, 2, 5, 3], (2, 2, 18, 12)),  # blocks of 3 by 2
    ],
)
def test_what_is_none(other: ModelProto) -> None:
    assert "t" not in export_weights(other, "tensorflow").manifest.layers
    default(other, {"x": random(2, 3, 6, 6)})


@pytest.mark.parametrize("target", TARGETS)
def test_a_kernel_that_two_convolutions_read_behind_one_transpose(target: str) -> None:
    nodes = [
        node("Transpose", ["w"], ["k"], perm=[3, 2, 0, 1]),
        conv("x", "c", "k"),
        node("DepthToSpace", ["c"], ["y"], "up", blocksize=2, mode="DCR" if target == "pytorch" else "CRD"),
        conv("x", "z", "k"),
    ]
    proto = model(nodes, {"x": [2, 3, 7, 6]}, {"y": None, "z": None}, {"w": random(3, 3, 3, 12)})
    export = export_weights(proto, target)
    assert ("reorder_channels" in export.manifest.layers["up"].settings) == (target != "flax")
