"""What of `make cuda` needs no GPU: all but CUDA. Its device is OpenVINO's provider where there is one, or the CPU."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import onnxruntime as ort
import pytest

from rewriter.validation.providers import provider_of
from tests.support.fake_device import fake_device
from tests.support.graphs import COMMITTED, KINDS
from tests.support.validating import unary
from tests.tools import cuda, isolated, on_device
from tests.tools.cuda_page import page, verdict
from tests.tools.isolated import Broken, at_once, in_turn
from tests.tools.on_device import CPU, ORIGINAL, Checked, Job, Raced, Variant, checks, races

STAND_IN = "openvino" if "OpenVINOExecutionProvider" in ort.get_available_providers() else "cpu"
NETS = ("torch_espcn_gray", "torch_vocoder")

# Children that die


def deadly(job: str) -> Iterator[str]:
    """Work that ends as the job says, in the middle."""
    yield f"{job} begins"
    if job == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "exits":
        os._exit(5)
    if job == "raises":
        raise ValueError("why")
    yield f"{job} ends"


def test_a_job_that_dies_takes_no_other_with_it() -> None:
    found: dict[str, list[object]] = {}
    for job, result in in_turn(deadly, ["first", "killed", "raises", "exits", "last"], 100):
        found.setdefault(job, []).append(result.reason if isinstance(result, Broken) else result)
    assert found == {
        "first": ["first begins", "first ends"],
        "killed": ["killed begins", "its process died (SIGKILL)"],
        "raises": ["raises begins", "ValueError: why"],
        "exits": ["exits begins", "its process ended with code 5"],
        "last": ["last begins", "last ends"],
    }


def test_a_child_that_says_nothing_hangs() -> None:
    here, there = isolated.SPAWN.Pipe(duplex=False)
    there.send((False, "a result"))
    assert [*isolated._messages(here, 0.01)] == [(False, "a result"), (False, None)]


def test_several_processes_do_every_job_once() -> None:
    jobs = ["a", "b", "killed", "c", "d"]
    found = [job for job, result in at_once(deadly, jobs, 2, 100) if str(result).endswith(" ends")]
    assert sorted(found) == ["a", "b", "c", "d"]
    assert list(at_once(deadly, [], 1, 100)) == []


# What runs on CUDA


def test_every_setting_of_cuda_is_asked_for() -> None:
    variants = cuda.variants("cuda")
    settings = {
        precision: {(o["use_tf32"], o["prefer_nhwc"]) for o in (provider_of(v.spec).options for v in some)}
        for precision, some in variants.items()
    }
    assert settings["float32"] == {("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")}
    assert settings["float16"] == {("0", "0"), ("0", "1")}
    labels = [variant.label for some in variants.values() for variant in some]
    assert len({*labels}) == len(labels)
    assert labels[2] == "TF32 on, prefer_nhwc 0"


def test_the_parts_are_all_models() -> None:
    whole = cuda.chosen(cuda.parser().parse_args(["--committed"]))
    parts = [cuda.chosen(cuda.parser().parse_args(["--committed", "--part", f"{i}/3"])) for i in (1, 2, 3)]
    assert sorted(whole) == sorted(path for part in parts for path in part)
    assert len({Job(path, Path(), {}).name for path in whole}) == len(whole) > 90


def test_a_device_that_is_not_there_is_said_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_device(monkeypatch).starts = False
    assert cuda.main(["--out", str(tmp_path / "cuda.md")]) == 3
    assert "has CUDA but cannot start it here" in capsys.readouterr().err
    assert cuda.main(["--provider", STAND_IN]) == 2
    assert "docs/cuda.md is of CUDA: give --out" in capsys.readouterr().err
    assert cuda.main(["--only", "nothing", "--out", str(tmp_path / "cuda.md")]) == 2
    assert not list(tmp_path.iterdir())


def test_a_device_that_leaves_all_to_the_cpu_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_device(monkeypatch).has = lambda op: False
    assert cuda.main(["--out", "never.md"]) == 3


# One model


@pytest.mark.parametrize("name", NETS)
def test_a_model_is_checked_and_raced_in_both_precisions(name: str, tmp_path: Path) -> None:
    (path,) = (path for path in cuda.chosen(cuda.parser().parse_args(["--committed"])) if path.stem == name)
    variants = {precision: [Variant("there", STAND_IN)] for precision in ("float32", "float16")}
    job = Job(path, tmp_path, variants, seconds=0)
    checked, raced = [*checks(job)], [*races(job)]
    for precision in variants:
        ways = [row.way for row in checked if (row.precision, row.variant) == (precision, "there")]
        assert "nhwc onnx" in ways
        assert len({*ways}) == len(ways)
        assert next(row.way for row in raced if row.precision == precision and not row.reason) == ORIGINAL
    assert all(row.status == "passed" for row in checked), checked
    assert all(row.milliseconds > 0 and row.ratio > 0 for row in raced if not row.reason)
    if STAND_IN == "cpu":
        assert all(row.transposes is not None for row in raced)
        assert {row.variant for row in checked} == {CPU.label, "there"}


def test_a_model_that_is_in_float16_is_not_converted_to_it(tmp_path: Path) -> None:
    said = "not converted to float16: it has coarser types than float32 already"
    assert skipped("torch_half", tmp_path) == said


def test_what_the_converter_breaks_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_device, "in_float16", lambda model, keep_io: unary("NoSuchOp"))
    assert skipped(NETS[0], tmp_path).startswith("not converted to float16: what the converter makes does not load: ")


def skipped(name: str, folder: Path) -> str:
    """Why a model is not checked in float16, nor raced."""
    job = Job({**KINDS, **COMMITTED}[name], folder, {"float16": [CPU]})
    (row,) = checks(job)
    assert row.status == "skipped"
    assert [*races(job)] == []
    return row.reason


# The page


MACHINE = {"device": "CUDA", "command": "make cuda", "GPU": "some", "models": ["m/a", "m/b", "m/c"]}
TF32_ON = "TF32 on, prefer_nhwc 0"
FOUND: list[Checked | Raced] = [
    Checked("m/a", "float32", CPU.label, "nchw", "passed", "Well.", 1e-6, 1e-5, 1e-6),
    Checked("m/a", "float32", TF32_ON, "nchw", "passed", "Well.", 1e-4, 2e-3, 3e-4, ("Not validated on CUDA: 1 Det.",)),
    Checked("m/a", "float32", TF32_ON, "nhwc onnx", "failed", "Output x|y is 1\ninstead of 2."),
    Checked("m/a", "float16", "", "", "skipped", "not converted to float16: it cannot be"),
    Checked("m/b", "", "", "", "none", "its process died (SIGSEGV)"),
    Raced("m/a", "float32", TF32_ON, ORIGINAL, 2.0, 1.0, 3),
    Raced("m/a", "float32", TF32_ON, "nchw", 1.0, 0.5, None),
    Raced("m/a", "float32", TF32_ON, "nhwc onnx", reason="does not load"),
]


def test_the_verdict_counts_what_ran_on_the_device() -> None:
    checked = [row for row in FOUND if isinstance(row, Checked)]
    said = "1 of 3 conversions validated on CUDA; 1 failed, 1 have no verdict. 2 models, 1 more were not reached."
    assert verdict(MACHINE, checked) == said
    assert verdict({**MACHINE, "models": ["m/a"]}, checked[:2]) == "1 of 1 conversions validated on CUDA. 1 models."


def test_the_page_tells_every_failure_with_its_reason() -> None:
    text = page(MACHINE, FOUND)
    lines = text.splitlines()
    assert lines[4].startswith("**1 of 3 conversions validated on CUDA")
    assert "- GPU: some" in lines
    assert f"| float32 | {TF32_ON} | 1 | 1 | 0 | 1.0e-04 | 2.0e-03 | 3.0e-04 | m/a, nchw |" in lines
    assert f"| **failed** | float32 | {TF32_ON} | nhwc onnx | Output x\\|y is 1 instead of 2. | m/a |" in lines
    assert "| none |  |  |  | its process died (SIGSEGV) | m/b |" in lines
    assert "| skipped | float16 |  |  | not converted to float16: it cannot be | m/a |" in lines
    assert "Not reached: m/c." in lines
    assert "| Not validated on CUDA: 1 Det. | m/a |" in lines
    assert "| m/a | 2.000 · 3 | - | does not load | - | 0.50 · ? |" in lines
    assert "| *median* |  | - | - | - | 0.500 |" in lines


def test_a_run_writes_its_page_and_what_it_is_made_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outs = [tmp_path / f"{name}.md" for name in NETS]
    for name, out in zip(NETS, outs, strict=True):
        options = ["--provider", STAND_IN, "--only", name, "--seconds", "0", "--processes", "1", "--out", str(out)]
        assert cuda.main(options) == 0
    assert f"conversions validated on {STAND_IN.upper()}" in capsys.readouterr().out
    parts = [out.with_suffix(".jsonl") for out in outs]
    assert json.loads(parts[0].read_text().splitlines()[0])["models"] == [f"kinds/{NETS[0]}"]
    whole = tmp_path / "whole.md"
    assert cuda.main(["--join", *map(str, parts), "--out", str(whole)]) == 0
    assert " 2 models.**" in whole.read_text()
    tables = [set(out.read_text().splitlines()) for out in outs]
    names = [line for table in tables for line in table if line.startswith(("| kinds/", "| models/"))]
    assert names
    assert {*names} <= {*whole.read_text().splitlines()}
