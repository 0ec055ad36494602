"""One class of error for each thing, and one exit code for each class."""

from pathlib import Path
from typing import Any

import onnx
import pytest

from rewriter import (
    CouldNotValidate,
    DoesNotRun,
    ResultDiffers,
    RewriterError,
    UsageError,
    VerificationError,
    cli,
    errors,
    rewrite,
)
from rewriter.validation.verdict import ProviderResult, ValidationReport
from tests.support.graphs import conv, model, random

CODES = {VerificationError: 1, ResultDiffers: 1, DoesNotRun: 1, UsageError: 2, CouldNotValidate: 3, errors.Ended: 4}


def test_all_errors_are_siblings() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, RewriterError)]
    assert {*classes} == {RewriterError, *CODES}
    assert all(one.__bases__ == (RewriterError,) for one in CODES)


@pytest.mark.parametrize(("error", "code"), [*CODES.items(), (OSError, 2)])
def test_exit_codes(
    error: type[Exception], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> None:
        raise error("what [a] is wrong")

    monkeypatch.setattr(cli, "run", fail)
    assert cli.main(["x.onnx", "--to", "nhwc"]) == code
    assert capsys.readouterr().err == "error: what [a] is wrong\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    onnx.save(
        model([conv("x", "y")], {"x": [1, 3, 5, 7]}, {"y": [1, 3, 5, 7]}, {"w": random(3, 3, 3, 3)}),
        tmp_path / "x.onnx",
    )
    return tmp_path / "x.onnx"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("differs from the original", ResultDiffers),
        ("does not load in onnxruntime", DoesNotRun),
        ("does not run in onnxruntime", DoesNotRun),
    ],
)
def test_the_fault_is_told_and_nothing_written(
    fault: Any, error: type[Exception], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = ValidationReport([ProviderResult("cpu", "failed", "Why.", fault=fault)])

    monkeypatch.setattr("rewriter.validation.validate.validate", lambda *_, **__: verdict)
    with pytest.raises(error, match=f"x.onnx: the result {fault}; nothing was written"):
        cli.run(cli.parser().parse_args([str(path), "--to", "nhwc", "-q"]))
    assert [*path.parent.iterdir()] == [path]


def test_what_our_own_verification_refuses_is_a_third_thing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewriter.shapes.check.onnx_fault", lambda model: "" if model.functions else None)
    with pytest.raises(VerificationError, match="the rewriter's own verification refuses its result"):
        rewrite(path)
