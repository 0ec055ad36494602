"""What a run reads: models with their weights beside them, and arrays."""

import mmap
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, external_data_helper, serialization

from passes.ir.declared import SMALL, every_graph_proto
from rewriter.errors import UsageError
from rewriter.files import wire
from rewriter.files.no_models import how_to_export
from rewriter.files.source import OWN, Place, Source, Stamp, open_beside, put_at, stamp_of
from rewriter.frontends import NOTHING, Asked, FrontEnd, files_of, front_end_of
from rewriter.frontends.converting import Converted, converted
from rewriter.steps import step

OnRead = Callable[[Sequence[Path]], None]  # is told the files of a model, before its weights are read

CUT_FROM = 2**25  # bytes of a file from which weights in it stay there
LEAST = 16 * SMALL + 1  # bytes of a weight that stays in its file: of more elements than are looked at


def load(path: str | Path, on_read: OnRead | None = None, asked: Asked = NOTHING) -> ModelProto:
    """Read a model with its external data; what is no ONNX file is converted, as it is ``asked`` for.

    Raises UsageError if there is no readable model, and what ``on_read`` raises.
    """
    path = Path(path)
    front = front_end_of(path)
    return _load(path, on_read) if front is None else convert(path, front, on_read, asked).model


def open_model(path: str | Path, on_read: OnRead | None = None, asked: Asked = NOTHING) -> Source:
    """The same, but that large weights stay in the files that they are in."""
    path = Path(path)
    front = front_end_of(path)
    return _open(path, on_read) if front is None else Source(convert(path, front, on_read, asked).model)


def read_model(
    path: str | Path,
    *,
    signature: str = "",
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> ModelProto:
    """The model of a file or folder, as all functions read it, with what a TensorFlow model does not say.

    ``signature``: of a SavedModel; ``inputs``, ``outputs``: of a frozen graph; ``input_shapes``: sizes by input that it
    is converted with, and keeps. Raises UsageError.
    """
    return load(path, asked=Asked(signature, tuple(inputs), tuple(outputs), shapes=input_shapes or {}))


def source_of(model: ModelProto | str | Path, on_read: OnRead | None = None, asked: Asked = NOTHING) -> Source:
    """The same of a model that may be in memory already."""
    return Source(model) if isinstance(model, ModelProto) else open_model(model, on_read, asked)


def once(model: ModelProto | str | Path, asked: Asked = NOTHING) -> ModelProto | str | Path:
    """What is no ONNX file is converted, so that who reads it several times does so once. Raises UsageError."""
    is_path = not isinstance(model, ModelProto)
    return load(model, asked=asked) if is_path and front_end_of(Path(model)) else model


def convert(path: Path, front: FrontEnd, on_read: OnRead | None = None, asked: Asked = NOTHING) -> Converted:
    """A model of another framework as ONNX, with what that computes. Raises UsageError, and what ``on_read`` raises."""
    if not path.is_dir():
        check_file(path)
    if on_read is not None:
        on_read(files_of(path))
    return converted(path, front, asked)


@step("read", limited=False)
def _load(path: Path, on_read: OnRead | None) -> ModelProto:
    check_file(path)
    with _readable(path, told=how_to_export(path)):
        model = onnx.load(path, load_external_data=False)
    _check(path, model, on_read)
    with _readable(path), warnings.catch_warnings(action="ignore"):  # of entries that onnx does not know
        external_data_helper.load_external_data_for_model(model, str(path.parent))
    return model


@step("read", limited=False)
def _open(path: Path, on_read: OnRead | None) -> Source:
    check_file(path)
    with _readable(path, told=how_to_export(path)):
        model, own = _parsed(path)
    _check(path, model, on_read)
    stamps: dict[str, Stamp] = {}
    with _readable(path), warnings.catch_warnings(action="ignore"):
        tensors = [tensor for graph in every_graph_proto(model.graph) for tensor in graph.initializer]
        for tensor in filter(external_data_helper.uses_external_data, tensors):
            place = _place(path, tensor, stamps)
            if place.length >= LEAST:
                put_at(tensor, place)
            else:
                external_data_helper.load_external_data_for_tensor(tensor, str(path.parent))
        for tensor in filter(external_data_helper.uses_external_data, _attributes(model)):
            external_data_helper.load_external_data_for_tensor(tensor, str(path.parent))
        if own:
            _stamp(path, OWN, stamps)
        for number, (offset, length) in own.items():
            put_at(model.graph.initializer[number], Place(OWN, offset, length))
    return Source(model, path, stamps)


def is_model(path: Path) -> bool:
    """Whether a file holds a model."""
    try:
        return bool(_parsed(path)[0].HasField("graph"))
    except (OSError, ValueError, DecodeError):
        return False


def _parsed(path: Path) -> tuple[ModelProto, Mapping[int, tuple[int, int]]]:
    """A file's model, and where the data is that was left there, by the number of the initializer."""
    other = serialization.registry.get_format_from_file_extension(path.suffix)
    if path.stat().st_size < CUT_FROM or other not in (None, "protobuf"):
        return onnx.load(path, load_external_data=False), {}
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        memoryview(data) as view,
    ):
        light, places = wire.cut(view, LEAST)
    return onnx.load_model_from_string(light), places


def _place(path: Path, tensor: TensorProto, stamps: dict[str, Stamp]) -> Place:
    """Where a tensor's external data is. Raises what onnx has against that."""
    info = external_data_helper.ExternalDataInfo(tensor)
    if info.location not in stamps:
        if info.location == OWN:
            raise ValueError(f"tensor {tensor.name!r} has external data, but no location of it")
        _stamp(path, info.location, stamps)
    size, offset = stamps[info.location].size, info.offset or 0
    length = size - offset if info.length is None else info.length
    if length < 0 or offset + length > size:
        raise ValueError(f"tensor {tensor.name!r} ends beyond its file {info.location}, which has {size:,} bytes")
    return Place(info.location, offset, length)


def _stamp(path: Path, location: str, stamps: dict[str, Stamp]) -> None:
    file = open_beside(path, location)
    try:
        stamps[location] = stamp_of(file)
    finally:
        os.close(file)


def _attributes(model: ModelProto) -> Iterator[TensorProto]:
    """The tensors that are attributes of nodes."""
    yield from external_data_helper._get_attribute_tensors(model)


def _check(path: Path, model: ModelProto, on_read: OnRead | None) -> None:
    """Tell the model's files. Raises UsageError if it is none."""
    if on_read is not None:
        with _readable(path):
            files = [path, *external_files(model, path.parent)]
        on_read(files)
    if not model.graph.node and not model.graph.output:
        raise UsageError(f"{path}: {how_to_export(path) or 'not an ONNX model (it has no graph)'}")


@contextmanager
def _readable(path: Path, kind: str = "ONNX model", told: str = "") -> Iterator[None]:
    """Raises UsageError for whatever a broken file brings about in its readers; ``told``: what to say of it instead."""
    try:
        yield
    except FileNotFoundError as error:
        raise UsageError(f"{error.filename or path}: no such file") from None
    except MemoryError:
        raise
    except Exception as error:
        raise UsageError(f"{path}: {told or f'not a readable {kind} ({error})'}") from None


def external_files(model: ModelProto, folder: Path) -> list[Path]:
    """The files beside a model in which it keeps weights, as far as there are such."""
    tensors = filter(external_data_helper.uses_external_data, external_data_helper._get_all_tensors(model))
    names = {entry.value for tensor in tensors for entry in tensor.external_data if entry.key == "location"}
    return [folder / name for name in sorted(names) if os.path.exists(folder / name)]


def check_file(path: Path) -> None:
    """Raises UsageError if there is no such file, or it is none: a pipe can be read once only, a device for ever."""
    try:
        found = path.stat()
    except OSError as error:
        text = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise UsageError(f"{path}: {text}") from None
    if not path.is_file():
        kind = "a directory" if path.is_dir() else "a device, a pipe or a socket: write it to a file first"
        raise UsageError(f"{path} is {kind}")
    if not found.st_size:
        raise UsageError(f"{path} is empty")


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file by name. Raises UsageError if it is none."""
    check_file(path)
    with _readable(path, ".npz file"), path.open("rb") as file:
        arrays = dict(np.load(file, allow_pickle=False).items())
    if not arrays:
        raise UsageError(f"{path}: there are no arrays in it")
    return arrays
