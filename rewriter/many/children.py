"""Several pieces of work, each in a child process, some at a time: what becomes of one is of no consequence to others.

The children are forked from a process that has one thread (OpenBLAS ends its own at a fork) and has imported what they
need but onnxruntime, whose thread would not survive.
"""

import os
import pickle
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rewriter.child import GRACE, INTERRUPTS, Child, terminable
from rewriter.errors import Ended

TICK = 0.2  # seconds
PIECE = 65536  # bytes


@dataclass(frozen=True)
class Job:
    """A piece of work, which answers with small data that can be pickled, and what it is about, for sentences."""

    work: Callable[[], Any]
    subject: str


@dataclass(frozen=True)
class Limits:
    """How many ``jobs`` at a time; for each of them ``seconds`` and ``memory`` as of ``in_child``."""

    jobs: int
    seconds: float
    memory: int


@dataclass(frozen=True)
class _Running:
    index: int
    job: Job
    child: Child
    begin: float
    said: bytearray  # what came through its pipe


def in_children(
    jobs: Sequence[Job], limits: Limits, done: Callable[[int, Any, float], None], tick: Callable[[], None]
) -> None:
    """Do all; ``done`` is told the index of each, its answer or the Ended that it came to, and its seconds.

    ``tick`` is called a few times a second. Whatever this raises, KeyboardInterrupt for one, no child is left.
    """
    waiting = [*enumerate(jobs)][::-1]
    with terminable(), selectors.DefaultSelector() as pipes:
        try:
            while waiting or pipes.get_map():
                while waiting and len(pipes.get_map()) < limits.jobs:
                    _start(pipes, *waiting.pop(), limits)
                for key, _ in pipes.select(TICK):
                    if piece := os.read(key.fd, PIECE):
                        key.data.said.extend(piece)
                    else:
                        done(*_finish(pipes, key))
                tick()
        finally:
            _end([key.data.child for key in pipes.get_map().values()])


def _start(pipes: selectors.BaseSelector, index: int, job: Job, limits: Limits) -> None:
    """Fork; the pipe ends with the child. An interrupt waits until the child is known."""
    source, sink = os.pipe()

    def run() -> int:
        with open(sink, "wb") as answer:
            pickle.dump(job.work(), answer)
        return 0

    child = Child(run, limits.seconds, limits.memory)
    os.close(sink)
    pipes.register(source, selectors.EVENT_READ, _Running(index, job, child, time.perf_counter(), bytearray()))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)


def _finish(pipes: selectors.BaseSelector, key: selectors.SelectorKey) -> tuple[int, Any, float]:
    running: _Running = key.data
    _, status = os.waitpid(running.child.number, 0)
    pipes.unregister(key.fd)
    os.close(key.fd)
    seconds = time.perf_counter() - running.begin
    try:
        running.child.code(status, running.job.subject)
        return running.index, pickle.loads(running.said), seconds
    except Ended as error:
        return running.index, error, seconds
    finally:
        running.child.close()


def _end(children: Sequence[Child]) -> None:
    """Interrupt them; those that do not listen are killed after a while, or when interrupted again."""
    left = {child.number for child in children if _send(child.number, signal.SIGTERM)}
    end = time.monotonic() + GRACE
    with suppress(KeyboardInterrupt):
        while left and time.monotonic() < end:
            left -= {*filter(_is_over, left)}
            time.sleep(0.02)
    for number in left:
        if _send(number, signal.SIGKILL):
            os.waitpid(number, 0)
    for child in children:
        child.close()


def _send(number: int, what: signal.Signals) -> bool:
    """Whether there is such a child still."""
    with suppress(ProcessLookupError):
        os.kill(number, what)
        return True
    return False


def _is_over(number: int) -> bool:
    try:
        return os.waitpid(number, os.WNOHANG)[0] != 0
    except ChildProcessError:  # it was waited for when the interrupt came
        return True
