"""Models that are no ONNX files: who converts them, what is refused before, and what becomes of a conversion."""

import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

from rewriter import read_model, rewrite, rewrite_many, validate
from rewriter.cli import main, parser
from rewriter.files.outputs import result_path
from rewriter.frontends import FRONT_ENDS, SAVED_MODEL, Asked, FrontEnd, front_end_of
from rewriter.frontends.converting import Converted, quiet
from rewriter.validate_cli import main as compare
from rewriter.validation.agreement import error_of
from rewriter.weights.cli import main as weights
from tests.support.command import DIFFERS, USAGE, convert, error, image_net
from tests.support.engines import default
from tests.support.graphs import ROOT

# Which front end


def saved_model(folder: Path) -> Path:
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    return folder


def test_a_folder_with_a_saved_model_is_a_model_and_others_stand_for_models(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    saved = saved_model(tmp_path / "saved")
    assert front_end_of(saved) is SAVED_MODEL
    assert front_end_of(tmp_path / "many") is None
    for folder, many in ((saved, False), (tmp_path / "many", True)):
        assert parser().parse_args([str(folder), "--to", "nchw"]).many is many


def test_an_empty_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--to", "nchw"]) == USAGE
    assert "a folder without models" in error(capsys)


def test_a_pb_file_is_onnx_or_a_frozen_graph_by_its_first_byte(tmp_path: Path) -> None:
    path = tmp_path / "net.pb"
    path.write_bytes(image_net().SerializeToString())
    assert front_end_of(path) is None
    assert convert(path, "-q") == 0
    path.write_bytes(b"\x0a\x05graph")
    assert front_end_of(path) is FRONT_ENDS[".pb"]


@pytest.mark.parametrize(
    ("model", "result"),
    [("saved/", "saved.nchw.onnx"), ("saved.v1", "saved.v1.nchw.onnx"), ("net.keras", "net.nchw.onnx")],
)
def test_the_result_is_named_after_the_file_or_the_folder(model: str, result: str, tmp_path: Path) -> None:
    if "saved" in model:
        saved_model(tmp_path / model)
    assert result_path(tmp_path / model, "nchw") == tmp_path / result


def test_within_a_saved_model_the_result_goes_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved_model(tmp_path / "saved"))
    assert result_path(Path("."), "nchw") == tmp_path.resolve() / "saved.nchw.onnx"


def test_no_framework_is_imported_until_one_is_needed() -> None:
    code = "import sys, rewriter.given, rewriter.cli; print([m for m in ('tensorflow', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# A conversion, by a framework that is made up

ASKED: list[Asked] = []


def computed(feed: Mapping[str, Any]) -> Sequence[Any]:
    return default(image_net(), dict(feed))


def conversion(path: Path, asked: Asked) -> Converted:
    os.write(2, b"a library's words")
    print("a framework's words")
    logging.getLogger("framework").error("a framework's log")
    ASKED.append(asked)
    text = path.read_text()
    if text == "broken":
        raise ValueError("of two\nlines")

    def run(feed: Mapping[str, Any]) -> Sequence[Any]:
        if text == "no kernels":
            raise RuntimeError("no kernels")
        found = computed(feed)
        return found[:1] if text == "few" else [1.5 * value if text == "differs" else value for value in found]

    return Converted(image_net(), run)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    module = ModuleType("fake")
    module.convert = conversion  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rewriter.frontends.fake", module)
    row = FrontEnd("a fake", "Fakework", "fake2onnx", "fake", ("inputs", "outputs"))
    monkeypatch.setitem(FRONT_ENDS, ".fake", row)
    ASKED.clear()
    path = tmp_path / "net.fake"
    path.write_text("good")
    return path


def test_a_model_of_another_framework_goes_the_usual_way(fake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert convert(fake) == 0
    out, err = capfd.readouterr()
    assert "fake2onnx's file computes what Fakework does: largest error" in " ".join(out.split())
    assert "words" not in out + err
    assert "log" not in err
    result = onnx.load(fake.with_name("net.nhwc.onnx"))
    assert validate(fake, result).ok
    assert rewrite(fake).report.changed
    assert all(asked.optimise for asked in ASKED)
    assert len(ASKED) == 3  # the command, validate, rewrite


def test_a_dialect_that_is_not_there_is_told_before_anything_is_converted(
    fake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(fake, "--dialect", "no.toml") == USAGE
    assert "no.toml: not a readable TOML file" in error(capsys)
    assert not ASKED


def test_verbose_shows_what_the_framework_logs(fake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert convert(fake, "-v", "--no-validate") == 0
    out, err = capfd.readouterr()
    assert "a library's words" in err
    assert "computes what Fakework does" not in out


def test_weights_are_taken_before_anything_is_folded(fake: Path) -> None:
    assert weights([str(fake), "--for", "keras", "-q"]) == 0
    assert [asked.optimise for asked in ASKED] == [False]


def test_it_is_compared_with_a_result(fake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(fake, "-q") == 0
    assert compare([str(fake), str(fake.with_name("net.nhwc.onnx")), "--providers", "cpu"]) == 0
    assert "fake2onnx's file computes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("differs", DIFFERS, "fake2onnx's file differs from what Fakework computes: output 'y' is off by 3.3e-01"),
        ("few", DIFFERS, "it has 2 outputs, and not 1"),
        ("broken", USAGE, "fake2onnx does not convert a fake (of two lines)"),
    ],
)
def test_conversions_that_fail(
    text: str, code: int, words: str, fake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.write_text(text)
    assert convert(fake) == code
    assert words in error(capsys)
    assert [file.name for file in fake.parent.iterdir()] == ["net.fake"]


def test_what_the_framework_does_not_run_is_not_compared(fake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake.write_text("no kernels")
    assert convert(fake) == 0
    assert "was not compared with Fakework: it does not run it here (no kernels)" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_model_is_read_with_what_it_does_not_say(fake: Path) -> None:
    assert read_model(fake, inputs=["x"], outputs=["y"]) == image_net()
    assert (ASKED[0].inputs, ASKED[0].outputs) == (("x",), ("y",))
    onnx.save(image_net(), fake.with_name("net.onnx"))
    assert read_model(fake.with_name("net.onnx")) == image_net()


def test_options_come_through_many(fake: Path) -> None:
    (record,) = rewrite_many([fake], "nhwc", tf_inputs=["x", "z"], tf_outputs=["y"], providers=["cpu"])
    assert (record.code, record.error) == (0, "")
    assert (ASKED[0].inputs, ASKED[0].outputs) == (("x", "z"), ("y",))


def test_the_model_is_never_written_over(fake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(fake, "-o", str(fake)) == USAGE
    assert "is the input" in error(capsys)


def test_quiet_puts_everything_back(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with quiet(verbose=False):
            os.write(2, b"hidden")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"
    assert logging.root.manager.disable == logging.NOTSET


@pytest.mark.parametrize(
    ("found", "expected", "off"),
    [
        ([1.0, 3.0], [1.0, 4.0], 0.25),
        ([np.nan, np.inf], [np.nan, np.inf], 0.0),
        ([np.nan, 1.0], [1.0, 1.0], np.inf),
        ([1.0], [1.0, 1.0], np.inf),
        ([0.5], [0.0], 0.5),
        ([], [], 0.0),
        ([3, 250], [3, 255], 5 / 255),
        (["a", "b"], ["a", "b"], 0.0),
        (["a", "b"], ["a", "c"], np.inf),
    ],
)
def test_errors_of_a_conversion(found: list[Any], expected: list[Any], off: float) -> None:
    assert error_of(np.array(found), np.array(expected)) == pytest.approx(off)
