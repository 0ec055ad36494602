"""The command as a user starts it, forked from a process that has imported everything: some 20 ms instead of a second.

The command forks its own child (rewriter/child.py), so that aborts, hangs and greed are the command's to tell of.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

DEAD = -1  # an exit code of none
HUNG = -2


@dataclass(frozen=True)
class Ran:
    """What became of a command."""

    code: int
    out: str
    err: str
    seconds: float


def run_forked(main: Callable[[], int], argv: Sequence[str], folder: Path, seconds: float) -> Ran:
    """The command ``main`` with these arguments, in a folder of its own for temporary files; killed after a while."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            _become(main, argv, folder, out.fileno(), err.fileno())
        code = _wait(child, begin + seconds)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return Ran(code, texts[0], texts[1], time.monotonic() - begin)


def _become(main: Callable[[], int], argv: Sequence[str], folder: Path, out: int, err: int) -> NoReturn:
    code = DEAD & 0xFF
    try:
        os.setsid()
        for number, file in ((1, out), (2, err)):
            os.dup2(file, number)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
        sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]
        tempfile.tempdir = str(folder)
        sys.argv = ["rewriter", *argv]
        code = main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    finally:
        if raised := sys.exception():
            sys.excepthook(type(raised), raised, raised.__traceback__)
        sys.stdout.flush()
        os._exit(code)


def _wait(child: int, end: float) -> int:
    """The exit code; of a command that has ended, no process is left."""
    pause = 0.001
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else DEAD
        time.sleep(pause)
        pause = min(2 * pause, 0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return HUNG
