"""A runtime is asked, in a process of its environment: it may die, hang or say much, and costs its own answer only."""

import json
import os
import re
import resource
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.graphs import ROOT

PATIENCE = 600  # seconds of processor time for one process: it may be stopped while something is timed
ASLEEP = 3600.0  # seconds in which one that only waits must end
LONGEST = 170  # letters of what is said
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "OPENCV_LOG_LEVEL": "SILENT",
    "OMP_NUM_THREADS": "1",
}
NOISE = (
    r"\[?/?\S*\.(cpp|cc|cu|h|hpp|py|mlir|js):\d+(:\d+)?:?",  # where in its sources a library stands
    r"Exception from\s+|Check '.*?' failed at\s+|\[ONNXRuntimeError\]",
    r'Node \[\S+\]:\(\S+\) parse error:|"onnx_node!\S+"|\s>\s*$|: %\d+ = .*',  # names of nodes
    r"OpenCV\(\S+\)|(error: )?\(-\d+:[^)]*\)|in function '[^']*'",
)


class Unable(Exception):
    """Why something has no figure: one sentence."""


class Case(NamedTuple):
    """A file with its input and the place of its output (.npy)."""

    file: Path
    given: Path
    found: Path


@dataclass(frozen=True)
class Runtime:
    """A runtime: its environment below the root, and which files of a net it reads, the first being that it is compared
    with. ``processes`` in which a net races: where memory lands alone makes a file up to 4 % slower than itself."""

    name: str
    environment: str
    reads: tuple[str, ...]
    processes: int = 2

    @property
    def python(self) -> Path:
        """The interpreter of its environment; Node.js is driven by that of the tool."""
        found = ROOT / self.environment / "bin/python"
        return found if found.exists() else ROOT / ".venv/bin/python"

    @property
    def is_installed(self) -> bool:
        return (ROOT / self.environment / "ready").exists()


ONNX = ("original", "onnx", "function")
RUNTIMES = (
    Runtime("onnxruntime", ".venv", ONNX),
    Runtime("openvino", ".venv-openvino", (*ONNX, "tflite")),
    Runtime("litert", ".venv-interop", ("onnx2tf", "tflite", "litert-torch"), 6),
    Runtime("tensorflow", ".venv-interop", ("onnx2tf-saved", "saved")),
    Runtime("opencv", ".venv-elsewhere-opencv", (*ONNX, "tflite")),
    Runtime("ncnn", ".venv-elsewhere-ncnn", ONNX),
    Runtime("iree", ".venv-elsewhere-iree", ONNX, 1),
    Runtime("web", ".venv-elsewhere-web", ONNX),
)


def ask(runtime: Runtime, cases: Sequence[Case], seconds: float) -> Mapping[str, Any]:
    """What ``child`` answers. Raises Unable."""
    command = [runtime.python, "-m", "tests.tools.elsewhere.child", runtime.name, str(seconds)]
    output = called([*command, *(path for case in cases for path in case)], runtime.environment, is_timed=seconds > 0)
    said: dict[str, Any] = json.loads(output.splitlines()[-1])
    if "error" in said:
        raise Unable(sentence(said["error"]))
    return said


def called(command: Sequence[Any], environment: str = "", folder: Path = ROOT, is_timed: bool = False) -> str:
    """What a command prints. Raises Unable where it fails."""
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ["PATH"]])  # tools call their own tools
    env = {**os.environ, **QUIET, "PATH": path, "PYTHONPATH": str(ROOT), "ELSEWHERE": str(ROOT / environment)}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=ASLEEP,
            preexec_fn=None if is_timed else limited,
            check=False,
        )
    except FileNotFoundError as error:
        raise Unable(f"{Path(*Path(command[0]).parts[-3:])} is not installed here.") from error
    except subprocess.TimeoutExpired as error:
        raise Unable(f"nothing in {ASLEEP:.0f} s") from error
    if done.returncode == -signal.SIGXCPU:
        raise Unable(f"nothing in {PATIENCE} s of processor time")
    if done.returncode < 0:
        raise Unable(f"its process dies ({signal.Signals(-done.returncode).name})")
    if done.returncode:
        lines = f"{done.stdout}\n{done.stderr}".strip().splitlines()
        raise Unable(sentence([*lines[-1:], *(line for line in lines if "error" in line.lower())][-1]))
    return done.stdout


def limited() -> None:
    """This process, and each that it starts, dies of SIGXCPU after PATIENCE.

    Not where it is timed: of a process that is limited Linux counts the time in ticks (of 4 ms here).
    """
    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE + 5))


def sentence(text: str) -> str:
    """The first thing said, on one line, without places of this machine or of the library's sources."""
    for noise in NOISE:
        text = re.sub(noise, " ", text)
    text = " ".join(re.sub(r"(/[\w.+-]+){2,}/", "", text).replace("|", "/").split()).lstrip("-:> ")
    first = re.split(r"(?<=[a-z)\]'\"])\. ", text)[0]
    return first if len(first) <= LONGEST else f"{first[:LONGEST]} …"
