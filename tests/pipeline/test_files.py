"""Saving: whole or not at all, weights beside the file where they are too large for it, the model as it was."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper

from rewriter.files import writer
from rewriter.files.reader import load
from tests.support.graphs import conv, graph, model, node, random, value

IMAGE = [1, 3, 5, 7]
LARGE = random(16, 3, 5, 7)  # 6,720 bytes


def with_weights_in_bodies() -> ModelProto:
    """Weights in the main graph, in a body of a body, and in a Constant node."""
    inner = graph([node("Add", ["x", "k"], ["s"])], {}, {"s": LARGE.shape}, {"k": LARGE})
    other = graph([node("Neg", ["x"], ["n"])], {}, {"n": IMAGE})
    branch = node("If", ["flag"], ["i"], then_branch=inner, else_branch=other)
    outer = {
        "then_branch": graph([branch], {}, {"i": ["n", 3, 5, 7]}),
        "else_branch": graph([node("Abs", ["x"], ["a"])], {}, {"a": None}),
    }
    nodes = [node("If", ["flag"], ["o"], **outer), conv("o", "y"), node("Constant", [], ["z"], value_float=1.0)]
    inputs = [value("x", IMAGE), value("flag", [], onnx.TensorProto.BOOL)]
    made = model(nodes, inputs, [value("y", ["n", 16, 5, 7])], {"w": random(16, 3, 3, 3), "small": random(2)})
    made.metadata_props.add(key="k", value="v")
    made.functions.append(
        helper.make_function("d", "F", ["a"], ["b"], [node("Neg", ["a"], ["b"])], [helper.make_opsetid("", 17)])
    )
    return made


def test_sizes_count_bodies() -> None:
    assert writer.weight_bytes(with_weights_in_bodies()) > LARGE.nbytes + 16 * 3 * 3 * 3 * 4


def test_weights_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file read again is the model; the model itself is left as it is, and so is a folder full of other files."""
    monkeypatch.setattr(writer, "TWO_GIB", 0)
    original = with_weights_in_bodies()
    before = original.SerializeToString(deterministic=True)
    writer.save(original, tmp_path / "m.onnx")
    assert original.SerializeToString(deterministic=True) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert (tmp_path / "m.onnx").stat().st_size < (tmp_path / "m.onnx.data").stat().st_size
    again = load(tmp_path / "m.onnx")
    for tensor in writer.every_tensor(again.graph):
        tensor.ClearField("data_location")  # which onnx says, though it is the default
    assert again.SerializeToString(deterministic=True) == before
    onnx.checker.check_model(tmp_path / "m.onnx")


def test_a_model_that_fits_is_one_file(tmp_path: Path) -> None:
    original = with_weights_in_bodies()
    writer.save(original, tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    assert load(tmp_path / "m.onnx") == original


def test_the_data_of_a_file_that_cannot_be_written_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "TWO_GIB", 0)
    monkeypatch.setattr(writer, "_with_weights_in", lambda *args: np.zeros(-1))
    with pytest.raises(ValueError, match="negative"):
        writer.save(with_weights_in_bodies(), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
