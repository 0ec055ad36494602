"""Work in child processes: one that dies or hangs costs its own job and no other."""

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Any

SPAWN: Any = get_context("spawn")  # a fork would share a device that the parent has opened
Work = Callable[[Any], Iterable[Any]]  # named in a module, so that a child finds it


@dataclass(frozen=True)
class Broken:
    """What became of a job instead of the rest of its results."""

    reason: str


def at_once(work: Work, jobs: Sequence[Any], processes: int, patience: float) -> Iterator[tuple[Any, Any]]:
    """As ``in_turn``, in several processes; results come in no order."""
    results: SimpleQueue[Any] = SimpleQueue()

    def side(mine: Sequence[Any]) -> None:
        try:
            for item in in_turn(work, mine, patience):
                results.put(item)
            results.put(None)
        except Exception as error:  # raised again where it is seen
            results.put(error)

    for i in range(processes):
        Thread(target=side, args=(jobs[i::processes],), daemon=True).start()
    for _ in range(processes):
        while (item := results.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item


def in_turn(work: Work, jobs: Sequence[Any], patience: float) -> Iterator[tuple[Any, Any]]:
    """Each job with each of its results as they come; the last one is ``Broken`` where it ended with its process.

    ``patience``: seconds without a result after which a child is taken to hang.
    """
    left = list(jobs)
    while left:
        here, there = SPAWN.Pipe(duplex=False)
        child = SPAWN.Process(target=_child, args=(work, left, there), daemon=True)
        child.start()
        there.close()  # so that the child's end is the only one, and its death an end of file
        hangs = False
        for is_last, result in _messages(here, patience):
            hangs = result is None and not is_last
            if is_last:
                left.pop(0)
            elif not hangs:
                yield left[0], result
        if hangs:
            child.kill()
        child.join()
        if left:
            yield left.pop(0), Broken(f"no result in {patience:.0f} s" if hangs else _end(child.exitcode))


def _messages(here: Connection, patience: float) -> Iterator[tuple[bool, Any]]:
    """What a child sends: ``(False, result)``, and ``(True, None)`` behind each job; ``(False, None)``: it hangs."""
    while True:
        if not here.poll(patience):
            yield False, None
            return
        try:
            yield here.recv()
        except EOFError:
            return


def _child(work: Work, jobs: Sequence[Any], there: Connection) -> None:
    for job in jobs:
        try:
            for result in work(job):
                there.send((False, result))
        except Exception as error:  # of this job: the others are none the worse
            there.send((False, Broken(f"{type(error).__name__}: {error}")))
        there.send((True, None))


def _end(code: int) -> str:
    return f"its process died ({signal.Signals(-code).name})" if code < 0 else f"its process ended with code {code}"
