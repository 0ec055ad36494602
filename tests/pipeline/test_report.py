"""What is printed for people: names and paths as they are, whatever rich would make of them; a screen at most."""

import re
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import numpy_helper

from rewriter import rewrite
from rewriter.cli import main
from rewriter.report.causes import cause_of
from rewriter.report.data import Remaining
from rewriter.report.text import short
from rewriter.weights.cli import main as weights_main
from tests.support.graphs import COMMITTED, ROOT, model, node, random

X, Y, CONV, FOLDER = "x[a]/in[/b]", "y[red]:boom:", "conv[out]", "nets[bold]"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "400")
    nodes = [node("Conv", [X, "w[0]"], [CONV], CONV, pads=[1] * 4), node("Strange[op]", [CONV], [Y], domain="my[b]")]
    net = model(nodes, {X: [1, 3, 5, 7]}, {Y: [1, 4, 5, 7]}, {"w[0]": random(4, 3, 3, 3)}, domains=["my[b]"])
    path = tmp_path / FOLDER / "net[1].onnx"
    path.parent.mkdir()
    onnx.save(net, path)
    return path


def test_names_are_printed_as_they_are(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [str(path), "--to", "nhwc", "--dialect", "onnx", "--layout", f"{Y}=nhwc", "--no-validate", "--explain", CONV]
    assert main(argv) == 0
    out = capsys.readouterr().out
    written = f"Wrote {path.parent}/net[1].nhwc.onnx"
    for part in (str(path), X, Y, f"Conv '{CONV}'", "my[b]::Strange[op] (1)", f"{CONV}: made by", written):
        assert part in out


def test_reasons_are_printed_as_they_are(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(path), "--to", "nhwc", "--layout", "no[pe]=keep"]) == 2
    assert f"no input or output 'no[pe]'; it has '{X}', '{Y}'" in capsys.readouterr().err


def test_weights_are_printed_as_they_are(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert weights_main([str(path), "--for", "pytorch"]) == 0
    out = capsys.readouterr().out
    for part in (str(path), "w[0]", f"Wrote {path.parent}/net[1].pytorch.safetensors, and net[1].pytorch.json"):
        assert part in out


KINDS = {path.stem: path for path in sorted((ROOT / "models" / "kinds").glob("*.onnx"))}


@pytest.mark.parametrize("path", [*COMMITTED.values(), *KINDS.values()], ids=[*COMMITTED, *KINDS])
def test_a_report_fits_a_screen(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([str(path), "--to", "nhwc", "--dialect", "onnx", "--no-validate", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 27  # the verdict takes three
    assert max(map(len, lines)) <= 80


def test_what_remains_is_told_by_cause(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    argv = [str(KINDS["torch_sam"]), "--to", "nchw", "--no-validate", "--dry-run"]
    assert main(argv) == 0
    brief = capsys.readouterr().out
    lines = r"(\d+) x, [\d,]+ bytes: MatMul needs its last two axes last *\n    as .+, made by .+\n    helps: --dialect"
    cause = re.search(lines, brief)
    assert cause is not None
    assert "more (-v)" in brief
    assert "Times in ms" not in brief
    assert main([*argv, "-v"]) == 0
    full = capsys.readouterr().out
    assert full.count("needs its last two axes last") == int(cause[1])
    assert "read/infer_shapes" in full


@pytest.mark.parametrize(("length", "text"), [(32, "n" * 32), (33, "n" * 15 + "…" + "n" * 16)])
def test_long_names_are_elided_in_the_middle(length: int, text: str) -> None:
    assert short("n" * length) == text


MATMUL = "MatMul needs its last two axes last"


@pytest.mark.parametrize(
    ("blocker", "reason", "cause"),
    [
        ("MatMul 'm'", MATMUL, MATMUL),
        ("Odd 'o'", "there is no rule for acme::Odd", "Odd: there is no rule for acme::Odd"),
        ("Pad", "input 1 ('p') is not a constant", "Pad: input 1 is not a constant"),
        ("Mul 'm'", "the rank of 'x:0' is unknown", "Mul: the rank of a value is unknown"),
        (
            "Add",
            "whether 'b' is broadcast along axis 2 is unknown",
            "Add: whether a value is broadcast along an axis is unknown",
        ),
        ("Reshape", "dynamic dim 'N' of the target shape", "Reshape: dynamic dim of the target shape"),
        ("", "graph output 'y' has a fixed layout", "an output of the graph has a fixed layout"),
        ("", "that is cheapest here", "that is cheapest here"),
    ],
)
def test_causes_name_the_operator_and_no_value(blocker: str, reason: str, cause: str) -> None:
    change = Remaining("x", "Transpose", "NCHW", "NHWC", 4, "Conv", ("Relu",), reason, blocker)
    assert cause_of(change) == cause


@pytest.mark.parametrize(("op", "changed"), [("Transpose", True), ("Neg", False)])
def test_a_model_is_changed_if_its_operators_are(op: str, changed: bool) -> None:
    """Two Transposes cancel, two Negs do not."""
    original = model([node(op, ["x"], ["t"]), node(op, ["t"], ["y"])], {"x": [2, 3, 5]}, {"y": [2, 3, 5]})
    assert rewrite(original, "nhwc", keep_io=True).report.changed == changed


@pytest.mark.parametrize("held", [{"value": numpy_helper.from_array(random(3, 5))}, {"value_floats": [1.0, 2.0, 3.0]}])
def test_a_constant_node_is_as_good_as_an_initializer(held: dict[str, Any]) -> None:
    nodes = [node("Constant", [], ["k"], **held), node("Add", ["x", "k"], ["y"])]
    shape = [2, 3, 5] if "value" in held else [2, 5, 3]
    assert not rewrite(model(nodes, {"x": shape}, {"y": shape}), "nhwc", keep_io=True).report.changed
