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
    for left in path.parent.glob(f"{MARK}*"):
        _remove_if_left(left)
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
        os.replace(folder / "text", path)


def _locked_folder(parent: Path) -> tuple[Path, int]:
    """A new folder and the descriptor that holds its lock, where the file system has locks."""
    while True:
        folder = tempfile.mkdtemp(dir=parent, prefix=MARK)
        lock = os.open(folder, os.O_RDONLY)
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(folder):
            return Path(folder), lock
        os.close(lock)  # another run took it for one that was left, before the lock


def _remove_if_left(folder: Path) -> None:
    with suppress(OSError):  # it is in use, there are no locks here, or it is another user's: it stays
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        finally:
            os.close(lock)
