"""A command in a process of its own: whatever becomes of that, the one that waits for it says so in a sentence.

An engine that aborts, hangs or takes all memory takes its process with it. The fork comes before anything heavy is
imported: it takes a millisecond, and there are no threads, sessions and devices yet, which would not survive it. So it
is for commands only: what calls ``rewrite`` or ``validate`` in its own process has such already.
"""

import ctypes
import gc
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO, NoReturn

from rewriter.errors import Ended
from rewriter.files.whole import folder_beside
from rewriter.steps import DONE, Watch, is_watched, watched_by
from rewriter.streams import Stream

INTERRUPTS = {signal.SIGINT, signal.SIGTERM}
PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
GRACE = 3.0  # seconds to end in, once interrupted
LAST_WORDS = 300  # letters of what libraries print before they end the process
SHOW_CURSOR = "\033[?25h\n"  # which a progress display hides
YOUNG = 100_000  # new objects after which the garbage collector looks at them; Python's 700 take a tenth of a short run


class Child:
    """A forked process that does ``run``; interrupts are blocked when this returns, until whoever waits is ready.

    ``seconds`` and ``memory``: of which one step and all data may take as much, as ``in_child`` says. Its
    temporary files have a folder that goes with it: frameworks remove theirs, if ever, where Python ends, which it does
    not.
    """

    def __init__(self, run: Callable[[], int], seconds: float, memory: int) -> None:
        sys.stdout.flush()
        self._left = ExitStack()
        self._words = self._left.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        folder = self._left.enter_context(folder_beside(Path(tempfile.gettempdir(), "any")))
        self.watch = Watch(seconds)
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
        self.number = os.fork()
        if self.number == 0:
            tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
            _work(run, self.watch, memory, self._words)

    def code(self, status: int, subject: str) -> int:
        """The exit code, by the status with which it ended. Raises Ended, if that was not by itself."""
        if self.watch.read() == DONE:
            return os.WEXITSTATUS(status)
        self._words.seek(0)
        last = self._words.read().decode(errors="replace")[-LAST_WORDS:]
        raise Ended(f"{subject}: {_cause(status, self.watch)}{last and f' ({last.strip()})'}")

    def close(self) -> None:
        """Let go of its last words, and of its temporary files."""
        self._left.close()


def in_child(run: Callable[[], int], subject: str, seconds: float, memory: int) -> int:
    """The exit code of ``run``, from a child process, in which one step may take ``seconds`` and all data ``memory``.

    Of both 0 is no limit; memory, in bytes, is what is private and writable (RLIMIT_DATA), mapped files included.
    What libraries print on stderr is not shown. SIGTERM interrupts as Ctrl-C does. Raises Ended, which tells the
    ``subject``, the step and the last of these words, if the child did not end by itself, and KeyboardInterrupt if it
    had to be killed after an interrupt.
    """
    with terminable(), closing(Child(run, seconds, memory)) as child:
        try:
            status = _wait(child.number, child.watch)
        finally:
            if child.watch.read() != DONE and sys.stdout.isatty():
                sys.stdout.write(SHOW_CURSOR)
        return child.code(status, subject)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM interrupts meanwhile, as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def imported() -> None:
    """All that a command needs is imported: in its own process the garbage collector need not look at that again."""
    if is_watched():
        gc.freeze()


def machine_memory() -> int:
    """Bytes of memory and swap of this machine."""
    pages: int = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            swap = next(int(line.split()[1]) for line in file if line.startswith("SwapTotal:"))
    except (OSError, StopIteration):
        swap = 0
    return pages + 1024 * swap


def _work(run: Callable[[], int], watch: Watch, memory: int, words: IO[bytes]) -> NoReturn:
    """What the child does: ``run``, and nothing of what the parent would do at its end."""
    code = 1
    try:
        if sys.platform == "linux":  # elsewhere an orphan ends with its step
            ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for both; the parent passes it on, once, as SIGTERM
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
        _limit(resource.RLIMIT_CORE, 0)
        if memory:
            _limit(resource.RLIMIT_DATA, memory)
        _part_from_libraries(words)
        watched_by(watch)
        gc.set_threshold(YOUNG)
        code = run()
        watch.note(DONE)
    finally:
        os._exit(code)


def _part_from_libraries(words: IO[bytes]) -> None:
    """``sys.stderr`` stays what it is, the file that libraries know by its number becomes ``words``."""
    old = sys.stderr
    new = open(os.dup(2), "w", buffering=1, encoding=old.encoding, errors=old.errors)  # noqa: SIM115
    sys.stderr = Stream(new)
    os.dup2(words.fileno(), 2)


def _limit(kind: int, most: int) -> None:
    soft, hard = resource.getrlimit(kind)
    known = [bound for bound in (soft, hard) if bound != resource.RLIM_INFINITY]
    resource.setrlimit(kind, (min([most, *known]), hard))


def _wait(child: int, watch: Watch) -> int:
    """The status with which the child ends. Raises KeyboardInterrupt if it cannot say so itself, once interrupted."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
        return os.waitpid(child, 0)[1]
    except KeyboardInterrupt:
        pass
    with suppress(ProcessLookupError, ChildProcessError):  # it ended at that moment
        os.kill(child, signal.SIGTERM)
        status = _wait_for_interrupted(child)
        if watch.read() == DONE:
            return status
    raise KeyboardInterrupt


def _wait_for_interrupted(child: int) -> int:
    """The status with which it ends; what does not listen is killed after a while, or when interrupted again."""
    try:
        end = time.monotonic() + GRACE
        while time.monotonic() < end:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
            time.sleep(0.02)
    except KeyboardInterrupt:
        pass
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _cause(status: int, watch: Watch) -> str:
    """Why a child ended, and what to do."""
    step, number = watch.read() or "start", os.WTERMSIG(status)
    if not os.WIFSIGNALED(status):
        return f"a library has ended the process in the step {step!r}"
    if number == signal.SIGALRM:
        return f"the step {step!r} took more than {watch.seconds:g} seconds; --timeout allows more"
    if number == signal.SIGKILL:
        return f"killed in the step {step!r}, as the system does when memory runs out"
    return f"ended by {signal.Signals(number).name} in the step {step!r}: a fault of the model, or of a library"
