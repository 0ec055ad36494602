"""A command tried on something hostile: what may become of it, and what is a find."""

import hashlib
import os
import pickle
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.forked import DEAD, HUNG, Ran

SECONDS = 60  # for a whole command
MEMORY = 4  # GiB
LIMITS = ("--timeout", "40", "--memory", str(MEMORY))
CODES = (0, 1, 2, 3, 4)
State = Mapping[str, tuple[int, str]]


@dataclass(frozen=True)
class Verdict:
    """What became of a trial: its exit code, what is wrong, what is to be looked at, and the seconds it took."""

    seed: int
    code: int
    wrong: str | None
    look: str | None
    seconds: float
    compared: bool = False


def state(folder: Path) -> State:
    """All that lies in a folder: kind and content, by path."""
    return {str(path.relative_to(folder)): _state(path) for path in sorted(folder.rglob("*"))}


def _state(path: Path) -> tuple[int, str]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return mode, os.readlink(path)
    return mode, hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(mode) else ""


@contextmanager
def place(keep: Path | None) -> Iterator[Path]:
    """A folder for a trial."""
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep
        return
    folder = Path(tempfile.mkdtemp(prefix="trial-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def tried(
    seed: int,
    run: Callable[[Path, float], Ran],
    folder: Path,
    may_write: Callable[[int, str], bool],
    sentences: int = 1,
) -> Verdict:
    """Run a command, which may write what ``may_write`` says of an exit code and a name in the folder, and no more.

    ``run`` gets a folder for temporary files, in which nothing may be left, and the most seconds it may take;
    ``sentences``: the most that it may say of errors, one of each model.
    """
    scratch = Path(tempfile.mkdtemp(prefix="trial-tmp-"))
    before = state(folder)
    try:
        ran = run(scratch, SECONDS)
        left = [*state(scratch)]
    finally:
        shutil.rmtree(scratch)
    after = state(folder)
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    wrong = fault_of(ran, sentences)
    if not all(may_write(ran.code, name) for name in changed):
        wrong = f"exit code {ran.code}, but changed: {changed}"
    elif left:
        wrong = f"left in the folder for temporary files: {left}"
    return Verdict(seed, ran.code, wrong, to_look_at(ran), ran.seconds)


def fault_of(ran: Ran, sentences: int = 1) -> str | None:
    """What no command may do."""
    if ran.code == HUNG:
        return f"no end after {SECONDS} s"
    if ran.code == DEAD:
        return f"death {ran.err[-300:]}"
    if "Traceback" in ran.err + ran.out:
        return f"traceback {ran.err[-600:]}"
    if ran.code not in CODES:
        return f"exit code {ran.code}: {ran.err[-300:]}"
    if ran.code == 0:
        return f"exit code 0, but said: {ran.err[-300:]}" if ran.err else None
    if ran.err.startswith("usage: "):
        return None if ran.code == 2 else "usage with another exit code than 2"
    lines = ran.err.splitlines()
    if not 1 <= len(lines) <= sentences or not all(line.startswith("error: ") for line in lines):
        return f"not one sentence: {ran.err[-600:]!r}"
    return f"internal error: {ran.err[:400]}" if "internal error" in ran.err else None


def to_look_at(ran: Ran) -> str | None:
    """What is allowed, but should not be: a result that is refused, a process that was ended."""
    return ran.err.strip()[:400] if ran.code in (1, 4) else None


def in_fork(ask: Callable[[], str | None]) -> str | None:
    """What a function answers in a process of its own: its error, or its death, is an answer, too."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with open(write, "wb") as file:
            try:
                pickle.dump(ask(), file)
            except BaseException as error:  # whatever it is, it is told
                pickle.dump(f"{type(error).__name__}: {error}"[:400], file)
        os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    answer: str | None = pickle.loads(data) if data else "the independent check died"
    return answer
