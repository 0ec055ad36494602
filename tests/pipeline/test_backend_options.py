"""``-o PATH.tflite`` and ``PATH/``: what contradicts them, and what is missing, is said before any work."""

import json
import shutil
from argparse import Namespace
from pathlib import Path

import pytest

from rewriter import rewrite
from rewriter.backends import backend_name, packages
from rewriter.backends.arguments import LAYOUT, told_apart
from rewriter.cli import main

MODEL = Path("models/torch_superres_legacy.onnx")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--to", "nchw"], "is channels last; leave out --to nchw"),
        (["--dialect", "onnx"], "--dialect is about"),
        (["--for", "onnxruntime"], "--for is about"),
        (["--bench"], "--bench is about"),
        (["--check-all"], "--check-all is about"),
        (["--providers", "cpu"], "--providers is about"),
        (["--external-data", "one"], "--external-data is about"),
    ],
)
def test_contradictions(options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (f"{tmp_path}/net.tflite", f"{tmp_path}/saved/"):
        assert main([str(MODEL), "-o", path, *options]) == 2
        assert told in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_quantize_is_for_tflite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (f"{tmp_path}/net.onnx", f"{tmp_path}/saved/"):
        assert main([str(MODEL), "--to", "nhwc", "-o", path, "--quantize", "int8"]) == 2
        assert "--quantize is for -o PATH.tflite" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["keras", "KERAS", "h5", "pt2"])
def test_no_onnx_file_is_called_as_one_of_another_framework(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody would read it again."""
    assert main([str(MODEL), "--to", "nhwc", "-o", f"{tmp_path}/net.{ending}"]) == 2
    assert "an ONNX file would be written there" in capsys.readouterr().err


def test_target_is_implied_by_these_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(MODEL), "-o", f"{tmp_path}/net.onnx"]) == 2
    assert "required: --to" in capsys.readouterr().err


def test_without_tensorflow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda _: None)
    assert main([str(MODEL), "-o", f"{tmp_path}/net.tflite"]) == 2
    told = "this needs tensorflow: pip install 'onnx-layout-rewriter[tensorflow]'"
    assert capsys.readouterr().err == f"error: {tmp_path}/net.tflite: {told}\n"


@pytest.mark.parametrize("net", ["torch_clap", "torch_disputed", "torch_stgcn"])
def test_no_report_advises_what_these_do_not_take(net: str) -> None:
    """Transposes stay in these nets, which another dialect would not need."""
    result = rewrite(f"models/kinds/{net}.onnx", "nhwc", weight_layout=LAYOUT, graphs=False)
    advised = [
        json.dumps(told_apart(Namespace(backend=name), result).report.to_json())
        for name in (None, "tflite", "saved_model")
    ]
    assert ["--dialect" in text for text in advised] == [True, False, False]


def test_of_several_models_a_folder_is_for_onnx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        shutil.copy(MODEL, tmp_path / f"{name}.onnx")
    models = [str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx")]
    assert main([*models, "-o", f"{tmp_path}/all.tflite"]) == 2
    assert "give each of the models a command of its own" in capsys.readouterr().err
    assert main([*models, "--to", "nhwc", "-o", f"{tmp_path}/all/", "--no-validate", "-q"]) == 0
    assert sorted(file.name for file in (tmp_path / "all").iterdir()) == ["a.nhwc.onnx", "b.nhwc.onnx"]


def test_by_how_the_path_ends() -> None:
    assert [*map(backend_name, ["a.tflite", "A.TFLITE", "folder/", "a.onnx", "folder"])] == [
        "tflite",
        "tflite",
        "saved_model",
        None,
        None,
    ]
