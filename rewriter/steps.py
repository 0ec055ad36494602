"""What a run is busy with: noted for the process that waits for it, and limited in time."""

import mmap
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rewriter.progress import tell

NOTE_BYTES = 1024
DONE = "done"


class Watch:
    """A note in memory that a process shares with its child, and the child's alarm.

    ``seconds``: what one step may take, 0: any time. Only the kernel can end what hangs in a library, so that it does:
    by SIGALRM.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.owner = seconds, os.getpid()
        self._page = mmap.mmap(-1, NOTE_BYTES)

    def note(self, text: str, *, limited: bool = True) -> None:
        """A new step of the child, which ends here if nobody waits for it any more."""
        if os.getppid() != self.owner:
            os.kill(os.getpid(), signal.SIGKILL)
        self._page[:] = text.encode(errors="replace")[:NOTE_BYTES].ljust(NOTE_BYTES, b"\0")
        signal.setitimer(signal.ITIMER_REAL, self.seconds if limited else 0)

    def read(self) -> str:
        """The step that was noted last."""
        return self._page[:].rstrip(b"\0").decode(errors="ignore")


_watch: Watch | None = None
_step: ContextVar[str] = ContextVar("step", default="")  # with those around it


def watched_by(watch: Watch) -> None:
    """From now on this process, a child of the one that made it, notes its steps there."""
    global _watch
    _watch = watch
    watch.note("")


def is_watched() -> bool:
    """Whether this process is such a child."""
    return _watch is not None


@contextmanager
def step(text: str, *, limited: bool = True) -> Iterator[None]:
    """What is done meanwhile, as part of the step around it, for whoever watches.

    ``limited``: in time, as all is but what takes as long as the disk does.
    """
    around = _step.get()
    token = _step.set(f"{around}: {text}" if around else text)
    _say(limited)
    try:
        yield
    finally:
        _step.reset(token)
        _say()


def _say(limited: bool = True) -> None:
    tell(_step.get())
    if _watch is not None:
        _watch.note(_step.get(), limited=limited)
