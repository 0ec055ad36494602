"""Layouts of inputs and outputs, as the command line is told them."""

from pathlib import Path

import onnx
import pytest

from tests.support.command import FLIPPED, HEIGHTS, IMAGE, convert, shapes
from tests.support.graphs import model, node

LAYOUTS = [
    (["--keep-io"], "nhwc", {}),
    (["--keep-io", "--layout", "z=nhwc"], "nhwc", {"z": FLIPPED}),
    (["--layout", "x=keep"], "nhwc", {"z": FLIPPED, "y": FLIPPED}),
    (["--layout", "x=nchw", "--layout", "y=keep"], "nhwc", {"z": FLIPPED}),
    (["--layout", "y=nhwc"], "nchw", {"y": FLIPPED}),
    (["--layout", "means=keep"], "nchw", {}),
]


@pytest.mark.parametrize(("options", "to", "changed"), LAYOUTS, ids=lambda item: " ".join(item) if item else "")
def test_layouts(path: Path, options: list[str], to: str, changed: dict[str, list[int]]) -> None:
    output = path.with_name("out.onnx")
    assert convert(path, "-o", str(output), *options, to=to) == 0
    assert shapes(output) == {**shapes(path), **changed}


@pytest.fixture
def relu(tmp_path: Path) -> Path:
    """A model without any operator that tells what axes are."""
    onnx.save(model([node("Relu", ["x"], ["y"])], {"x": IMAGE}, {"y": IMAGE}), tmp_path / "relu.onnx")
    return tmp_path / "relu.onnx"


WORDS = [
    (["x=nhwc"], "nhwc", {"x": FLIPPED, "y": FLIPPED}),  # what is said of x is so for y
    (["x=nhwc", "y=keep"], "nhwc", {"x": FLIPPED, "y": IMAGE}),
    (["x=NHWC"], "nchw", {"x": FLIPPED, "y": IMAGE}),
    (["x=nchw"], "nchw", {"x": HEIGHTS, "y": HEIGHTS}),
    (["x=NCHW"], "nchw", {"x": HEIGHTS, "y": HEIGHTS}),
    (["x=a b c d -> d c b a"], "nhwc", {"x": IMAGE[::-1], "y": IMAGE}),
    (["x=NTWC"], "nhwc", {"x": [1, 3, 7, 5], "y": [1, 3, 7, 5]}),  # NTCW
]


@pytest.mark.parametrize(("words", "to", "expected"), WORDS, ids=lambda item: " ".join(item))
def test_a_layout_for_an_input_whose_axes_nobody_knows(
    relu: Path, words: list[str], to: str, expected: dict[str, list[int]]
) -> None:
    """The user is taken at his word."""
    output = relu.with_name("out.onnx")
    assert convert(relu, "-o", str(output), *(part for word in words for part in ("--layout", word)), to=to) == 0
    assert shapes(output) == expected


def test_why_an_input_stays(relu: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(relu, "-o", str(relu.with_name("out.onnx"))) == 0
    out = capsys.readouterr().out
    assert "x stays: no operator tells which of its axes are channels and which positions" in out
    assert "if it is an image: --layout x=nhwc" in out
    assert "No input or output is an image stored otherwise" in " ".join(out.split())
