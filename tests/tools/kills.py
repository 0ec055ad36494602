"""Runs killed at random moments: ``python -m tests.tools.kills [200 [first seed]]``.

Real processes, killed with all that they have started, most of them while they write: weights inside the model's file
or outside of it, in the place of an older output or where there is none. Whenever it is, there is the old output or
the new
one, whole; the original is as it was; after the next run nothing else is left.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path
from random import Random

import numpy as np
import onnx

from rewriter.cli import main as command
from rewriter.files import writer
from rewriter.files.reader import load
from rewriter.files.whole import MARK
from tests.support.forked import run_forked
from tests.support.graphs import conv, model
from tests.support.program import is_gone, start, temporary
from tests.support.trials import State, state

CHANNELS = 400  # a kernel of 6 MB
LEAST_OUTSIDE = 2**20  # bytes from which weights have a file of their own, instead of 2 GiB
OUTSIDE = f"rewriter.files.writer.TWO_GIB = {LEAST_OUTSIDE}"
THEIRS = "tmp/.ses"  # onnxruntime's own
WRITING = 0.7  # of the kills come while the output is written
SLACK = 1.3  # times the longest time a run has taken to write, or in all
SECONDS = 120


@dataclass
class Kind:
    """How a run writes, what it leaves if it is not killed, and how long it takes: in all, and to write."""

    plant: str
    has_old: bool
    checks: bool
    old: Path
    new: State
    told: tuple[str, str]
    total: float
    writing: float

    @property
    def arguments(self) -> tuple[str, ...]:
        return () if self.checks else ("--no-validate",)


def original(number: float) -> onnx.ModelProto:
    """One Conv whose weights are random but for the first, which is this number."""
    kernel = np.random.default_rng(0).standard_normal([CHANNELS, CHANNELS, 3, 3]).astype(np.float32)
    kernel[0, 0, 0, 0] = number
    return model([conv()], {"x": [1, CHANNELS, 3, 3]}, {"c": None}, {"w": kernel})


def begun(path: Path) -> bool:
    """Whether a run has made its folder beside the output."""
    return any(entry.name.startswith(MARK) for entry in path.parent.iterdir())


def content(folder: Path) -> str:
    """Which model the output is: a hash, "" if there is none. Raises UsageError if it is not whole."""
    path = folder / "net.nhwc.onnx"
    return sha256(load(path).SerializeToString(deterministic=True)).hexdigest() if path.exists() else ""


def whole_run(path: Path, plant: str, *more: str) -> tuple[float, float]:
    """Seconds in all and seconds to write, of a run that is not killed."""
    begin, writes = time.monotonic(), list[float]()
    with start(path, *more, plant=plant) as running:
        while running.poll() is None:
            writes += [time.monotonic()] if begun(path) else []
            time.sleep(0.001)
        assert running.returncode == 0, running.stderr and running.stderr.read()
    return time.monotonic() - begin, writes[-1] - writes[0] if writes else 0.0


def kind(folder: Path, plant: str, has_old: bool, checks: bool) -> Kind:
    """Prepare the folder of a kind of run, and measure one."""
    old, made = folder / "old", folder / "made"
    old.mkdir(parents=True)
    more = () if checks else ("--no-validate",)
    if has_old:
        onnx.save(original(1.0), old / "net.onnx")
        whole_run(old / "net.onnx", plant, "--no-validate")
    temporary(old / "net.onnx")
    onnx.save(original(2.0), old / "net.onnx")
    shutil.copytree(old, made)
    total, writing = whole_run(made / "net.onnx", plant, *more)
    return Kind(plant, has_old, checks, old, left(made), (content(old), content(made)), total, writing)


def killed(one: Kind, folder: Path, rng: Random) -> str:
    """Kill a run, and tell what was found: "old", "new", or what is wrong."""
    shutil.copytree(one.old, folder)
    path, before = folder / "net.onnx", state(one.old)
    with start(path, *one.arguments, plant=one.plant) as running:
        if rng.random() < WRITING:
            while not begun(path) and running.poll() is None:
                time.sleep(0.0005)
            time.sleep(rng.uniform(0, SLACK * one.writing))
        else:
            time.sleep(rng.uniform(0, SLACK * one.total))
        ended = running.poll() is not None
        if not ended:
            os.killpg(running.pid, signal.SIGKILL)
    if not is_gone(running.pid):
        return "a process is left"
    found = after_kill(one, folder, before)
    if found not in ("old", "new"):
        return found
    next_run(one, path)
    if left(folder) != one.new:
        return f"after the next run there is {sorted(left(folder))}, not {sorted(one.new)}"
    return f"{found}, ended before" if ended else found


def next_run(one: Kind, path: Path) -> None:
    def planted() -> int:
        writer.TWO_GIB = LEAST_OUTSIDE if one.plant else writer.TWO_GIB
        return command()

    argv = [str(path), "--to", "nhwc", "--providers", "cpu", "--runs", "1", "-q", *one.arguments]
    ran = run_forked(planted, argv, temporary(path), SECONDS)
    assert ran.code == 0, ran.err


def left(folder: Path) -> State:
    """All that is there, and ours."""
    return {name: content for name, content in state(folder).items() if name != THEIRS}


def after_kill(one: Kind, folder: Path, before: State) -> str:
    if state(folder).get("net.onnx") != before["net.onnx"]:
        return "the original is another"
    try:
        found = content(folder)
    except Exception as error:  # whatever it is, the output is not whole
        return f"the output is broken: {error}"
    return dict(zip(one.told, ("old", "new"), strict=True)).get(
        found, "the output is neither the old one nor the new one"
    )


def main() -> int:
    count, first = (
        (int(text) for text in (*sys.argv[1:], "200", "0")[:2]) if len(sys.argv) != 2 else (int(sys.argv[1]), 0)
    )
    begin, found = time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        top = Path(name)
        kinds = [
            kind(top / f"kind{i}", *options)
            for i, options in enumerate(product(("", OUTSIDE), (False, True), (False, True)))
        ]
        for seed in range(first, first + count):
            one = kinds[seed % len(kinds)]
            text = killed(one, top / "trial", Random(seed))
            shutil.rmtree(top / "trial")
            where = "outside" if one.plant else "inside"
            found[f"weights {where}, {'over an old one' if one.has_old else 'none before'}: {text}"] += 1
            if text.split(",")[0] not in ("old", "new"):
                print(f"{seed}: {text}", flush=True)
    for text, times in sorted(found.items()):
        print(f"{times:4} x {text}")
    wrong = sum(times for text, times in found.items() if text.split(": ", 1)[1].split(",")[0] not in ("old", "new"))
    print(f"{count} runs, {wrong} wrong, {time.monotonic() - begin:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
