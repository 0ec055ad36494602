"""Names are never folded across lines, however narrow the terminal is: they are to be copied."""

from pathlib import Path

import onnx
import pytest

from rewriter import cli
from rewriter.weights import cli as weights_cli
from tests.support.graphs import model, node, random

PATH = "a.very.long.path.of.modules." * 6
WEIGHT, IMAGE, CONV, LIST = (f"{PATH}{end}" for end in ("weight", "image", "conv", "list"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    nodes = [node("Conv", [IMAGE, WEIGHT], ["c"], CONV), node("NonZero", ["c"], ["z"], LIST)]
    onnx.save(
        model(nodes, {IMAGE: [2, 3, 5, 7]}, {"c": None, "z": None}, {WEIGHT: random(10, 3, 3, 3)}), tmp_path / "m"
    )
    return tmp_path / "m"


@pytest.fixture(params=[40, 80, 200])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return int(request.param)


def words(text: str) -> set[str]:
    return {word.strip("':,") for word in text.split()}


def test_a_report(width: int, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = path.with_name("a_long_name_of_a_result" * 4)
    assert cli.main([str(path), "--to", "nhwc", "-v", "--no-validate", "-o", str(out), "--explain", IMAGE]) == 0
    text = capsys.readouterr().out
    assert {IMAGE, CONV, LIST, str(out), "rewriter.nhwc::ConvNoBias_NHWC"} <= words(text)
    sentences = [
        line for line in text.splitlines() if "a.very.long" not in line and "  " not in line and "/" not in line
    ]
    assert max(map(len, sentences)) <= width


def test_a_short_report(width: int, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here long names are elided, and come in one piece all the same."""
    assert cli.main([str(path), "--to", "nhwc", "--dry-run", "--no-validate"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert width < 80 or any(
        word.startswith("a.very") and word.endswith(".image") for line in lines for word in line.split()
    )
    assert width >= max(len(line) for line in lines if line.startswith("Transposed bytes"))


def test_weights(width: int, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert weights_cli.main([str(path), "--for", "keras", "-o", str(path.with_name("w.npz"))]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "OIHW" in line]
    assert row.split() == [WEIGHT, "conv", "10x3x3x3", "OIHW", "3x3x3x10", "HWIO", "VALID"]
