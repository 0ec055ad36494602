"""The process that waits for another: exit codes, signals, steps, and that none is left."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rewriter import child, steps
from rewriter.child import in_child
from rewriter.errors import Ended
from rewriter.files.whole import MARK
from tests.support.command import folder
from tests.support.program import is_gone, start, temporary

INTERRUPTED = 130
GIB = 2**30

# Signals, and the one that waits

READY = "Session._run = lambda *_: (print('ready', flush=True), time.sleep(99))"


@pytest.mark.parametrize(
    ("number", "send"), [(signal.SIGINT, os.killpg), (signal.SIGINT, os.kill), (signal.SIGTERM, os.kill)]
)
def test_interrupted_where_python_listens(path: Path, number: int, send: Callable[[int, int], None]) -> None:
    """By Ctrl-C, which both processes get, and by kill, which one gets."""
    with start(path, plant=READY) as running:
        assert running.stdout
        assert running.stdout.readline() == "ready\n"
        send(running.pid, number)
        assert running.stderr
        assert running.stderr.read() == "error: interrupted\n"
    assert running.returncode == INTERRUPTED
    assert is_gone(running.pid)
    assert folder(path) == {"net.onnx", "tmp"}


HANGS = "Session._run = lambda *_: (print('ready', flush=True), ctypes.PyDLL(None).pause())"  # it holds Python's lock


def test_interrupted_where_a_library_hangs(path: Path) -> None:
    with start(path, plant=f"import rewriter.child; rewriter.child.GRACE = 0.1; {HANGS}") as running:
        assert running.stdout
        running.stdout.readline()
        os.killpg(running.pid, signal.SIGINT)
        assert running.stderr
        assert running.stderr.read() == "error: interrupted\n"
    assert running.returncode == INTERRUPTED
    assert is_gone(running.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere an orphan ends with its step")
def test_a_child_ends_with_the_one_that_waits(path: Path) -> None:
    with start(path, plant=HANGS) as running:
        assert running.stdout
        running.stdout.readline()
        running.kill()
    assert is_gone(running.pid)
    assert {name for name in folder(path) if not name.startswith(MARK)} == {"net.onnx", "tmp"}
    with start(path) as again:
        assert again.wait() == 0
    assert folder(path) == {"net.onnx", "net.nhwc.onnx", "tmp"}  # what was left is gone


LEAVES = "Session._run = lambda *_: (tempfile.mkstemp(), subprocess.run('mktemp'), os.{})"


@pytest.mark.parametrize("ends", ["abort()", "kill(os.getpid(), 9)", "_exit(0)"])
def test_temporary_files_of_libraries_go_with_the_child(path: Path, ends: str) -> None:
    """Those too that nobody would remove, as AutoGraph's at the end of Python, which a child has none of."""
    with start(path, plant=f"import subprocess, tempfile; {LEAVES.format(ends)}") as running:
        running.wait()
    assert {file.name for file in temporary(path).iterdir()} <= {".ses"}  # of onnxruntime, which the parent has here


def test_an_orphan_begins_no_step() -> None:
    """In a child whose watch is of its grandparent."""
    watch = steps.Watch(0)
    forked = os.fork()
    if forked == 0:
        if os.fork() == 0:
            steps.watched_by(watch)
            os._exit(0)
        os._exit(os.WTERMSIG(os.wait()[1]))
    assert os.WEXITSTATUS(os.waitpid(forked, 0)[1]) == signal.SIGKILL


def run(work: Callable[[], int], seconds: float = 0) -> int:
    return in_child(work, "net.onnx", seconds, 0)


def test_the_exit_code_is_the_childs() -> None:
    assert run(lambda: 7) == 7
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_the_child_prints_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        print("out", flush=True)
        print("err", file=sys.stderr)
        os.write(2, b"from a library\n")
        return 0

    assert run(work) == 0
    assert capfd.readouterr() == ("out\n", "err\n")


def die() -> int:
    os.kill(os.getpid(), signal.SIGUSR1)
    return 0


def nested() -> int:
    with steps.step("one"), steps.step("two"):
        pass
    with steps.step("three"), steps.step("four"):
        return die()


def test_the_step_is_told() -> None:
    with pytest.raises(Ended, match=r"net.onnx: ended by SIGUSR1 in the step 'three: four'"):
        run(nested)


def interrupt_the_parent() -> None:
    """When it waits: earlier a signal may go to another thread of this test run, and be lost in what Python does after
    a fork. A command has one thread."""
    time.sleep(0.5)
    os.kill(os.getppid(), signal.SIGTERM)


def interrupt() -> int:
    """It does not listen, and so cannot say that it was interrupted."""
    interrupt_the_parent()
    time.sleep(99)
    return 0


@pytest.mark.parametrize(("work", "error"), [(die, Ended), (interrupt, KeyboardInterrupt)])
def test_a_terminal_gets_its_cursor_back(
    work: Callable[[], int],
    error: type[BaseException],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(error):
        run(work)
    assert capsys.readouterr().out == child.SHOW_CURSOR


def test_each_step_has_its_own_time() -> None:
    def left() -> float:
        return signal.getitimer(signal.ITIMER_REAL)[0]

    def work() -> int:
        begin = left()
        time.sleep(0.01)
        before = left()
        with steps.step("next"):
            has_more = begin > before < left()
        with steps.step("write", limited=False):
            return 0 if has_more and left() == 0 else 1

    assert run(work, 60) == 0


def test_interrupts_reach_the_child() -> None:
    def work() -> int:
        try:
            interrupt_the_parent()
            time.sleep(99)
        except KeyboardInterrupt:
            return 130
        return 0

    assert run(work) == 130


@pytest.mark.parametrize(("times", "grace"), [(1, 0.1), (2, 99)])
def test_a_child_that_does_not_listen_is_killed(times: int, grace: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, or at the second Ctrl-C."""
    monkeypatch.setattr(child, "GRACE", grace)

    def work() -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for _ in range(times):
            interrupt_the_parent()
        time.sleep(99)
        return 0

    with pytest.raises(KeyboardInterrupt):
        run(work)


def test_the_memory_of_the_machine() -> None:
    assert child.machine_memory() > GIB / 4
