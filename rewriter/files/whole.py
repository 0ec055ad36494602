"""Files that appear whole or not at all, whatever ends the run."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MARK = ".rewriter-tmp-"  # how the names of temporary folders begin: short, for names may have 255 bytes


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """A folder for files that are to appear whole in the place of ``path``, by ``os.replace``, or not at all.

    What killed runs have left there is removed. A run holds a lock on its folder, which ends with it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_left(path.parent)
    folder, lock = _locked_folder(path.parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        os.close(lock)


def write_whole(path: Path, text: str) -> None:
    """Write a text file in the place of ``path``."""
    with folder_beside(path) as folder:
        (folder / "text").write_text(text, encoding="utf-8")
        put(folder / "text", path)


def put(file: Path, path: Path) -> None:
    """Move a file to its place, where it is whole even after a loss of power: data first, then the name."""
    _to_disk(file)
    os.replace(file, path)
    with suppress(OSError):  # some file systems have no such call for folders
        _to_disk(path.parent)


def remove_left(folder: Path) -> None:
    """Remove the temporary folders of killed runs."""
    for left in folder.glob(f"{MARK}*"):
        _remove_if_left(left)


def _to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _locked_folder(parent: Path) -> tuple[Path, int]:
    """A new folder and the descriptor that holds its lock, where the file system has locks."""
    while True:
        folder = tempfile.mkdtemp(dir=parent, prefix=MARK)
        with suppress(FileNotFoundError):  # before the lock, another run may take it for one that was left
            lock = os.open(folder, os.O_RDONLY)
            with suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.isdir(folder):
                return Path(folder), lock
            os.close(lock)


def _remove_if_left(folder: Path) -> None:
    with suppress(OSError):  # it is in use, there are no locks here, or it is another user's: it stays
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        finally:
            os.close(lock)
