"""The command ``python -m rewriter.weights``: what it writes, what it prints, and errors of one sentence."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from rewriter.weights import TARGETS, read_weights
from rewriter.weights.cli import main
from tests.support.graphs import COMMITTED, ROOT, conv, model, random

USAGE = 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    proto = model([conv("x", "y")], {"x": [2, 3, 5, 7]}, {"y": None}, {"w": random(10, 3, 3, 3)})
    onnx.save(proto, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def folder(path: Path) -> set[str]:
    return {entry.name for entry in path.parent.iterdir()}


def error(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr."""
    text = capsys.readouterr().err
    assert text.startswith("error: ")
    assert text.count("\n") == 1
    return text


@pytest.mark.parametrize("target", TARGETS)
def test_files_stand_beside_the_model(path: Path, target: str) -> None:
    assert main([str(path), "--for", target]) == 0
    assert folder(path) == {"net.onnx", f"net.{target}.safetensors", f"net.{target}.json"}


def test_the_manifest_is_in_the_file_and_beside_it(path: Path) -> None:
    assert main([str(path), "--for", "tensorflow"]) == 0
    tensors, manifest = read_weights(path.with_name("net.tensorflow.safetensors"))
    assert json.loads(path.with_name("net.tensorflow.json").read_text()) == manifest
    assert manifest["model"] == "net.onnx"
    assert manifest["target"] == "tensorflow"
    assert manifest["inputs"] == {"x": {"old": "NCHW", "new": "NHWC", "perm": [0, 2, 3, 1]}}
    (name,) = tensors
    entry = manifest["tensors"][name]
    assert (entry["source"], entry["operator"], entry["node"]) == ("w", "Conv", "y")
    assert (entry["layout"], entry["perm"], entry["dtype"]) == (["OIHW", "HWIO"], [2, 3, 1, 0], "float32")
    assert manifest["layers"]["y"] == {
        "kind": "conv",
        "operator": "Conv",
        "parameters": {"kernel": "w"},
        "kernel_size": [3, 3],
        "strides": [1, 1],
        "dilations": [1, 1],
        "groups": 1,
        "padding": "SAME",
    }


def test_npz(path: Path) -> None:
    output = path.parent / "new" / "w.npz"
    assert main([str(path), "--for", "flax", "-o", str(output)]) == 0
    with np.load(output) as data:
        np.testing.assert_array_equal(data["w"], random(10, 3, 3, 3).transpose(2, 3, 1, 0))
    assert folder(output) == {"w.npz", "w.json"}


def test_other_libraries_read_the_file(path: Path) -> None:
    from safetensors.numpy import load_file

    assert main([str(path), "--for", "pytorch"]) == 0
    np.testing.assert_array_equal(load_file(path.with_name("net.pytorch.safetensors"))["w"], random(10, 3, 3, 3))


def test_what_is_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([str(COMMITTED["torch_flatten"]), "--for", "tensorflow", "-o", str(tmp_path / "w.npz")]) == 0
    out = capsys.readouterr().out
    assert "for tensorflow: 8 tensors, 4 layers" in out
    assert "conv1.weight" in out
    assert "reordered" in out
    assert out.isascii()  # no lines around columns


def test_names_are_printed_whole(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """However narrow the terminal is: they are to be copied."""
    name = "a.very.long.path." * 10 + "weight"
    onnx.save(model([conv("x", "y", name)], {"x": [2, 3, 5, 7]}, {"y": None}, {name: random(10, 3, 3, 3)}), path)
    assert main([str(path), "--for", "keras"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "10x3x3x3" in line]
    assert name in line
    assert "HWIO" in line


def test_quiet(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(path), "--for", "flax", "-q"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["net.onnx", "--for", "flax", "-o", "w.bin"], ".safetensors, .npz, .msgpack, .orbax"),
        (["net.onnx", "--for", "flax", "-o", "net.onnx"], ".safetensors, .npz, .msgpack, .orbax"),
        (["none.onnx", "--for", "flax"], "no such file"),
        (["text.onnx", "--for", "flax"], "not a readable ONNX model"),
        (["none.tflite", "--for", "flax"], "no such file"),
        (["text.tflite", "--for", "flax"], "not a TFLite model"),
        (["net.onnx", "--for", "pytorch", "--transpose-kernel"], "transpose_kernel is Flax's"),
    ],
)
def test_errors(
    path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    for name in ("text.onnx", "text.tflite"):
        Path(name).write_text("no model at all")
    before = folder(path)
    assert main(arguments) == USAGE
    assert words in error(capsys)
    assert folder(path) == before


def test_a_manifest_never_goes_over_the_model(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = path.rename(path.with_suffix(".json"))
    assert main([str(named), "--for", "flax", "-o", str(path.with_name("net.npz"))]) == USAGE
    assert "is the input" in error(capsys)


def test_unknown_targets_and_help() -> None:
    for arguments, code, words in ((["x", "--for", "caffe"], USAGE, "invalid choice"), (["--help"], 0, "--for")):
        done = subprocess.run(
            [sys.executable, "-m", "rewriter.weights", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code
        assert words in done.stdout + done.stderr


def test_no_framework_is_imported() -> None:
    heavy = ("torch", "tensorflow", "tf2onnx", "flax", "jax")
    code = f"import sys, rewriter, rewriter.weights.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
