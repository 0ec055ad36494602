"""What a run may write: nothing that it reads, no other model's weights, no device, nothing that cannot be written."""

import argparse
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import combinations
from pathlib import Path

from rewriter.errors import UsageError
from rewriter.files.weights_files import user_of

PAGE = b"<!doctype html>"  # how a report begins that is a page
Identity = tuple[int, int]  # device and inode: the same for all names and links of a file


def output_of(args: argparse.Namespace) -> Path:
    """Where the result of a run goes."""
    path: Path = args.output or result_path(args.model, args.to)
    return path


def result_path(model: Path, to: str) -> Path:
    """Where the result of a model goes, if nothing else is said."""
    return beside(model, f".{to}.onnx")


def beside(model: Path, ending: str) -> Path:
    """The model's stem (of a folder: its name) with another ending, in the folder that the model is in."""
    place = model if model.name.strip(".") else model.resolve()
    return place.parent / f"{place.name if os.path.isdir(place) else place.stem}{ending}"


def check_outputs(outputs: Mapping[str, Path]) -> None:
    """Raises UsageError if one of the files, by the options that name them, must not or cannot be written."""
    for option, path in outputs.items():
        try:
            _check_place(option, path)
        except OSError as error:
            raise UsageError(f"{option} {path} cannot be written ({error.strerror})") from None
    for (option, path), (other, again) in combinations(outputs.items(), 2):
        if os.path.realpath(path) == os.path.realpath(again) or (identity(path) or 1) == identity(again):
            raise UsageError(f"{option} {path} and {other} are one file; give another path")


def check_folder(option: str, folder: Path) -> None:
    """Raises UsageError if a folder, which an option names, cannot be made, or has files already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{option} {folder} is there already; give a new folder")
    check_outputs({option: folder / "file"})


def refuse_read(outputs: Mapping[str, Path], read: Iterable[Path]) -> None:
    """Raises UsageError if one of the files that are written is one of those that are read, under any name."""
    known = {identity(path) for path in read} - {None}
    for option, path in outputs.items():
        if identity(path) in known:
            raise UsageError(f"{option} {path} is the input, or a part of it; give another path")


def identity(path: Path) -> Identity | None:
    """Which file a path leads to, ``None`` if to none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _check_place(option: str, path: Path) -> None:
    """Raises UsageError or OSError."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise UsageError(f"{option} {path} is a directory; give the path of a file")
    if not stat.S_ISREG(mode):
        raise UsageError(
            f"{option} {path} is a device, a pipe or a socket, which no file may replace; give another path"
        )
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    for name in path.absolute().relative_to(folder).parts:
        with suppress(FileNotFoundError):  # other errors say that there can be no such file
            (folder / name).stat()
    with tempfile.TemporaryFile(dir=folder):  # the only sure way to know that files can be written there
        pass
    if path.exists() and not _is_complete(path) and (user := user_of(path)):
        raise UsageError(f"{option} {path} holds weights of {user}; give another path")


def _is_complete(path: Path) -> bool:
    """Whether a file is a model or a report, and so not another model's weights."""
    from rewriter.files.reader import is_model  # where it is needed: other faults are told without onnx

    with path.open("rb") as file:
        first = file.read(len(PAGE))
    if first == PAGE:
        return True
    try:
        if first[:1] == b"{":
            return bool(json.loads(path.read_bytes()))
        return first[:1] == b"\x08" and is_model(path)
    except (ValueError, RecursionError):
        return False
