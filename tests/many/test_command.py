"""Several models on one command line: what is read and written, what is refused, what is told."""

import json
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any

import onnx
import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from rewriter.cli import main
from rewriter.many.record import Record, worst
from rewriter.many.summary import SCHEMA, progress, summarised
from tests.many.conftest import QUICK, names
from tests.support.command import USAGE, error, image_net, shapes

SCHEMA_OF = json.loads(files("rewriter.many").joinpath("schema.json").read_text(encoding="utf-8"))


def convert(*argv: object) -> int:
    return main(["--to", "nhwc", *QUICK, *map(str, argv)])


def test_each_is_as_one(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Results lie beside the models, what needs none gets none, and the next run does not take them for models."""
    for _ in range(2):
        assert convert(models) == USAGE
        out, err = capsys.readouterr()
        assert err.startswith(f"error: {models / 'text.onnx'}: not a readable ONNX model")
        assert err.count("\n") == 1
        assert [line.split()[:2] for line in out.splitlines()[1:-1]] == [
            ["image.onnx", "converted"],
            ["plain.onnx", "unchanged"],
            ["text.onnx", "failed"],
        ]
        assert all(len(line) <= 80 for line in out.splitlines())
        assert names(models) == ["image.nhwc.onnx", "image.onnx", "plain.onnx", "text.onnx"]
    alone = tmp_path / "alone.onnx"
    assert convert(models / "image.onnx", "-o", alone) == 0
    assert alone.read_bytes() == (models / "image.nhwc.onnx").read_bytes()


def test_to_a_folder_and_back(models: Path, tmp_path: Path) -> None:
    """What lies without its original is a model, whatever its name."""
    there, back = tmp_path / "new" / "there", tmp_path / "back"
    assert convert(models / "image.onnx", models / "plain.onnx", "-o", there, "--report", there) == 0
    assert names(there) == ["image.nhwc.html", "image.nhwc.onnx", "plain.nhwc.html", "plain.nhwc.onnx"]
    assert main([str(there), "--to", "nchw", "-o", str(back), *QUICK]) == 0
    assert names(back) == ["image.nhwc.nchw.onnx", "plain.nhwc.nchw.onnx"]
    assert shapes(back / "image.nhwc.nchw.onnx") == shapes(models / "image.onnx")


def told(models: Path, *more: object) -> dict[str, Any]:
    report = models.parent / "report.json"
    convert(models, "--json", report, *more)
    data: dict[str, Any] = json.loads(report.read_text())
    Draft202012Validator(SCHEMA_OF).validate(data)
    return data


def test_the_records(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = told(models, "-q")
    assert capsys.readouterr().out == ""
    assert data["code"] == USAGE
    image, plain, text = data["models"]
    assert (image["written"], image["changed"], image["verdict"], image["error"]) == (True, True, True, "")
    assert image["output"] == str(models / "image.nhwc.onnx")
    assert (plain["written"], plain["changed"], plain["transposes"], plain["verdict"]) == (False, False, [0, 0], None)
    assert (text["code"], text["changed"], text["bytes"]) == (USAGE, None, None)
    assert "not a readable ONNX model" in text["error"]


def test_sentences_say_of_which_model(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each once, of options and of files."""
    assert convert(str(models), "--preprocess", "no_input:uint8") == USAGE
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"error: {models}/image.onnx: the model has no input 'no_input'; it has 'x', 'z'"
    assert [line.count(str(models)) for line in told] == [1, 1, 1]


def test_a_wrong_result(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record tells the error, and nothing of it is written."""
    monkeypatch.setattr("rewriter.validation.validate.verdict", _differs)
    data = told(models, "--save-repro", models.parent / "repro")
    assert data["code"] == 1
    assert (data["models"][0]["verdict"], data["models"][0]["written"]) == (False, False)
    assert names(models) == ["image.onnx", "plain.onnx", "text.onnx"]


def _differs(provider: str, *_: object, **__: object) -> object:
    from rewriter.validation.verdict import DIFFERS, ProviderResult

    return ProviderResult(provider, "failed", "planted", fault=DIFFERS)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA_OF)
    assert SCHEMA_OF["properties"]["schema"]["const"] == SCHEMA


REFUSED = [
    (["{0}/image.onnx", "{0}"], "would be written for {0}/image.onnx and for {0}/image.onnx"),
    (["{0}/image.onnx", "{0}/link.onnx"], "link.nhwc.onnx would be written for {0}/image.onnx and for {0}/link.onnx"),
    (["{0}/image.onnx", "{1}/image.onnx", "-o", "{1}/out"], "would be written for {0}/image.onnx and for {1}/image"),
    (["{0}", "{1}", "--dry-run", "--report", "{1}/pages"], "pages/image.nhwc.html would be written for"),
    (["{0}", "--json", "{0}/image.onnx"], "image.onnx would be written for --json, and is a model to convert"),
    (["{0}", "--json", "{0}/image.nhwc.onnx"], "would be written for --json and for {0}/image.onnx"),
    (["{1}/image.onnx", "{1}/image.nhwc.onnx"], "and is a model to convert; leave one of them out"),
    (["{0}", "-o", "{0}/image.onnx"], "there are several models; give a folder"),
    (["{0}", "-o", "new.onnx"], "there are several models; give a folder"),
    (["{0}", "--report", "new.html"], "there are several models; give a folder"),
    (["{0}", "--report", "{1}/dangling"], "there are several models; give a folder"),
    (["{0}", "-o", "{1}/" + "x" * 300], "cannot be written (File name too long)"),
    (["x" * 300, "{0}", "-o", "{1}/image.onnx/out"], "cannot be written (Not a directory)"),
    (["{1}/empty"], "is a folder without models"),
    (["{0}", "--runs", "0"], "--runs is 0"),
    (["{0}", "--explain", "y"], "for several add --report DIR"),
    (["{0}", "--bench", "--report", "{1}/pages", "--jobs", "2"], "--bench times a model that runs alone"),
    (["{0}", "--no-validate", "--check-all"], "which --no-validate forbids"),
]


@pytest.mark.parametrize(("argv", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refused_before_any_work(
    models: Path, tmp_path: Path, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    (other / "empty").mkdir(parents=True)
    for name in ("image", "image.nhwc"):
        onnx.save(image_net(), other / f"{name}.onnx")
    (other / "dangling").symlink_to("nowhere")
    (models / "link.onnx").symlink_to("image.onnx")
    (models / "link.nhwc.onnx").symlink_to("image.nhwc.onnx")
    before = names(models), names(other)
    assert convert(*(part.format(models, other) for part in argv)) == USAGE
    assert message.format(models, other) in error(capsys)
    assert (names(models), names(other)) == before


def test_the_worst_code() -> None:
    assert [worst(codes) for codes in ([0, 2], [2, 3, 0], [3, 1], [1, 4, 2])] == [2, 3, 1, 4]


def record(model: str, **more: Any) -> Record:
    return Record(model, "out.onnx", True, **{"code": 0, "error": "", "seconds": 12345.6, **more})


def test_a_table_of_80_columns() -> None:
    long = record("a" * 200 + "[b].onnx", changed=True, transposes=(1000, 999), bytes=(987654321, 10**12), max_rel=1e-7)
    console = Console(file=StringIO(), width=80, markup=False)
    summarised(console, [long, record("text.onnx", code=2)], 1.0, dry=True)
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert "…" in lines[1]
    assert "988 MB -> 1.0 TB" in lines[1]
    assert lines[3] == "2 models in 1.0 s: 1 converted, 1 failed (2). Nothing was written."


@pytest.mark.parametrize("is_terminal", [False, True])
def test_one_line_meanwhile(is_terminal: bool) -> None:
    console = Console(file=StringIO(), width=80, force_terminal=is_terminal, markup=False)
    with progress(console, 2) as tick:
        tick([record("[a].onnx", code=2)])
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    assert ("1 failed, [a].onnx" in shown) == is_terminal
    assert bool(shown) == is_terminal
