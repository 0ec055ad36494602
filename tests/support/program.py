"""The command line as a program of its own, with something planted in its process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rewriter.files.whole import MARK
from tests.support.command import folder
from tests.support.graphs import ROOT

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
        preexec_fn=listen,
    )  # fmt: skip


def listen() -> None:
    """Ctrl-C ends this process, even where whoever started the tests ignores it, as a shell in the background does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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
