"""What stands behind a Flatten or before an Unflatten, and the letters of operands."""

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

from rewriter.weights import TARGETS, export_weights, read_weights
from rewriter.weights.cli import main
from tests.support.graphs import COMMITTED, conv, ints, model, node, random

C, H, W = 4, 5, 6
WEIGHTS = {
    "w1": random(C, 3, 3, 2),
    "scale": random(C * H * W),
    "rows": random(C * H * W, 7),
    "columns": random(7, C * H * W),
    "bias": random(C * H * W),
    "w2": random(2, C, 3, 3),
}
FLAT = ("scale", "rows", "columns", "bias")


def autoencoder() -> ModelProto:
    """A Conv, a Flatten, a vector and a Dense; and back."""
    nodes = [
        node("Conv", ["x", "w1"], ["c"]),
        node("Flatten", ["c"], ["f"]),
        node("Mul", ["f", "scale"], ["s"]),
        node("MatMul", ["s", "rows"], ["y"]),
        node("MatMul", ["y", "columns"], ["b"]),
        node("Add", ["b", "bias"], ["d"]),
        node("Reshape", ["d", "shape"], ["u"]),
        node("Conv", ["u", "w2"], ["z"]),
    ]
    return model(nodes, {"x": [2, 3, H + 2, W + 1]}, {"z": None}, {**WEIGHTS, "shape": ints(2, C, H, W)})


@pytest.mark.parametrize("target", TARGETS)
def test_an_order_that_is_kept(target: str) -> None:
    """Of rows, of columns and of the vectors beside them; layouts are what they are."""
    kept = export_weights(autoencoder(), target, keep_flatten_order=True)
    turned = target in ("pytorch", "tflite")
    for name in FLAT:
        np.testing.assert_array_equal(kept.tensors[name], WEIGHTS[name].T if turned else WEIGHTS[name])
    assert not any("Flatten" in note for note in kept.manifest.notes)
    usual = export_weights(autoencoder(), target)
    for name in ("w1", "w2"):
        np.testing.assert_array_equal(kept.tensors[name], usual.tensors[name])


@pytest.mark.parametrize("target", TARGETS)
def test_an_order_that_is_not_kept_is_told(target: str) -> None:
    notes = [note for note in export_weights(autoencoder(), target).manifest.notes if "Flatten" in note]
    assert len(notes) == (target != "pytorch")
    assert all("Flatten (or Unflatten) of HWC: 'rows', 'columns', 'bias', ...; a net that" in note for note in notes)


def test_a_batch_normalisation_between_a_map_and_its_rows() -> None:
    """Its vectors and the rows behind it have the map's order."""
    names = ("gamma", "beta", "mean", "var")
    held = {name: random(C * H * W) + i for i, name in enumerate(names)}
    nodes = [
        node("Conv", ["x", "w1"], ["c"]),
        node("Flatten", ["c"], ["f"]),
        node("BatchNormalization", ["f", *names], ["n"]),
        node("MatMul", ["n", "rows"], ["y"]),
    ]
    constants = {**held, "w1": WEIGHTS["w1"], "rows": WEIGHTS["rows"]}
    tensors = export_weights(model(nodes, {"x": [2, 3, H + 2, W + 1]}, {"y": None}, constants), "tensorflow").tensors
    for name in (*names, "rows"):
        expected = constants[name].reshape(C, H * W, -1).swapaxes(0, 1).reshape(constants[name].shape)
        np.testing.assert_array_equal(tensors[name], expected)


def test_for_pytorch_from_a_file_of_keras() -> None:
    (note,) = export_weights(COMMITTED["keras_flatten"], "pytorch").manifest.notes[-1:]
    assert "of CHW" in note
    assert "transposes to HWC for it needs --keep-flatten-order" in note


def test_the_option(tmp_path: Path) -> None:
    path = str(COMMITTED["torch_flatten"])
    given = [path, "--for", "jax", "-q", "-o", str(tmp_path / "w.npz"), "--keep-flatten-order"]
    assert main(given) == 0
    tensors, _ = read_weights(tmp_path / "w.npz")
    expected = export_weights(path, "jax", keep_flatten_order=True).tensors
    assert all(np.array_equal(tensors[name], array) for name, array in expected.items())


# Letters of operands

FIRST = {3: "NCW", 4: "NCHW", 5: "NCDHW"}
LAST = {3: "NWC", 4: "NHWC", 5: "NDHWC"}


def scaled(letters: str, space: int, keras: bool) -> ModelProto:
    """A Conv of channels first, its result scaled by an operand whose axes are ``letters``: channels last for Keras."""
    rank, channels = space + 2, 8
    image = [2, 3, 9, 7, 5][:rank]
    sizes = {"N": 1, "C": channels, **dict.fromkeys("DHW", 1)}
    constants = {"w": random(channels, 3, *[1] * space), "m": random(*(sizes[letter] for letter in letters))}
    if not keras:
        return model(
            [conv("x", "c", pads=[0] * 2 * space), node("Mul", ["c", "m"], ["y"])], {"x": image}, {"y": None}, constants
        )
    there, back = (0, rank - 1, *range(1, rank - 1)), (0, *range(2, rank), 1)
    nodes = [
        node("Transpose", ["x"], ["t"], perm=there),
        conv("t", "c", pads=[0] * 2 * space),
        node("Transpose", ["c"], ["u"], perm=back),
        node("Mul", ["u", "m"], ["y"]),
    ]
    return model(nodes, {"x": [image[axis] for axis in back]}, {"y": None}, constants)


@pytest.mark.parametrize("keras", [False, True])
@pytest.mark.parametrize("axes", [0, 1, 2])
@pytest.mark.parametrize("space", [1, 2, 3])
def test_letters_before_and_after(space: int, axes: int, keras: bool) -> None:
    """Of operands of all axes of the image, without its batch axis, or of its last ones only."""
    first, last = FIRST[space + 2], LAST[space + 2]
    old, new, target = (last, first, "pytorch") if keras else (first, last, "tensorflow")
    tensor = export_weights(scaled(old[axes:], space, keras), target).manifest.tensors["m"]
    if tensor.change.shape == tensor.change.source_shape:
        assert tensor.layout == "as is"
        return
    assert tensor.layout == [old[axes:], new[len(new) - len(tensor.change.shape) :]]
    assert tensor.new == tensor.layout[1]
