"""The folder that shows where two models part; names in models are untrusted text."""

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from rewriter.cli import main as rewrite_main
from rewriter.validate_cli import main
from rewriter.validation.inputs import InputRequest
from rewriter.validation.locate import locate
from rewriter.validation.repro import SHOW, save_repro
from tests.support.graphs import COMMITTED, model, node, random
from tests.support.planting import changed, exchanged

NAMES = ["<script>alert(1)</script>", "'''\"\"\"'); import os; os.abort() #", "new\nline", "../../up", "x" * 10_000]
FILES = {"original.onnx", "original_input_0.pb", "repro.json", "rewritten.onnx", "rewritten_input_0.pb", "show.py"}


def show(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(folder / "show.py")], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", NAMES, ids=["html", "code", "lines", "path", "long"])
def test_names_are_data(name: str, tmp_path: Path) -> None:
    def made(op: str) -> onnx.ModelProto:
        nodes = [
            node("Neg", ["x"], [name], name),
            node(op, [name], [f"{name}_"], f"{name}_"),
            node("Abs", [f"{name}_"], ["y"]),
        ]
        return model(nodes, {"x": [2, 3]}, {"y": [2, 3]})

    folder = tmp_path / "repro"
    assert save_repro(locate(made("Relu"), made("Exp"), InputRequest(1, 0, {}, {})), folder)
    assert {entry.name for entry in folder.iterdir()} == FILES
    assert {entry.name for entry in tmp_path.iterdir()} == {"repro"}
    assert (folder / "show.py").read_text() == SHOW
    assert json.loads((folder / "repro.json").read_text())["value"] == f"{name}_"
    done = show(folder)
    assert done.returncode == 1, done.stderr
    assert "They differ." in done.stdout
    assert ascii(f"{name}_") in done.stdout


def test_equal_models_have_no_repro(tmp_path: Path) -> None:
    net = model([node("Neg", ["x"], ["y"])], {"x": [2, 3]}, {"y": [2, 3]})
    assert not save_repro(locate(net, net, InputRequest(1, 0, {}, {})), tmp_path / "repro")
    assert not (tmp_path / "repro").exists()


def test_the_command_writes_the_smallest_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, other, folder = COMMITTED["torch_resnet"], tmp_path / "other.onnx", tmp_path / "repro"
    assert rewrite_main([str(path), "--to", "nhwc", "-o", str(other), "--providers", "cpu", "--runs", "1"]) == 0
    wrong = onnx.load(other)
    changed("Conv", 2, 1, exchanged(0))(wrong)
    onnx.save(wrong, other)
    argv = [str(path), str(other), "--providers", "cpu", "--runs", "1", "--save-repro", str(folder)]
    assert main(argv) == 1
    assert "show.py" in capsys.readouterr().out
    assert [n.op_type for n in onnx.load(folder / "original.onnx").graph.node] == ["Conv"]
    assert len(onnx.load(folder / "rewritten.onnx").graph.node) == 1
    assert show(folder).returncode == 1
    assert main(argv) == 2  # it is there already
    assert "give a new folder" in capsys.readouterr().err


def test_the_script_says_where_models_are_equal(tmp_path: Path) -> None:
    def made(op: str) -> onnx.ModelProto:
        nodes = [node("Conv", ["x", "w"], ["c"]), node(op, ["c"], ["y"])]
        return model(nodes, {"x": [1, 3, 5, 7]}, {"y": None}, {"w": random(3, 3, 3, 3)})

    folder = tmp_path / "repro"
    assert save_repro(locate(made("Relu"), made("Neg"), InputRequest(1, 0, {}, {})), folder)
    (folder / "rewritten.onnx").write_bytes((folder / "original.onnx").read_bytes())
    assert show(folder).returncode == 0
