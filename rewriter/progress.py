"""The step that a run is busy with, on a terminal, once the run takes more than a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PATIENCE = 1.0  # seconds


def _silence(doing: str) -> None:
    """Nobody watches."""


_listener: ContextVar[Callable[[str], None]] = ContextVar("listener", default=_silence)


def tell(doing: str) -> None:
    """Say what is being done from now on."""
    _listener.get()(doing)


@contextmanager
def shown(console: Console) -> Iterator[None]:
    """What is told meanwhile is shown below what was printed, with the time it takes, and leaves no trace.

    Nothing may be printed meanwhile. Silent where the console is no terminal, or quiet.
    """
    if not console.is_terminal or console.quiet:
        yield
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # only where it is seen

    bar = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True
    )
    task = bar.add_task("", total=None)
    timer = threading.Timer(PATIENCE, bar.start)
    timer.daemon = True
    token = _listener.set(lambda doing: bar.update(task, description=doing.replace("_", " ").replace("[", "\\[")))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
        _listener.reset(token)
