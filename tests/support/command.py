"""The command line as the tests run it, on a model of one Conv."""

from pathlib import Path

import onnx
import pytest
from onnx import ModelProto

from rewriter.cli import main
from tests.support.graphs import conv, dims, model, node, random

IMAGE, FLIPPED, HEIGHTS = [1, 3, 5, 7], [1, 5, 7, 3], [1, 7, 3, 5]
DIFFERS, USAGE, NOT_VALIDATED = 1, 2, 3


def image_net() -> ModelProto:
    """Two images in, one image and one vector out."""
    nodes = [
        conv("x", "c"),
        node("Add", ["c", "z"], ["y"], "sum"),
        node("ReduceMean", ["y"], ["means"], axes=[2, 3], keepdims=0),
    ]
    return model(nodes, {"x": IMAGE, "z": IMAGE}, {"y": IMAGE, "means": [1, 3]}, {"w": random(3, 3, 3, 3)})


def shapes(file: Path) -> dict[str, list[int | str | None]]:
    loaded = onnx.load(file)
    return dims([*loaded.graph.input, *loaded.graph.output])


def convert(path: Path, *more: str, to: str = "nhwc") -> int:
    return main([str(path), "--to", to, "--providers", "cpu", "--runs", "1", *more])


def folder(path: Path) -> set[str]:
    """All that lies beside the model, hidden files too."""
    return {entry.name for entry in path.parent.iterdir()}


def error(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr."""
    text = capsys.readouterr().err
    assert text.startswith("error: ")
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text.removeprefix("error: ")
