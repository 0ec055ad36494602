"""Start-up: the packages import what is asked of them, and ``--help`` and faults of usage wait for nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

import rewriter
from passes import dialects
from passes.dialects.base import WEIGHT_LAYOUTS
from rewriter import choices, weights
from rewriter.validation.providers import PROVIDERS
from tests.support.graphs import COMMITTED, ROOT

HEAVY = ("numpy", "onnx", "onnx_graphsurgeon", "onnxruntime", "rich", "highspy")
MODEL = str(COMMITTED["torch_resnet"])
PROGRAM = f"""
import importlib, sys
sys.argv = sys.argv[1:]
try:
    sys.exit(importlib.import_module(sys.argv[0]).main(GIVEN))
except SystemExit as stop:
    print(stop.code, *(name for name in {HEAVY} if name in sys.modules))
"""


def end(*argv: str, given: str = "sys.argv[1:]") -> tuple[int, set[str]]:
    """The exit code of a command, and which of the heavy modules the process that was called has imported."""
    command = [sys.executable, "-c", PROGRAM.replace("GIVEN", given), *argv]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    code, *loaded = out.splitlines()[-1].split()
    return int(code), set(loaded)


@pytest.mark.parametrize("module", ["rewriter.cli", "rewriter.validate_cli", "rewriter.weights.cli"])
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_imports_nothing_heavy(module: str, option: str) -> None:
    assert end(module, option) == (0, set())


def test_the_process_that_waits_imports_nothing_heavy(tmp_path: Path) -> None:
    """So that its fork takes a millisecond, and nothing is lost in it."""
    output = tmp_path / "out.onnx"
    assert end("rewriter.cli", MODEL, "--to", "nhwc", "-q", "--no-validate", "-o", str(output), given="") == (0, set())
    assert output.exists()


@pytest.mark.parametrize("name", ["torch_resnet", "torch_unet_dynamo", "keras_unet_dynamic"])
def test_without_validation_no_onnxruntime_is_needed(name: str, tmp_path: Path) -> None:
    """Small constants are computed by onnx itself."""
    arguments = ("--to", "nhwc", "-q", "--no-validate", "-o", str(tmp_path / "out.onnx"))
    code, loaded = end("rewriter.cli", str(ROOT / f"models/{name}.onnx"), *arguments)
    assert (code, loaded & {"onnxruntime"}) == (0, set())


def test_the_process_that_waits_for_many_starts_no_engine(tmp_path: Path) -> None:
    """Whose threads a fork would lose."""
    code, loaded = end("rewriter.cli", MODEL, str(tmp_path / "none.onnx"), "--to", "nhwc", "-q", "--dry-run", given="")
    assert (code, loaded & {"onnxruntime"}) == (2, set())


MISTAKES = [
    ["rewriter.cli", MODEL],
    ["rewriter.cli", MODEL, "--to", "nhcw"],
    ["rewriter.cli", MODEL, "--to", "nhwc", "-o", MODEL],
    ["rewriter.cli", MODEL, "--to", "nhwc", "--layout", "input"],
    ["rewriter.cli", MODEL, "--to", "nhwc", "--providers", "tpu"],
    ["rewriter.cli", MODEL, "--to", "nhwc", "--input-shape", "input=1,a"],
    ["rewriter.cli", MODEL, "--to", "nhwc", "--check-all", "--no-validate"],
    ["rewriter.cli", MODEL, MODEL, "--to", "nhwc"],
    ["rewriter.cli", MODEL, "--to", "nhwc", "--jobs", "0"],
    ["rewriter.validate_cli", MODEL, MODEL, "--layout", "input"],
    ["rewriter.validate_cli", MODEL, MODEL, "--runs", "0"],
    ["rewriter.weights.cli", MODEL, "--for", "caffe"],
]


@pytest.mark.parametrize("argv", MISTAKES, ids=lambda argv: " ".join([argv[0], *argv[2:]]).replace(MODEL, "MODEL"))
def test_mistakes_in_the_options_import_nothing_heavy(argv: list[str]) -> None:
    assert end(*argv) == (2, set())


def test_what_is_wrong_with_a_file_is_told_without_onnxruntime(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("# Not a model\n")
    for argv in (["none.onnx"], ["text.onnx"], [MODEL, "--layout", "nowhere=keep"]):
        code, loaded = end("rewriter.cli", str(tmp_path / argv[0]), "--to", "nhwc", *argv[1:])
        assert (code, loaded & {"onnxruntime"}) == (2, set())


@pytest.mark.parametrize("package", [rewriter, weights])
def test_every_public_name_is_there(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]
    assert dir(package) == sorted(names)
    assert all(getattr(package, name) is not None for name in names)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_the_choices_are_those_of_the_modules() -> None:
    assert choices.WEIGHT_LAYOUTS == WEIGHT_LAYOUTS
    assert (*dialects.DIALECTS,) == choices.DIALECTS
    assert (*PROVIDERS,) == choices.PROVIDERS
