"""Models in children of their own: one that dies is one that failed, and an interrupt ends all."""

import json
import os
import signal
from pathlib import Path

import pytest

from rewriter.files.whole import MARK
from tests.many.conftest import names
from tests.support.command import image_net
from tests.support.program import is_gone, start

INTERNAL, INTERRUPTED = 4, 130

PLANT = """
from rewriter.conversion import Conversion
from rewriter.steps import step
rewrite = Conversion._rewritten
def dying(self):
    with step("planted"):
        {deaths}.get(self.args.model.stem, lambda: None)()
    return rewrite(self)
Conversion._rewritten = dying
"""
DEATHS = """{
    "abort": lambda: os.write(2, b"last words") and os.abort(), "exit": lambda: os._exit(0),
    "greedy": lambda: bytearray(2**31), "hang": lambda: ctypes.PyDLL(None).pause(),
    "killed": lambda: os.kill(os.getpid(), 9)
}"""
SAID = {
    "abort": "ended by SIGABRT in the step 'planted': a fault of the model, or of a library (last words)",
    "exit": "a library has ended the process in the step 'planted'",
    "greedy": "out of memory (of this machine, or what --memory allows)",
    "hang": "the step 'planted' took more than 3 seconds; --timeout allows more",
    "killed": "killed in the step 'planted', as the system does when memory runs out",
}

NAMES = [*SAID, "sound", "sound_too"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder of models, some of which die."""
    (tmp_path / "models").mkdir()
    for name in NAMES:
        (tmp_path / "models" / f"{name}.onnx").write_bytes(image_net().SerializeToString())
    return tmp_path / "models"


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_a_death_is_of_one(path: Path, jobs: str) -> None:
    limits = ("--memory", "1", "--timeout", "3", "--jobs", jobs)
    with start(path, *limits, "--json", "-", plant=PLANT.format(deaths=DEATHS)) as running:
        out, err = running.communicate()
    assert running.returncode == INTERNAL
    assert is_gone(running.pid)
    records = {Path(one["model"]).stem: one for one in json.loads(out)["models"]}
    assert [*records] == NAMES
    for name, record in records.items():
        assert (record["code"], record["written"]) == ((INTERNAL, False) if name in SAID else (0, True))
        assert SAID.get(name, "") in record["error"]
    told = (records[name] for name in SAID)
    whose = (f"{one['model']}: " * (one["model"] not in one["error"]) + one["error"] for one in told)
    assert err == "".join(f"error: {sentence}\n" for sentence in whose)
    assert {*names(path)} == {*(f"{name}.onnx" for name in NAMES), "sound.nhwc.onnx", "sound_too.nhwc.onnx"}
    assert not [*(path.parent / "tmp").glob(f"{MARK}*")]


# Once the parent waits: earlier a signal may go to onnxruntime's thread, which the parent of this test has (a command's
# has not), and be lost in what Python does after a fork.
READY = "(time.sleep(0.5), print('ready', flush=True), time.sleep(99))"
DEAF = "(time.sleep(0.5), print('ready', flush=True), ctypes.PyDLL(None).pause())"


@pytest.mark.parametrize("send", [os.killpg, os.kill])
@pytest.mark.parametrize("waits", [READY, DEAF])
def test_an_interrupt_ends_all(path: Path, send: object, waits: str) -> None:
    """Those that listen, and those that do not."""
    grace = "import rewriter.many.children; rewriter.many.children.GRACE = 0.5\n"
    plant = grace + PLANT.format(deaths=f"{{'abort': lambda: {waits}, 'exit': lambda: {waits}}}")
    before = names(path)
    with start(path, "--jobs", "2", plant=plant) as running:
        assert running.stdout
        assert [running.stdout.readline(), running.stdout.readline()] == ["ready\n"] * 2
        assert callable(send)
        send(running.pid, signal.SIGINT)
        assert running.stderr
        assert running.stderr.read() == "error: interrupted\n"
    assert running.returncode == INTERRUPTED
    assert is_gone(running.pid)
    assert names(path) == before


def test_all_end_with_the_one_that_waits(path: Path) -> None:
    plant = PLANT.format(deaths=f"{{'abort': lambda: {DEAF}, 'exit': lambda: {DEAF}}}")
    with start(path, "--jobs", "2", plant=plant) as running:
        assert running.stdout
        assert [running.stdout.readline(), running.stdout.readline()] == ["ready\n"] * 2
        running.kill()
    assert is_gone(running.pid)
