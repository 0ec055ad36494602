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
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__")
except SystemExit as stop:
    print(stop.code, *(name for name in {HEAVY} if name in sys.modules))
"""


def end(*argv: str) -> tuple[int, set[str]]:
    """The exit code of ``python -m``, and which of the heavy modules it has imported."""
    command = [sys.executable, "-c", PROGRAM, *argv]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    code, *loaded = out.splitlines()[-1].split()
    return int(code), set(loaded)


@pytest.mark.parametrize("module", ["rewriter", "rewriter.weights"])
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_imports_nothing_heavy(module: str, option: str) -> None:
    assert end(module, option) == (0, set())


MISTAKES = [
    ["rewriter", MODEL],
    ["rewriter", MODEL, "--to", "nhcw"],
    ["rewriter", MODEL, "--to", "nhwc", "-o", MODEL],
    ["rewriter", MODEL, "--to", "nhwc", "--layout", "input"],
    ["rewriter", MODEL, "--to", "nhwc", "--providers", "tpu"],
    ["rewriter", MODEL, "--to", "nhwc", "--input-shape", "input=1,a"],
    ["rewriter.weights", MODEL, "--for", "caffe"],
]


@pytest.mark.parametrize("argv", MISTAKES, ids=lambda argv: " ".join([argv[0], *argv[2:]]).replace(MODEL, "MODEL"))
def test_mistakes_in_the_options_import_nothing_heavy(argv: list[str]) -> None:
    assert end(*argv) == (2, set())


def test_what_is_wrong_with_a_file_is_told_without_onnxruntime(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("# Not a model\n")
    for argv in (["none.onnx"], ["text.onnx"], [MODEL, "--layout", "nowhere=keep"]):
        code, loaded = end("rewriter", str(tmp_path / argv[0]), "--to", "nhwc", *argv[1:])
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
