"""The command line: exit codes, and what is written and printed where."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from passes.layout.layout import Layout
from passes.rules.move import Move
from passes.rules.node import Node
from passes.rules.rule import RULES, Row, Rule
from rewriter import __version__
from rewriter.cli import main
from tests.support.command import DIFFERS, FLIPPED, IMAGE, NOT_VALIDATED, USAGE, convert, error, folder, shapes
from tests.support.graphs import COMMITTED, ROOT, conv, count, ints, model, node, random

# What is written


def test_the_default_output_stands_beside_the_model(path: Path) -> None:
    before = path.read_bytes()
    assert convert(path) == 0
    assert folder(path) == {"net.onnx", "net.nhwc.onnx"}
    assert shapes(path.with_name("net.nhwc.onnx")) == {"x": FLIPPED, "z": FLIPPED, "y": FLIPPED, "means": [1, 3]}
    assert path.read_bytes() == before


def test_back_and_forth(path: Path) -> None:
    last, first = path.with_name("last.onnx"), path.with_name("first.onnx")
    assert convert(path, "-o", str(last), "--weight-layout", "hwio") == 0
    assert convert(last, "-o", str(first), to="nchw") == 0
    assert shapes(first) == shapes(path)


def test_missing_folders_are_made(path: Path) -> None:
    output = path.parent / "new" / "folder" / "out.onnx"
    assert convert(path, "-o", str(output)) == 0
    assert [entry.name for entry in output.parent.iterdir()] == ["out.onnx"]


def test_an_existing_output_is_replaced(path: Path) -> None:
    output = path.with_name("net.nhwc.onnx")
    output.write_text("old")
    assert convert(path) == 0
    onnx.checker.check_model(str(output))


@pytest.mark.parametrize(("to", "more"), [("nchw", ()), ("nhwc", ("--keep-io", "--dialect", "onnx"))])
def test_nothing_to_do(path: Path, capsys: pytest.CaptureFixture[str], to: str, more: tuple[str, ...]) -> None:
    assert convert(path, *more, to=to) == 0
    assert "Nothing to do" in capsys.readouterr().out
    assert folder(path) == {"net.onnx"}


def test_nothing_to_do_is_written_where_asked(path: Path) -> None:
    output = path.with_name("same.onnx")
    assert convert(path, "-o", str(output), to="nchw") == 0
    assert shapes(output) == shapes(path)


def test_dry_run_writes_nothing(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(path, "--dry-run", "-o", str(path.with_name("out.onnx"))) == 0
    out = capsys.readouterr().out
    assert "outputs unchanged" in out
    assert "Nothing was written" in out
    assert folder(path) == {"net.onnx"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.parent.chmod(0o500)
    try:
        assert convert(path) == USAGE
    finally:
        path.parent.chmod(0o700)
    assert "ermission" in error(capsys)


def test_an_output_that_is_a_folder(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path.parent / "out").mkdir()
    assert convert(path, "-o", str(path.parent / "out")) == USAGE
    assert "directory" in error(capsys)
    assert folder(path) == {"net.onnx", "out"}


# What is printed


def test_quiet_prints_nothing(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(path, "-q") == 0
    assert capsys.readouterr() == ("", "")


def test_the_summary(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(path, "--dialect", "onnx") == 0
    out = " ".join(capsys.readouterr().out.split())
    for part in ("Transposes 0 -> 2", "x 1x3x5x7 NCHW 1x5x7x3 NHWC (0, 2, 3, 1)", "means 1x3 1x3 unchanged",
                 "proven least", "0 before, 840 now", "standard ONNX defines Conv channels-first only",
                 "outputs unchanged", "Wrote"):  # fmt: skip
        assert part in out


def test_json_to_stdout_is_all_there_is(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(path, "--json", "-", "--dialect", "onnx") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    report = json.loads(captured.out)
    assert report["validation"]["ok"] is True
    rewrite = report["rewrite"]
    assert (rewrite["to"], rewrite["dialect"], rewrite["changed"], rewrite["optimal"]) == ("nhwc", "onnx", True, True)
    ports = {port["name"]: (port["new_shape"], port["new_layout"], port["perm"]) for port in rewrite["inputs"]}
    assert ports == {name: (FLIPPED, "NHWC", [0, 2, 3, 1]) for name in "xz"}
    assert [port["name"] for port in rewrite["outputs"]] == ["y", "means"]
    assert rewrite["ops"]["Transpose"] == [0, 2]
    assert {change["value"]: change["bytes"] for change in rewrite["remaining"]} == {"x": 420, "c": 420}
    assert all(change["reason"] and change["made_by"] for change in rewrite["remaining"])
    assert (rewrite["bytes_before"], rewrite["bytes"], rewrite["cost"], rewrite["bound"]) == (0, 840, 840, 840)


def test_explain(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who makes a value, who reads it how, and what another layout would cost: all of it found by solving again."""
    assert convert(path, "--dialect", "onnx", "--no-validate", "--explain", "c", "--explain", "x") == 0
    out = " ".join(capsys.readouterr().out.split())
    for part in ("c: made by Conv", "stored NHWC: not possible", "x: made by graph input, stored NHWC",
                 "reads it as NCHW, 420 bytes are moved: standard ONNX defines Conv channels-first only"):  # fmt: skip
        assert part in out


def test_explain_of_nothing(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(path, "--explain", "nope") == USAGE
    assert "--explain nope: the model computes no value of that name" in capsys.readouterr().err


def test_json_to_a_file(path: Path) -> None:
    report = path.with_name("report.json")
    assert convert(path, "--json", str(report), "--no-validate") == 0
    assert json.loads(report.read_text())["validation"] is None


def test_verbose_twice_prints_tracebacks(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(path, "--layout", "nope=nhwc", "-vv") == USAGE
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "UsageError" in err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for option, text in (("--version", __version__), ("--help", "exit codes")):
        with pytest.raises(SystemExit) as stop:
            main([option])
        assert stop.value.code == 0
        assert text in capsys.readouterr().out


# Validation


def test_real_inputs_are_taken(path: Path) -> None:
    np.savez(path.with_name("data.npz"), x=random(1, 3, 5, 7), z=random(1, 3, 5, 7))
    assert convert(path, "--inputs", str(path.with_name("data.npz"))) == 0


def test_sizes_of_dynamic_dims(capsys: pytest.CaptureFixture[str]) -> None:
    argv = [str(COMMITTED["torch_unet"]), "--to", "nhwc", "--dry-run", "--providers", "cpu", "--json", "-"]
    assert main([*argv, "--input-shape", "input=2,3,16,24"]) == 0
    shapes = json.loads(capsys.readouterr().out)["validation"]["providers"][0]["shapes"]
    assert {tuple(shape["input"]) for shape in shapes} == {(2, 3, 16, 24)}


def forgets_its_axis(node: Node, layout: Layout) -> Move:
    return node.move(dict.fromkeys(range(node.arity[0]), layout), {0: layout})


WRONG_RULES = [
    ("Concat", "not valid"),  # other shapes: found by verification
    ("Softmax", "differs from the original"),  # other numbers: found by onnxruntime
]


@pytest.mark.parametrize(("op", "message"), WRONG_RULES)
def test_a_wrong_result_is_not_written(
    tmp_path: Path, op: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = ["x", "x"] if op == "Concat" else ["x"]
    nodes = [node(op, inputs, ["s"], axis=1), conv("s", "y")]
    channels = 3 * len(inputs)
    made = model(nodes, {"x": IMAGE}, {"y": [1, 2, 5, 7]}, {"w": random(2, channels, 3, 3)})
    onnx.save(made, tmp_path / "net.onnx")
    monkeypatch.setitem(RULES, ("", op), [Row(1, Rule(forgets_its_axis))])
    assert convert(tmp_path / "net.onnx") == DIFFERS
    assert message in error(capsys)
    assert folder(tmp_path / "net.onnx") == {"net.onnx"}


def test_where_a_wrong_result_parts_is_told_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [node("Softmax", ["x"], ["s"], "soft", axis=1), conv("s", "y")]
    onnx.save(model(nodes, {"x": IMAGE}, {"y": [1, 2, 5, 7]}, {"w": random(2, 3, 3, 3)}), tmp_path / "net.onnx")
    monkeypatch.setitem(RULES, ("", "Softmax"), [Row(1, Rule(forgets_its_axis))])
    report, repro = tmp_path / "report.json", tmp_path / "repro"
    assert convert(tmp_path / "net.onnx", "--json", str(report), "--save-repro", str(repro)) == DIFFERS
    out = " ".join(capsys.readouterr().out.split())
    assert "They part at value 's'" in out
    assert "made by Softmax 'soft'" in out
    assert json.loads(report.read_text())["values"]["located"]["nodes"] == ["Softmax 'soft'"]
    assert folder(tmp_path / "net.onnx") == {"net.onnx", "report.json", "repro"}


def test_every_value_is_checked_where_asked(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(path, "--check-all", "--dry-run") == 0
    assert "3 values inside agree" in capsys.readouterr().out
    assert convert(path, "--check-all", "--no-validate") == USAGE


def test_an_original_that_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The index is beyond the end, which onnxruntime finds when it runs."""
    nodes = [conv("x", "c"), node("Gather", ["c", "i"], ["y"], axis=0)]
    onnx.save(model(nodes, {"x": IMAGE}, {"y": None}, {"w": random(3, 3, 3, 3), "i": ints(4)}), tmp_path / "net.onnx")
    assert convert(tmp_path / "net.onnx") == NOT_VALIDATED
    assert "does not run" in error(capsys)
    assert folder(tmp_path / "net.onnx") == {"net.onnx"}


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="there is CUDA")
def test_cuda_that_is_not_there(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(path), "--to", "nhwc", "--providers", "cuda"]) == NOT_VALIDATED
    assert "CUDA is not in this onnxruntime build" in error(capsys)
    assert folder(path) == {"net.onnx"}


# As a program of its own


def program(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "rewriter", *argv], cwd=ROOT, capture_output=True, text=True)


def test_the_program(path: Path) -> None:
    done = program(str(path), "--to", "nhwc")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Wrote" in done.stdout
    assert count(onnx.load(path.with_name("net.nhwc.onnx"))) == 0


@pytest.mark.parametrize(("argv", "code"), [(["missing.onnx", "--to", "nhwc"], USAGE), (["--version"], 0)])
def test_exit_codes_of_the_program(argv: list[str], code: int) -> None:
    done = program(*argv)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
