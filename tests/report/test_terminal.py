"""The report on a terminal: a screen whatever the model, names that are not broken; and what is being done."""

import io
import time
from pathlib import Path

import onnx
import pytest
from rich.console import Console

from rewriter import progress
from rewriter.cli import main
from rewriter.report.text import short
from tests.report.models import hostile_net
from tests.support.command import convert
from tests.support.graphs import KINDS, model, node

SCREEN = (80, 30)


def screen(path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *options: str) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(SCREEN[0]))
    assert main([str(path), "--to", "nhwc", "--runs", "1", "--dry-run", *options]) == 0
    return capsys.readouterr().out.splitlines()


def crowded_net() -> onnx.ModelProto:
    """Forty inputs, outputs and operators without a rule, each with a long name."""
    ends = [f"{'scope/' * 30}end{i}" for i in range(40)]
    nodes = [node(f"Odd{'x' * 50}{i}", [f"{end}_in"], [end], f"{end}_node", domain="odd") for i, end in enumerate(ends)]
    return model(
        nodes, {f"{end}_in": [1, 3, 5, 7] for end in ends}, {end: [1, 3, 5, 7] for end in ends}, domains=["odd"]
    )


@pytest.mark.parametrize("make", [hostile_net, crowded_net])
def test_any_report_fits_a_screen(
    tmp_path: Path,
    make: object,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / f"{'long' * 60}.onnx"
    onnx.save(make(), path)  # type: ignore[operator]
    lines = screen(path, capsys, monkeypatch, "--no-validate", "--dialect", "onnx")
    assert len(lines) <= SCREEN[1] - 4  # the verdict
    assert max(map(len, lines)) <= SCREEN[0]
    assert all(line.isprintable() for line in lines)


def test_a_report_with_its_verdict_and_times_fits_a_screen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = screen(KINDS["torch_sam"], capsys, monkeypatch, "--bench")
    assert len(lines) <= SCREEN[1]
    assert any(line.startswith("cpu: median of ") for line in lines)


@pytest.mark.parametrize(("name", "text"), [("a\nb\x1b[31m", "a\\nb\\x1b[31m"), ("é/ü", "é/ü"), ("n" * 99, None)])
def test_names_are_printable(name: str, text: str | None) -> None:
    assert short(name) == (text or "n" * 15 + "…" + "n" * 16)


# What is being done


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.01)


def watched(console: Console) -> str:
    """What is on the console after some work."""
    with progress.shown(console):
        progress.tell("plan/make_[plan]")
        time.sleep(0.3)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.usefixtures("impatient")
def test_what_takes_long_is_told_on_a_terminal() -> None:
    text = watched(Console(file=io.StringIO(), force_terminal=True, width=80))
    assert "plan/make [plan]" in text
    assert text.endswith("\x1b[2K") or "\x1b[2K" in text  # it leaves no trace


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("console", [{"force_terminal": False}, {"force_terminal": True, "quiet": True}], ids=str)
def test_else_nothing_is_told(console: dict[str, bool]) -> None:
    assert watched(Console(file=io.StringIO(), width=80, **console)) == ""  # type: ignore[arg-type]


def test_what_is_soon_done_is_not_told() -> None:
    assert watched(Console(file=io.StringIO(), force_terminal=True, width=80)) == ""


@pytest.mark.usefixtures("impatient")
def test_stages_are_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    token = progress._listener.set(told.append)
    try:
        assert convert(path, "--bench", "--dry-run") == 0
    finally:
        progress._listener.reset(token)
    assert {"load", "read/infer_shapes", "plan/make_plan", "validate: the original on cpu", "bench: on cpu"} <= set(
        told
    )
