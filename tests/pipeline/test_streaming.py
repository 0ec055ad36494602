"""Large weights stay in their files until they are written, and come out as if the model had been in memory."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from rewriter import UsageError, rewrite
from rewriter.files import blocks, reader, wire, writer
from rewriter.files.light import every_tensor, light
from rewriter.files.reader import load, open_model
from rewriter.files.source import Place, put_at
from tests.support.graphs import COMMITTED, ROOT, conv, model, random

SMALLEST = 16 * 4096 + 1  # bytes of a weight that stays in its file
DIRECTIONS = [("nhwc", "function"), ("nchw", "onnx")]
LARGE = [name for name, path in COMMITTED.items() if path.stat().st_size > 100_000]
IMAGE = [1, 67, 9, 11]


@pytest.fixture
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights stay in their files, however small these are."""
    monkeypatch.setattr(reader, "CUT_FROM", 0)


def net(channels: int = 67) -> ModelProto:
    """Two kernels that are weights, one that is not."""
    nodes = [conv("x", "c", w="w"), conv("c", "d", w="v"), conv("d", "y", w="small")]
    sizes = {"w": (channels, channels), "v": (channels, channels), "small": (3, channels)}
    weights = {name: random(*two, 3, 3) * np.float32(i + 1) for i, (name, two) in enumerate(sizes.items())}
    shape = [1, channels, 9, 11]
    return model(nodes, {"x": shape}, {"y": [1, 3, 9, 11]}, weights)


def same(one: ModelProto, other: ModelProto) -> bool:
    """Equal, but for where onnx notes the default place of data."""
    for tensor in (*every_tensor(one.graph), *every_tensor(other.graph)):
        tensor.ClearField("data_location")
    return bool(one == other)


@pytest.mark.usefixtures("in_files")
@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
@pytest.mark.parametrize("name", LARGE)
def test_results_are_those_of_models_in_memory(name: str, to: str, dialect: str, tmp_path: Path) -> None:
    result = rewrite(COMMITTED[name], to, dialect=dialect, save_to=tmp_path / "m.onnx")
    expected = rewrite(onnx.load(COMMITTED[name]), to, dialect=dialect).model
    assert same(load(tmp_path / "m.onnx"), expected)
    assert same(result.model, expected)


@pytest.mark.usefixtures("in_files")
def test_weights_stay_in_the_file(tmp_path: Path) -> None:
    """And are read one by one, by name."""
    path = tmp_path / "net.onnx"
    onnx.save(net(), path)
    opened, whole = open_model(path), onnx.load(path)
    left = {t.name: t for t in opened.proto.graph.initializer if t.data_location == TensorProto.EXTERNAL}
    assert {*left} == {"w", "v"}
    assert opened.proto.ByteSize() < path.stat().st_size - len(left) * SMALLEST
    for tensor in (tensor for tensor in whole.graph.initializer if tensor.name in left):
        assert np.array_equal(opened.read(left[tensor.name]), onnx.numpy_helper.to_array(tensor))
    result = rewrite(path, "nhwc")
    for name, weight in result.weights.items():
        initializer = next(one for one in result.model.graph.initializer if one.name == name)
        assert np.array_equal(weight.array(), onnx.numpy_helper.to_array(initializer))


def beside(folder: Path, made: ModelProto, files: int = 1) -> Path:
    """The model, with its weights in so many files beside it."""
    path, light_one = folder / "net.onnx", ModelProto()
    light_one.CopyFrom(made)
    for i, tensor in enumerate(tensor for tensor in light_one.graph.initializer if len(tensor.raw_data) >= SMALLEST):
        with (folder / f"data{i % files}").open("ab") as file:
            put_at(tensor, Place(f"data{i % files}", file.tell(), file.write(tensor.raw_data)))
    path.write_bytes(light_one.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("option", "files", "expected"), [("auto", 1, 0), ("none", 2, 0), ("one", 2, 1), ("split", 2, 2), ("split", 1, 1)]
)
def test_where_weights_are_written(option: str, files: int, expected: int, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path, output = beside(tmp_path / "in", net(), files), tmp_path / "m.onnx"
    rewrite(path).save(output, option)
    assert len([*tmp_path.glob("m.onnx.*.data")]) == expected
    assert same(load(output), rewrite(net()).model)
    onnx.checker.check_model(output)


def test_weights_can_be_mapped_into_memory(tmp_path: Path) -> None:
    """Those of a MiB and more begin where onnx and onnxruntime want them to."""
    writer.save(net(180), tmp_path / "m.onnx", "one")
    written = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    places = [{e.key: int(e.value) for e in t.external_data if e.key != "location"} for t in written.graph.initializer]
    large = [place["offset"] for place in places if place["length"] >= 2**20]
    assert len(large) == 2
    assert all(offset % 2**16 == 0 for offset in large)


@pytest.mark.parametrize("option", ["none", "one"])
def test_what_has_changed_since_it_was_read_is_not_written(option: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = beside(tmp_path / "in", net())
    result, (data,) = rewrite(path), [one for one in path.parent.iterdir() if one != path]
    data.write_bytes(bytes(data.stat().st_size))
    with pytest.raises(UsageError, match="has changed since it was read"):
        result.save(tmp_path / "m.onnx", option)
    with pytest.raises(UsageError, match="has changed since it was read"):
        _ = result.model
    data.unlink()
    with pytest.raises(UsageError, match="no longer there"):
        result.save(tmp_path / "m.onnx", option)
    assert [one.name for one in tmp_path.iterdir()] == ["in"]


def test_what_is_in_memory_may_change() -> None:
    made = net()
    result, expected = rewrite(made), rewrite(made).model
    made.graph.initializer[0].raw_data = bytes(len(made.graph.initializer[0].raw_data))
    assert same(result.model, expected)


@pytest.mark.parametrize("option", ["none", "one"])
def test_a_disk_without_room(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(UsageError, match=r"its disk has 0\.0 GB left"):
        writer.save(net(), tmp_path / "m.onnx", option)
    assert not [*tmp_path.iterdir()]


def test_other_weights_have_another_name_whatever_the_samples_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of which names are made: those that differ elsewhere meet under one name."""
    monkeypatch.setattr(writer, "SAMPLE", 0)
    path, names = tmp_path / "m.onnx", set()
    for number in (1.0, 2.0, 3.0):
        made = model([conv()], {"x": [1, 3, 5, 7]}, {"c": [1, 3, 5, 7]}, {"w": np.full((3, 3, 31, 31), number, "f")})
        writer.save(made, path, "one")
        assert same(load(path), made)
        names |= {one.name for one in tmp_path.glob("*.data")}
        assert len([*tmp_path.iterdir()]) == 2
    assert len(names) >= 2


def test_files_as_large_as_weights_of_one_content(tmp_path: Path) -> None:
    """Two files of the original that are equal are one in the result."""
    made = net()
    made.graph.initializer[1].raw_data = made.graph.initializer[0].raw_data
    (tmp_path / "in").mkdir()
    rewrite(beside(tmp_path / "in", made, 2)).save(tmp_path / "m.onnx", "split")
    assert len([*tmp_path.glob("m.onnx.*.data")]) == 1
    assert same(load(tmp_path / "m.onnx"), rewrite(made).model)


@pytest.mark.parametrize("calls", [("copy_file_range",), ("copy_file_range", "sendfile")])
@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSYS, errno.EINVAL])
def test_a_kernel_that_does_not_copy(
    number: int, calls: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> int:
        raise OSError(number, "not here")

    for call in calls:
        monkeypatch.setattr(os, call, refuse)
    path = beside(tmp_path, net())
    rewrite(path, keep_io=True, dialect="onnx", save_to=tmp_path / "m.onnx")
    assert same(load(tmp_path / "m.onnx"), rewrite(net(), keep_io=True, dialect="onnx").model)


def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    path = beside(tmp_path, net())
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(os, "copy_file_range", fail)
    with pytest.raises(OSError, match="Input/output"):
        rewrite(path, keep_io=True, dialect="onnx", save_to=tmp_path / "m.onnx")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("dtype", ["f4", "f2", "i1", "c16"])
@pytest.mark.parametrize("shape", [(), (0, 3), (7,), (31, 3, 5), (4, 13, 2, 9)])
def test_blocks_are_the_elements_in_their_order(
    shape: tuple[int, ...], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whatever size, and from whatever order."""
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    monkeypatch.setattr(blocks, "LARGE", 0)
    monkeypatch.setattr(blocks, "TILE", 2)
    for perm in permutations(range(len(shape))):
        view = array.transpose(perm)
        for most in (16, 100, 2**24):
            monkeypatch.setattr(blocks, "MOST", most)
            pieces = [*blocks.blocks(view)]
            assert b"".join(piece.tobytes() for piece in pieces) == view.tobytes()
            assert all(piece.flags.c_contiguous for piece in pieces)
            assert all(piece.nbytes <= most for piece in pieces)


def cuts() -> Iterator[tuple[bytes, int]]:
    for path in COMMITTED.values():
        data = path.read_bytes()
        yield from ((data, least) for least in (1, 100, 10_000))


def test_a_model_cut_in_two_is_whole_again() -> None:
    """By protobuf's own reader; all data of that length is taken out."""
    for data, least in cuts():
        found, whole = wire.cut(memoryview(data), least), ModelProto.FromString(data)
        part = ModelProto.FromString(found.light)
        for number, (offset, length) in found.data.items():
            assert not part.graph.initializer[number].HasField("raw_data")
            part.graph.initializer[number].raw_data = data[offset : offset + length]
        assert part == whole
        long = [t for t in whole.graph.initializer if len(t.raw_data) >= least]
        assert len(found.data) == len(long)


def test_the_parts_of_a_model_are_its_file() -> None:
    for path in COMMITTED.values():
        made = onnx.load(path)
        assert ModelProto.FromString(light(made).serialized()) == made


@pytest.mark.parametrize("seed", range(200))
def test_broken_files_are_not_cut(seed: int) -> None:
    """Whatever is in them, there is one kind of error."""
    rng = np.random.default_rng(seed)
    data = bytearray(COMMITTED["torch_unet"].read_bytes()[:5000])
    for place in rng.integers(0, len(data), 5):
        data[place] = rng.integers(0, 256)
    with suppress(ValueError):
        wire.cut(memoryview(bytes(data)), 10)


def sparse_net(path: Path, channels: int, layers: int) -> int:
    """A model whose weights are a file without content on the disk; their bytes."""
    each = channels * channels * 9 * 4
    nodes = [conv(f"v{i}", f"v{i + 1}", w=f"w{i}") for i in range(layers)]
    made = model(nodes, {"v0": [1, channels, 8, 8]}, {f"v{layers}": [1, channels, 8, 8]}, {})
    for i in range(layers):
        tensor = made.graph.initializer.add(name=f"w{i}", dims=[channels, channels, 3, 3], data_type=TensorProto.FLOAT)
        tensor.data_location = TensorProto.EXTERNAL
        for key, entry in (("location", "data"), ("offset", i * each), ("length", each)):
            tensor.external_data.add(key=key, value=str(entry))
    path.write_bytes(made.SerializeToString())
    with path.with_name("data").open("wb") as file:
        file.truncate(layers * each)
    return layers * each


MEASURED = """
import resource, sys
from rewriter import rewrite
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rewrite(sys.argv[1], save_to=sys.argv[2])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize("option", ["", ", external_data='one'"])
def test_memory_does_not_grow_with_the_model(option: str, tmp_path: Path) -> None:
    """What it takes is for one weight, and what the tool itself needs."""
    size = sparse_net(tmp_path / "net.onnx", 512, 40)
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path / "net.onnx"), str(tmp_path / "m.onnx")],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert int(ran.stdout) < size / 3
