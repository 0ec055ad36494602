"""What a run reads: models with their weights beside them, and arrays."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, external_data_helper

from rewriter.errors import UsageError
from rewriter.steps import step

OnRead = Callable[[Sequence[Path]], None]  # is told the files of a model, before its weights are read


@step("read", limited=False)
def load(path: str | Path, on_read: OnRead | None = None) -> ModelProto:
    """Read a model with its external data. Raises UsageError if there is no readable ONNX model, and what ``on_read``
    raises."""
    path = Path(path)
    check_file(path)
    with _readable(path):
        model = onnx.load(path, load_external_data=False)
        files = [path, *external_files(model, path.parent)]
    if on_read is not None:
        on_read(files)
    with _readable(path), warnings.catch_warnings(action="ignore"):  # of entries that onnx does not know
        external_data_helper.load_external_data_for_model(model, str(path.parent))
    if not model.graph.node and not model.graph.output:
        raise UsageError(f"{path}: not an ONNX model (it has no graph)")
    return model


@contextmanager
def _readable(path: Path, kind: str = "ONNX model") -> Iterator[None]:
    """Raises UsageError for whatever a broken file brings about in its readers."""
    try:
        yield
    except FileNotFoundError as error:
        raise UsageError(f"{error.filename or path}: no such file") from None
    except MemoryError:
        raise
    except Exception as error:
        raise UsageError(f"{path}: not a readable {kind} ({error})") from None


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
