"""Models that are no ONNX files: what is refused before a framework sees it."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from rewriter import UsageError
from rewriter.cli import main
from rewriter.frontends import FRONT_ENDS, front_end_of
from rewriter.frontends.keras_file import refuse_code as refuse_lambdas
from rewriter.frontends.program_archive import is_arithmetic
from rewriter.frontends.program_archive import refuse_code as refuse_programs
from rewriter.weights.cli import main as weights
from tests.pipeline.test_front_ends import saved_model
from tests.support.command import USAGE, convert, error, image_net


def archive(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, text in files.items():
            made.writestr(name.replace("__", "/"), text)
    return path


def keras_config(kind: str) -> str:
    inner = {"class_name": kind, "config": {"name": "mine", "function": {"class_name": "x"}}}
    return json.dumps({"class_name": "Functional", "config": {"layers": [{"config": {"layers": [inner]}}]}})


def contents(path: Path) -> Path:
    """A file of its kind, as far as can be seen before a framework is needed."""
    if path.suffix == ".keras":
        return archive(path, **{"config.json": keras_config("Dense")})
    if path.suffix == ".pt2":
        return archive(path, **{"net__models__model.json": "{}"})
    if path.suffix == "":
        return saved_model(path)
    path.write_bytes({".tflite": b"\0\0\0\0TFL3", ".pb": b"\x0a\x00", ".h5": b"\x89HDF"}[path.suffix])
    return path


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("net.keras", "tensorflow", "tf"),
        ("net.h5", "h5py", "tf"),
        ("net.tflite", "tf2onnx", "tf"),
        ("net.pb", "tensorflow", "tf"),
        ("saved", "tensorflow", "tf"),
        ("net.pt2", "torch", "pt2"),
    ],
)
@pytest.mark.parametrize("command", [main, weights])
def test_a_missing_package_is_named(
    command: Any,
    name: str,
    module: str,
    extra: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without(wanted: str) -> Any:
        if wanted == module:
            raise ModuleNotFoundError(f"No module named {wanted!r}")
        return sys.modules["numpy"] if wanted == "tensorflow" else None

    monkeypatch.setitem(sys.modules, "tensorflow", np)  # which is not asked for its devices then
    monkeypatch.setattr("rewriter.extras.import_module", without)
    path = contents(tmp_path / name)
    assert command([str(path), *(["--to", "nchw"] if command is main else ["--for", "keras"])]) == USAGE
    told = error(capsys)
    assert f"this needs {module}" in told
    assert f"pip install 'onnx-layout-rewriter[{extra}]'" in told


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("net.tflite", "not a TFLite model"),
        ("net.keras", "not a Keras model (it is no .keras archive)"),
        ("net.pt2", "not an exported program (it is no .pt2 archive)"),
    ],
)
def test_a_file_of_another_kind(name: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_bytes(b"no model at all")
    assert main([str(tmp_path / name), "--to", "nchw"]) == USAGE
    assert words in error(capsys)


def test_suffixes_in_other_letters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are the same kinds, of which Keras itself reads small letters only."""
    assert [front_end_of(tmp_path / f"net{suffix.upper()}") for suffix in (".tflite", ".h5", ".pt2")] == [
        FRONT_ENDS[suffix] for suffix in (".tflite", ".h5", ".pt2")
    ]
    path = archive(tmp_path / "net.KERAS", **{"config.json": keras_config("Dense")})
    assert main([str(path), "--to", "nchw"]) == USAGE
    assert error(capsys).endswith("net.KERAS: Keras reads no such suffix; call the file net.keras\n")


@pytest.mark.parametrize("kind", ["Lambda", "__lambda__"])
def test_layers_of_python_code_are_refused(kind: str, tmp_path: Path) -> None:
    refuse_lambdas(archive(tmp_path / "good.keras", **{"config.json": keras_config("Dense")}))
    with pytest.raises(UsageError, match="the layer 'mine' is a Lambda"):
        refuse_lambdas(archive(tmp_path / "net.keras", **{"config.json": keras_config(kind)}))
    with pytest.raises(UsageError, match=r"there is no config\.json in it"):
        refuse_lambdas(archive(tmp_path / "empty.keras", other=""))


SYSTEM = "__import__('os').system('true')"
PROGRAMS = [
    ({"expr_str": SYSTEM}, "the size"),
    ({"expr_str": f"Max({SYSTEM!r}, Symbol('s0'))"}, "the size"),
    ({"target": "torch.os.system"}, "the function"),
    ({"target": "_operator.attrgetter"}, "the function"),
    ({"path_name": "custom_obj_0"}, "the object"),
    ({"path_name": "opaque_obj_0"}, "the object"),
]


@pytest.mark.parametrize(("data", "words"), PROGRAMS, ids=str)
def test_programs_whose_loading_runs_code_are_refused(data: dict[str, str], words: str, tmp_path: Path) -> None:
    graph = {"models": [{"nodes": [{"target": "torch.ops.aten.conv2d.default"}, data]}]}
    with pytest.raises(UsageError, match=f"{words} .* may run code"):
        refuse_programs(archive(tmp_path / "net.pt2", **{"net__models__model.json": json.dumps(graph)}))


def test_compiled_libraries_and_files_twice_are_refused(tmp_path: Path) -> None:
    library = archive(tmp_path / "net.pt2", a__data__aotinductor__m__m="", **{"a__models__m.json": "{}"})
    twice = archive(tmp_path / "twice.pt2", **{"a__models__m.json": "{}", "a__models__M.json": "{}"})
    for path in (library, twice):
        with pytest.raises(UsageError, match="a compiled library, or files twice"):
            refuse_programs(path)
    with pytest.raises(UsageError, match="it has no graph"):
        refuse_programs(archive(tmp_path / "none.pt2", other=""))


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Mul(Integer(12), Add(Symbol('s53', positive=True, integer=True), Integer(-2)))", True),
        ("2*s0 + FloorDiv(u1, 2)", True),
        ("s0 >= 2", True),
        ("Float('0.5', precision=53)", True),
        ("s0.real", False),
        ("eval(s0)", False),
        ("[s0 for s0 in s1]", False),
        ("(lambda: s0)()", False),
        ("s0 +", False),
        (3, False),
    ],
)
def test_what_is_arithmetic(text: Any, safe: bool) -> None:
    assert is_arithmetic(text) is safe


def test_options_of_other_kinds_of_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(image_net(), tmp_path / "net.onnx")
    assert convert(tmp_path / "net.onnx", "--tf-inputs", "x") == USAGE
    assert "is read as ONNX, which takes no --tf options" in error(capsys)
    assert convert(contents(tmp_path / "net.tflite"), "--tf-signature", "x") == USAGE
    assert "is a TFLite model, which takes no --tf-signature" in error(capsys)
