"""A folder of models: one to convert, one without images, one that is no model."""

from pathlib import Path

import onnx
import pytest

from tests.support.command import image_net
from tests.support.graphs import model, node

QUICK = ("--providers", "cpu", "--runs", "1")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    onnx.save(image_net(), folder / "image.onnx")
    onnx.save(model([node("Relu", ["x"], ["y"])], {"x": [2, 3]}, {"y": [2, 3]}), folder / "plain.onnx")
    (folder / "text.onnx").write_text("# Not a model\n")
    return folder


def names(folder: Path) -> list[str]:
    """All that lies in a folder, hidden files too."""
    return sorted(entry.name for entry in folder.iterdir())
