"""``python -m rewriter.validate``: exit codes, layouts told and found, what is printed and written."""

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from rewriter import rewrite
from rewriter.validate_cli import main
from tests.support.graphs import ROOT
from tests.support.validating import conv, conv_nhwc, unary, weight

CPU = ["--providers", "cpu", "--runs", "1"]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    onnx.save(conv(), tmp_path / "a.onnx")
    onnx.save(conv_nhwc(), tmp_path / "b.onnx")
    return str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx")


def test_layouts_are_found_by_trying(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*files, *CPU]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Found by trying: x is stored a b c d -> a c d b, y is stored a b c d -> a c d b." in out
    assert "outputs unchanged" in out


def test_records_that_count_from_another_original_are_not_believed(files: tuple[str, str], tmp_path: Path) -> None:
    """A was made of a file stored otherwise than B, which has no record."""
    rewrite(files[0], "nhwc").save(tmp_path / "c.onnx")
    assert main([str(tmp_path / "c.onnx"), files[1], *CPU]) == 0
    assert main([files[1], str(tmp_path / "c.onnx"), *CPU]) == 0


@pytest.mark.parametrize("text", ["nhwc", "NHWC", "a b c d -> a c d b"])
def test_layouts_are_told(files: tuple[str, str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*files, *CPU, "--layout", f"x={text}", "--layout", f"y={text}"]) == 0
    assert "Found by trying" not in capsys.readouterr().out
    assert main([*files, *CPU, "--layout", "x=nhwc", "--layout", "y=a b c d -> a d c b"]) == 1


def test_squares_are_found_by_trying_alone(tmp_path: Path) -> None:
    """H and W are 3, as the channels are: the shapes tell nothing."""
    onnx.save(conv(weight()[:3], h=3, width=3), tmp_path / "a.onnx")
    onnx.save(conv_nhwc(weight()[:3], h=3, width=3), tmp_path / "b.onnx")
    report = tmp_path / "report.json"
    assert main([str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"), *CPU, "-q", "--json", str(report)]) == 0
    found = json.loads(report.read_text())
    assert found["layouts"] == {"x": [0, 2, 3, 1], "y": [0, 2, 3, 1]}
    assert found["validation"]["ok"]


def test_a_difference_is_located(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(conv(), tmp_path / "a.onnx")
    onnx.save(conv_nhwc(weight()[::-1].copy()), tmp_path / "b.onnx")
    argv = [str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"), *CPU, "--layout", "x=nhwc", "--layout", "y=nhwc"]
    assert main([*argv, "--json", "-"]) == 1
    captured = capsys.readouterr()
    located = json.loads(captured.out)["values"]["located"]
    assert (located["value"], located["nodes"]) == ("y", ["Conv of 'y'"])
    assert "differs from the original" in captured.err
    assert main(argv) == 1
    assert "They part at value 'y'" in capsys.readouterr().out


def test_usage(files: tuple[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for more, said in [
        (["--layout", "z=nhwc"], "no such input or output"),
        (["--layout", "x=abc"], "write nhwc, nchw, keep"),
        (["--layout", "x=NCW"], "4 axes"),
        (["--runs", "0"], "runs is 0"),
        (["--json", files[0]], "is the input"),
        (["--save-repro", str(tmp_path)], "give a new folder"),
    ]:
        assert main([*files, *CPU, *more]) == 2
        assert said in capsys.readouterr().err
    assert main([files[0], "nowhere.onnx", *CPU]) == 2


@pytest.mark.parametrize("to", ["nhwc", "nchw"])
def test_what_is_no_image_is_not_told_by_its_channels(
    tmp_path: Path, to: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.onnx"
    onnx.save(unary("Neg", x=[2, 3]), path)
    assert main([str(path), str(path), *CPU, "--layout", f"x={to}"]) == 2
    assert f"--layout x={to}: it has 2 axes; nhwc and nchw are for 3 or more" in capsys.readouterr().err


def test_an_original_that_does_not_run_proves_nothing(files: tuple[str, str], tmp_path: Path) -> None:
    broken = onnx.load(files[0])
    broken.graph.node[0].domain = "my"
    broken.opset_import.add(domain="my", version=1)
    onnx.save(broken, tmp_path / "broken.onnx")
    assert main([str(tmp_path / "broken.onnx"), files[1], *CPU]) == 3


def test_the_name_of_the_function_stays_the_function() -> None:
    program = (
        "import rewriter.validate; from rewriter import validate; assert validate.__name__ == 'validate', validate"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    assert subprocess.run([sys.executable, "-m", "rewriter.validate", "--help"], cwd=ROOT, check=True)
