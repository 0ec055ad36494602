"""The model of the tests of reports."""

from pathlib import Path

import onnx
import pytest

from tests.support.command import image_net


@pytest.fixture
def path(tmp_path: Path) -> Path:
    onnx.save(image_net(), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are taken of the fewest rounds."""
    monkeypatch.setattr("rewriter.validation.latency.SECONDS", 0.0)
