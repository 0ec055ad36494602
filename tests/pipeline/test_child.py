"""A command whose process ends in an engine: one sentence, exit code 4, nothing written, no process left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from rewriter import child, steps
from rewriter.child import in_child
from rewriter.errors import Ended
from rewriter.files.whole import MARK
from tests.support.broken_data import bombs
from tests.support.broken_nodes import net
from tests.support.command import IMAGE, NOT_VALIDATED, USAGE, folder
from tests.support.graphs import ROOT, conv, ints, model, node, random

INTERNAL, INTERRUPTED = 4, 130
GIB = 2**30

PROGRAM = """
import ctypes, os, signal, sys, time
import onnx, onnxruntime
import rewriter.files.writer, rewriter.pipeline
from rewriter.cli import main
from rewriter.validation.session import Session
{plant}
sys.exit(main())
"""


def temporary(path: Path) -> Path:
    """The folder for temporary files beside a model."""
    made = path.with_name("tmp")
    made.mkdir(exist_ok=True)
    return made


def start(path: Path, *more: str, plant: str = "") -> subprocess.Popen[str]:
    """The command, with something planted in its process, as a session of its own."""
    argv = [str(path), "--to", "nhwc", "--providers", "cpu", "--runs", "1", "-q", *more]
    env = {**os.environ, "TMPDIR": str(temporary(path)), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(plant=plant), *argv],
        cwd=ROOT, env=env, start_new_session=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def end(path: Path, *more: str, plant: str = "") -> tuple[int, str]:
    """Exit code and stderr of a command that writes nothing and leaves no process."""
    running = start(path, *more, plant=plant)
    _, said = running.communicate()
    assert is_gone(running.pid)
    assert folder(path) == {"net.onnx", "tmp"}
    assert not [*temporary(path).glob(f"{MARK}*")]
    return running.returncode, said


def is_gone(session: int) -> bool:
    """Whether no process of a session is left; the kernel may take a moment for the last one."""
    for _ in range(500):
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


INFER = "onnx.shape_inference.infer_shapes = lambda *_, **__: "
DEATHS = [
    (INFER + "os.abort()", (), "ended by SIGABRT in the step 'read/infer_shapes': a fault of the model"),
    (INFER + "ctypes.string_at(8)", (), "ended by SIGSEGV in the step 'read/infer_shapes'"),
    (INFER + "os._exit(0)", (), "a library has ended the process in the step 'read/infer_shapes'"),
    (INFER + "os.kill(os.getpid(), 9)", (), "killed in the step 'read/infer_shapes', as the system does"),
    (INFER + "os.write(2, b'last words') and os.abort()", (), "a library (last words)"),
    (INFER + "[*iter(int, 1)]", ("--timeout", "1"), "'read/infer_shapes' took more than 1 seconds; --timeout"),
    (INFER + "bytearray(2**31)", ("--memory", "1"), "out of memory (of this machine, or what --memory allows)"),
    ("Session._run = lambda *_: os.abort()", (), "step 'validate: the original on cpu: onnxruntime runs a model'"),
    ("os.replace = lambda *_: os.abort()", (), "in the step 'write'"),
    ("rewriter.files.writer.TWO_GIB = 0; Session._run = lambda *_: os.abort()", (), "the original on cpu"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "more", "message"), DEATHS, ids=range(len(DEATHS)))
def test_an_engine_that_ends_the_process(path: Path, plant: str, more: tuple[str, ...], message: str) -> None:
    """Its temporary folders, beside the output and for models over 2 GiB, are cleared away, too."""
    code, said = end(path, *more, plant=plant)
    assert code == INTERNAL
    assert said.count("\n") == 1
    assert said.startswith("error: ")
    assert message in said


# Models that nothing is planted in


def behind(*nodes: onnx.NodeProto, **constants: object) -> ModelProto:
    """Nodes behind a Conv; what they make is y."""
    held = {name: np.asarray(value) for name, value in constants.items()}
    return model([conv("x", "c"), *nodes], {"x": IMAGE}, {"y": None}, {"w": random(3, 3, 3, 3), **held})


def endless() -> ModelProto:
    """A Loop of 2^62 turns."""
    ends = [helper.make_tensor_value_info(*known) for known in
            (("i", TensorProto.INT64, []), ("go", TensorProto.BOOL, []), ("s", 1, IMAGE),
             ("on", TensorProto.BOOL, []), ("t", 1, IMAGE))]  # fmt: skip
    nodes = [helper.make_node("Relu", ["s"], ["t"]), helper.make_node("Identity", ["go"], ["on"])]
    loop = node("Loop", ["n", "yes", "c"], ["y"], body=helper.make_graph(nodes, "body", ends[:3], ends[3:]))
    return behind(loop, n=np.int64(2**62), yes=np.bool_(True))


def bomb() -> ModelProto:
    """24 functions, each of which calls the next one twice."""
    made = net()
    bombs(24)(made)
    return made


@pytest.mark.parametrize(
    ("make", "plant", "message"),
    [
        (endless, "", "'validate: the original on cpu: onnxruntime runs a model' took more than 2 seconds"),
        (bomb, "rewriter.pipeline.refuse_broken = lambda _: None", "took more than 2 seconds"),
    ],
)
def test_a_model_without_end(tmp_path: Path, make: Callable[[], ModelProto], plant: str, message: str) -> None:
    """One is refused before it hangs, but for others like it that nobody has thought of."""
    onnx.save(make(), tmp_path / "net.onnx")
    code, said = end(tmp_path / "net.onnx", "--timeout", "2", plant=plant)
    assert code == INTERNAL
    assert said.count("\n") == 1
    assert message in said


SKY = [
    lambda n: behind(node("ConstantOfShape", ["n"], ["k"]), node("Add", ["c", "k"], ["y"]), n=ints(1, 1, n, 1)),
    lambda n: behind(node("ReduceMax", ["c"], ["m"], keepdims=0), node("Expand", ["m", "n"], ["y"]), n=ints(n)),
    lambda n: behind(node("Tile", ["c", "n"], ["y"]), n=ints(1, 1, 1, n)),
    lambda n: behind(node("Resize", ["c", "", "s"], ["y"], mode="nearest"), s=np.array([1, 1, n, 1], np.float32)),
    lambda n: behind(node("Pad", ["c", "n"], ["y"]), n=ints(0, 0, 0, 0, 0, 0, 0, n)),
]


@pytest.mark.parametrize("size", [2**32, 2**40, 2**62])
@pytest.mark.parametrize("make", SKY)
def test_an_allocation_of_the_sky(tmp_path: Path, make: Callable[[int], ModelProto], size: int) -> None:
    onnx.save(make(size), tmp_path / "net.onnx")
    code, said = end(tmp_path / "net.onnx", "--memory", "2")
    assert code in (USAGE, NOT_VALIDATED, INTERNAL)
    assert said.count("\n") == 1
    assert said.startswith("error: ")


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
    assert folder(path) == {"net.onnx", "tmp"}


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


def test_a_terminal_gets_its_cursor_back(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(Ended):
        run(die)
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
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(99)
        except KeyboardInterrupt:
            return 130
        return 0

    assert run(work) == 130


def test_a_child_that_cannot_say_that_it_was_interrupted() -> None:
    def work() -> int:
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(99)
        return 0

    with pytest.raises(KeyboardInterrupt):
        run(work)


@pytest.mark.parametrize(("times", "grace"), [(1, 0.1), (2, 99)])
def test_a_child_that_does_not_listen_is_killed(times: int, grace: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, or at the second Ctrl-C."""
    monkeypatch.setattr(child, "GRACE", grace)

    def work() -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for _ in range(times):
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(0.1)
        time.sleep(99)
        return 0

    with pytest.raises(KeyboardInterrupt):
        run(work)


def test_the_memory_of_the_machine() -> None:
    assert child.machine_memory() > GIB / 4
