"""No file is overwritten that a run reads, that holds another model's weights, or that is none: told before work."""

import errno
import os
import re
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from rewriter.cli import main
from rewriter.weights.cli import main as weights_main
from tests.support.command import IMAGE, USAGE, convert, error, folder, image_net
from tests.support.graphs import model, node, random


@pytest.fixture
def snapshot(tmp_path: Path) -> Callable[[], dict[str, bytes]]:
    """What all files hold, by name."""

    def take() -> dict[str, bytes]:
        files = (path for path in tmp_path.rglob("*") if path.is_file())
        return {str(path.relative_to(tmp_path)): path.read_bytes() for path in files}

    return take


@pytest.fixture
def unworked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No work is begun."""

    def begin(*args: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr("rewriter.pipeline.refuse_broken", begin)


def split(path: Path, data: str) -> Path:
    """A model at ``path`` whose weights are beside it in ``data``."""
    onnx.save(image_net(), path, save_as_external_data=True, location=data, size_threshold=0)
    return path


Linked = Callable[[Path, Path], None]


def hard(link: Path, target: Path) -> None:
    link.hardlink_to(target)


def soft(link: Path, target: Path) -> None:
    link.symlink_to(target)


# The files that the run reads


@pytest.mark.usefixtures("unworked")
@pytest.mark.parametrize("option", ["-o", "--json", "--report"])
@pytest.mark.parametrize("name", ["e.onnx", "e.data", "./e.data", "hard.data", "soft.data", "hard.onnx", "soft.onnx"])
def test_what_is_read_is_not_written(
    tmp_path: Path, option: str, name: str, snapshot: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    path = split(tmp_path / "e.onnx", "e.data")
    for link in (hard, soft):
        for kind in ("onnx", "data"):
            link(tmp_path / f"{link.__name__}.{kind}", tmp_path / f"e.{kind}")
    before = snapshot()
    assert convert(path, option, f"{tmp_path}/{name}") == USAGE
    assert re.search("is the input|holds weights of", error(capsys))
    assert snapshot() == before


@pytest.mark.usefixtures("unworked")
def test_the_default_output_may_hold_the_weights(
    tmp_path: Path, snapshot: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    path = split(tmp_path / "e.onnx", "e.nhwc.onnx")
    before = snapshot()
    assert convert(path) == USAGE
    assert "--output" in error(capsys)
    assert snapshot() == before


@pytest.mark.usefixtures("unworked")
def test_weights_in_a_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    constant = node("Constant", [], ["k"], value=onnx.numpy_helper.from_array(random(*IMAGE), "k"))
    made = model([constant, node("Add", ["x", "k"], ["y"])], {"x": IMAGE}, {"y": IMAGE})
    path = tmp_path / "e.onnx"
    onnx.save(made, path, save_as_external_data=True, location="e.data", size_threshold=0, convert_attribute=True)
    (tmp_path / "e.data").rename(tmp_path / "f.data")
    (tmp_path / "e.data").symlink_to("f.data")
    assert convert(path, "-o", str(tmp_path / "f.data")) == USAGE
    assert "is the input" in error(capsys)


@pytest.mark.usefixtures("unworked")
@pytest.mark.parametrize("option", ["-o", "--json", "--report"])
def test_the_data_for_inputs(path: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = path.with_name("data.npz")
    np.savez(data, x=random(*IMAGE))
    before = data.read_bytes()
    assert convert(path, "--inputs", str(data), option, str(data)) == USAGE
    assert "is the input" in error(capsys)
    assert data.read_bytes() == before


@pytest.mark.usefixtures("unworked")
def test_two_outputs_are_two_files(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("net.nhwc.onnx", "../" + path.parent.name + "/net.nhwc.onnx"):
        assert convert(path, "--json", str(path.parent / name)) == USAGE
        assert "are one file" in error(capsys)
    assert folder(path) == {"net.onnx"}


@pytest.mark.parametrize("name", ["e.safetensors", "e.json"])
def test_weights_are_not_written_over_weights(
    tmp_path: Path, name: str, snapshot: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    path = split(tmp_path / "e.onnx", name)
    before = snapshot()
    assert weights_main([str(path), "--for", "flax", "-o", str(tmp_path / "e.safetensors")]) == USAGE
    assert "holds weights of" in error(capsys)
    assert snapshot() == before


# Other models' weights


@pytest.mark.usefixtures("unworked")
@pytest.mark.parametrize("option", ["-o", "--json", "--report"])
@pytest.mark.parametrize("name", ["other.data", "x.onnx", "n" * 200 + ".onnx"])
def test_the_weights_of_a_model_that_is_not_read(
    path: Path, option: str, name: str, snapshot: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    split(path.with_name("other.onnx"), name)
    before = snapshot()
    assert convert(path, option, str(path.with_name(name))) == USAGE
    assert f"holds weights of {path.with_name('other.onnx')}" in error(capsys)
    assert snapshot() == before


def test_weights_beside_a_model_of_the_outputs_name(
    path: Path, snapshot: Callable[[], dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model that was written with its weights in ``d.onnx.data`` by another tool, only the model is replaced."""
    monkeypatch.setattr("rewriter.files.writer.TWO_GIB", 0)
    split(path.with_name("other.onnx"), "d.onnx.data")
    before = snapshot()
    assert convert(path, "-o", str(path.with_name("d.onnx"))) == 0
    assert {name: data for name, data in snapshot().items() if name in before} == before


def test_what_is_replaced(path: Path, snapshot: Callable[[], dict[str, bytes]]) -> None:
    """An older result, one that names its own weights, a report, anything that is nobody's weights."""
    outputs = {"-o": path.with_name("out.onnx"), "--json": path.with_name("out.json")}
    outputs["--report"] = path.with_name("out.html")
    argv = [part for option, output in outputs.items() for part in (option, str(output))]
    split(outputs["-o"], "own.data")
    outputs["--json"].write_text("no report")
    for _ in range(2):
        assert convert(path, *argv) == 0
    outputs["-o"].write_bytes(b"\0" * 100)
    assert convert(path, *argv) == 0
    assert folder(path) == {"net.onnx", "out.onnx", "out.json", "out.html", "own.data"}


# What is no file


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listener(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(os.path.relpath(path))


def device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")


def loop(path: Path) -> None:
    path.symlink_to(path)


def directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.usefixtures("unworked")
@pytest.mark.parametrize("option", ["-o", "--json", "--report"])
@pytest.mark.parametrize("kind", [pipe, listener, device, loop, directory])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_outputs_that_are_no_files(
    path: Path, option: str, kind: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    output = path.with_name("out")
    kind(output)
    mode = output.lstat().st_mode
    assert convert(path, option, str(output)) == USAGE
    assert str(output) in error(capsys)
    assert output.lstat().st_mode == mode
    assert folder(path) == {"net.onnx", "out"}


@pytest.mark.parametrize("kind", [pipe, listener, device, loop, directory])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_inputs_that_are_no_files(path: Path, kind: Callable[[Path], None], capsys: pytest.CaptureFixture[str]) -> None:
    """Neither read for ever, nor waited for."""
    kind(path.with_name("in"))
    assert main([str(path.with_name("in")), "--to", "nhwc"]) == USAGE
    assert str(path.with_name("in")) in error(capsys)
    assert convert(path, "--inputs", str(path.with_name("in"))) == USAGE
    assert str(path.with_name("in")) in error(capsys)
    assert weights_main([str(path.with_name("in")), "--for", "flax"]) == USAGE
    error(capsys)


@pytest.mark.usefixtures("unworked")
@pytest.mark.parametrize("name", ["net.onnx/out.onnx", "x" * 256, "no/" + "x" * 256 + "/out.onnx"])
def test_places_where_nothing_can_be_written(path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(path, "-o", str(path.parent / name)) == USAGE
    assert "cannot be written" in error(capsys)
    assert folder(path) == {"net.onnx"}


@pytest.mark.usefixtures("unworked")
def test_a_full_or_read_only_disk_is_told_before_the_work(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(dir: Path) -> None:  # noqa: A002
        assert dir == path.parent
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert convert(path, "-o", str(path.parent / "new" / "out.onnx")) == USAGE
    assert "cannot be written (Read-only file system)" in error(capsys)
    assert folder(path) == {"net.onnx"}


@pytest.mark.parametrize(("option", "begin"), [("--json", "{"), ("--report", "<!doctype html>")])
def test_a_report_is_written_whole_or_not_at_all(
    path: Path, option: str, begin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one is there until the new one is."""
    report = path.with_name("report.json")
    report.write_text("old")
    replace, seen = os.replace, []

    def replaced(source: Path, target: Path) -> None:
        seen.extend([report.read_text()] if target == report else [])
        replace(source, target)

    monkeypatch.setattr(os, "replace", replaced)
    assert convert(path, option, str(report)) == 0
    assert seen == ["old"]
    assert report.read_text().startswith(begin)
    assert folder(path) == {"net.onnx", "net.nhwc.onnx", "report.json"}


# Data for inputs

BROKEN = [
    lambda data: b"",
    lambda data: data[: len(data) // 2],
    lambda data: data[:-30],
    lambda data: data[:100] + bytes([data[100] ^ 255]) + data[101:],
    lambda data: data[:200] + bytes(byte ^ 255 for byte in data[200:300]) + data[300:],
    lambda data: b"PK\x03\x04" + b"\0" * 200,
    lambda data: b"PK\x05\x06" + b"\0" * 18,
    lambda data: b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n" + b"\0" * 80,
    lambda data: b"text",
]


@pytest.mark.parametrize("spoil", BROKEN)
def test_broken_data(path: Path, spoil: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]) -> None:
    data = path.with_name("data.npz")
    np.savez(data, x=random(*IMAGE), z=random(*IMAGE))
    data.write_bytes(spoil(data.read_bytes()))
    assert convert(path, "--inputs", str(data)) == USAGE
    assert "data.npz" in error(capsys)
    assert folder(path) == {"net.onnx", "data.npz"}
