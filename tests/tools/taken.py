"""What a whole process takes."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Taken(NamedTuple):
    """Seconds by the clock and of processors, its children's among them; MB of memory that were resident at once."""

    clock: float
    busy: float
    memory: float


def taken(arguments: Sequence[str], env: Mapping[str, str] | None = None) -> Taken:
    """One run: of Python, or of a program whose path is given. Raises RuntimeError if it fails."""
    command = [*arguments] if arguments[0].startswith("/") else [sys.executable, *arguments]
    os.sync()  # what was written before is not written meanwhile
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    begin = time.perf_counter()
    process = os.posix_spawn(
        command[0], command, {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}, file_actions=quiet
    )
    _, status, usage = os.wait4(process, 0)
    clock = time.perf_counter() - begin
    if status:
        raise RuntimeError(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return Taken(clock, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)
