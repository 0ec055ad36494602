"""Saving: whole or not at all, weights beside the file where they are too large for it, the model as it was."""

import fcntl
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

from rewriter.files import whole, writer
from rewriter.files.light import every_tensor, light
from rewriter.files.reader import load
from tests.support.graphs import conv, graph, model, node, random, value

IMAGE = [1, 3, 5, 7]
LARGE = random(16, 3, 5, 7)  # 6,720 bytes


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """All weights go beside the model."""
    monkeypatch.setattr(writer, "TWO_GIB", 0)


def with_weights_in_bodies() -> ModelProto:
    """Weights in the main graph, in a body of a body, and in a Constant node."""
    inner = graph([node("Add", ["x", "k"], ["s"])], {}, {"s": LARGE.shape}, {"k": LARGE})
    other = graph([node("Neg", ["x"], ["n"])], {}, {"n": IMAGE})
    branch = node("If", ["flag"], ["i"], then_branch=inner, else_branch=other)
    outer = {
        "then_branch": graph([branch], {}, {"i": ["n", 3, 5, 7]}),
        "else_branch": graph([node("Abs", ["x"], ["a"])], {}, {"a": None}),
    }
    nodes = [node("If", ["flag"], ["o"], **outer), conv("o", "y"), node("Constant", [], ["z"], value_float=1.0)]
    inputs = [value("x", IMAGE), value("flag", [], onnx.TensorProto.BOOL)]
    made = model(nodes, inputs, [value("y", ["n", 16, 5, 7])], {"w": random(16, 3, 3, 3), "small": random(2)})
    made.metadata_props.add(key="k", value="v")
    made.functions.append(
        helper.make_function("d", "F", ["a"], ["b"], [node("Neg", ["a"], ["b"])], [helper.make_opsetid("", 17)])
    )
    return made


def test_sizes_count_bodies() -> None:
    assert light(with_weights_in_bodies()).nbytes > LARGE.nbytes + 16 * 3 * 3 * 3 * 4


def test_weights_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file read again is the model; the model itself is left as it is, and so is a folder full of other files."""
    monkeypatch.setattr(writer, "TWO_GIB", 0)
    original = with_weights_in_bodies()
    before = original.SerializeToString(deterministic=True)
    writer.save(original, tmp_path / "m.onnx")
    assert original.SerializeToString(deterministic=True) == before
    (data,) = data_files(tmp_path / "m.onnx")
    assert {path.name for path in tmp_path.iterdir()} == {"m.onnx", data.name}
    assert (tmp_path / "m.onnx").stat().st_size < data.stat().st_size
    again = load(tmp_path / "m.onnx")
    for tensor in every_tensor(again.graph):
        tensor.ClearField("data_location")  # which onnx says, though it is the default
    assert again.SerializeToString(deterministic=True) == before
    onnx.checker.check_model(tmp_path / "m.onnx")


def test_a_model_that_fits_is_one_file(tmp_path: Path) -> None:
    original = with_weights_in_bodies()
    writer.save(original, tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    assert load(tmp_path / "m.onnx") == original


@pytest.mark.usefixtures("beside")
def test_nothing_is_left_of_a_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "weights_name", lambda *args: np.zeros(-1))
    with pytest.raises(ValueError, match="negative"):
        writer.save(with_weights_in_bodies(), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


# Two files are one


def data_files(path: Path) -> list[Path]:
    """The files of weights that this tool has written for a model."""
    return sorted(path.parent.glob(f"{path.name}.*.data"))


def with_weights(number: float) -> ModelProto:
    """A model whose weights are all this number."""
    return model([conv()], {"x": IMAGE}, {"c": IMAGE}, {"w": np.full((3, 3, 31, 31), number, np.float32)})


def number_in(path: Path) -> float:
    """Which of these models is in a file."""
    (numbers,) = {float(number) for number in np.unique(numpy_helper.to_array(load(path).graph.initializer[0]))}
    return numbers


@pytest.mark.usefixtures("beside")
def test_the_weights_of_another_model_have_another_name(tmp_path: Path) -> None:
    """The old ones are removed, those of the same content are used again."""
    path = tmp_path / "m.onnx"
    names = []
    for number in (1.0, 2.0, 2.0):
        writer.save(with_weights(number), path)
        assert number_in(path) == number
        names.append([data.name for data in data_files(path)])
    assert [len(found) for found in names] == [1, 1, 1]
    assert names[0] != names[1] == names[2]


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("name", ["m.onnx", "m.model"])
def test_the_weights_in_use_stay(tmp_path: Path, name: str) -> None:
    """Whatever the model's file is called."""
    writer.save(with_weights(1.0), tmp_path / name)
    assert number_in(tmp_path / name) == 1.0


@pytest.mark.usefixtures("beside")
def test_a_copy_of_a_model_keeps_its_weights(tmp_path: Path) -> None:
    path, copy = tmp_path / "m.onnx", tmp_path / "copy.onnx"
    writer.save(with_weights(1.0), path)
    shutil.copy(path, copy)
    writer.save(with_weights(2.0), path)
    assert (number_in(path), number_in(copy)) == (2.0, 1.0)
    copy.unlink()
    writer.save(with_weights(3.0), path)
    assert len(data_files(path)) == 1


def test_a_model_in_one_file_in_the_place_of_one_in_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as small:
        small.setattr(writer, "TWO_GIB", 0)
        writer.save(with_weights(1.0), tmp_path / "m.onnx")
    (tmp_path / "m.onnx.0123.data").write_text("not ours")
    writer.save(with_weights(2.0), tmp_path / "m.onnx")
    assert {path.name for path in tmp_path.iterdir()} == {"m.onnx", "m.onnx.0123.data"}


@pytest.mark.parametrize("name", ["m.onnx", "x" * 250 + ".onnx", "\u00e9" * 125 + ".onnx"])
@pytest.mark.usefixtures("beside")
def test_names_as_long_as_there_may_be(tmp_path: Path, name: str) -> None:
    for number in (1.0, 2.0):
        writer.save(with_weights(number), tmp_path / name)
        assert number_in(tmp_path / name) == number
    assert len(list(tmp_path.iterdir())) == 2


def killed_at(moment: int, made: ModelProto, path: Path) -> bool:
    """Save in a process that is killed at a call which changes the folder; whether it came to that."""
    child = os.fork()
    if child == 0:
        calls = itertools.count()
        for module, name in ((os, "replace"), (os, "unlink"), (tempfile, "mkdtemp"), (shutil, "rmtree")):
            setattr(module, name, dying(getattr(module, name), calls, moment))
        writer.save(made, path)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def dying(function: Callable[..., Any], calls: Iterator[int], moment: int) -> Callable[..., Any]:
    """Kills the process before the call of this number."""

    def call(*args: Any, **more: Any) -> Any:
        if next(calls) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **more)

    return call


@pytest.mark.usefixtures("beside")
def test_killed_at_any_moment_there_is_the_old_model_or_the_new_one(tmp_path: Path) -> None:
    """And nothing is left behind after the next run."""
    path = tmp_path / "m.onnx"
    writer.save(with_weights(1.0), path)
    found = []
    for moment in itertools.count():
        if not killed_at(moment, with_weights(2.0), path):
            break
        found.append(number_in(path))
        writer.save(with_weights(1.0), path)
        assert number_in(path) == 1.0
        assert len(list(tmp_path.iterdir())) == 2
    assert number_in(path) == 2.0
    assert found == sorted(found)
    assert {*found} == {1.0, 2.0}


@pytest.mark.usefixtures("beside")
def test_what_has_a_name_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file before it gets its name, the folder after that."""
    calls: list[tuple[str, int]] = []
    fsync, replace = os.fsync, os.replace

    def synced(opened: int) -> None:
        calls.append(("sync", os.fstat(opened).st_ino))
        fsync(opened)

    def replaced(source: Path, target: Path) -> None:
        calls.append(("name", source.stat().st_ino))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    writer.save(with_weights(1.0), tmp_path / "m.onnx")
    here, files = tmp_path.stat().st_ino, [inode for call, inode in calls if call == "name"]
    assert len(files) == 2
    assert calls == [call for file in files for call in (("sync", file), ("name", file), ("sync", here))]


def test_the_folder_of_a_run_that_is_still_there_stays(tmp_path: Path) -> None:
    with whole.folder_beside(tmp_path / "a") as first:
        (first / "a").write_text("")
        with whole.folder_beside(tmp_path / "b"):
            assert (first / "a").exists()
    (tmp_path / f"{whole.MARK}left").mkdir()
    (tmp_path / f"{whole.MARK}file").write_text("no folder of ours")
    with whole.folder_beside(tmp_path / "a"):
        assert len(list(tmp_path.iterdir())) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == [f"{whole.MARK}file"]


def test_a_new_folder_that_another_run_takes_for_one_that_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, taken = tempfile.mkdtemp, list[str]()

    def mkdtemp(**options: Any) -> str:
        folder: str = real(**options)
        if not taken:
            taken.append(folder)
            whole.remove_left(tmp_path)
        return folder

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    whole.write_whole(tmp_path / "a", "text")
    assert taken
    assert (tmp_path / "a").read_text() == "text"


def test_a_folder_taken_for_one_that_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run removes it between its making and its lock: a new one is made, and neither is left open."""
    flock = fcntl.flock
    removed: list[Path] = []
    before = os.listdir("/dev/fd")

    def remove_first(lock: int, how: int) -> None:
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].rmdir()
        flock(lock, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    whole.write_whole(tmp_path / "a", "text")
    assert removed
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
    assert os.listdir("/dev/fd") == before
