"""Runs killed while 2 GB replace 2 GB: ``python -m tests.tools.kills_large [60 [first seed]]``.

Two models take turns in one place, each run over what the one before has left; most are killed at random moments.
Whenever it is, there is one of the two, whole; after the last run there is nothing else.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import onnx

from tests.support.graphs import ROOT
from tests.support.program import is_gone
from tests.support.sizes import conv_net

SIZE = 2 * 10**9
MARKED = 1000  # elements of each kernel that tell which model it is of
SLACK = 1.1  # times a whole run, to which kills come


def main() -> int:
    trials, first = (int(text) for text in (*sys.argv[1:], *("60", "0")[len(sys.argv) - 1 :]))
    found = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="kills-", dir=os.environ.get("BENCH_FOLDER")) as name:
        folder = Path(name)
        models = {one: conv_net(folder / f"net{one}.onnx", SIZE, sparse=True, number=float(one)) for one in "12"}
        output = folder / "made" / "out.onnx"
        begin = time.monotonic()
        start(models["1"], output).wait()
        seconds, now = time.monotonic() - begin, told(output)
        assert now == "1", now
        for seed in range(first, first + trials):
            wanted, old, then = "2" if now == "1" else "1", now, Random(seed).uniform(0, SLACK * seconds)
            killed(models[wanted], output, then)
            now = told(output)
            text = {wanted: "new", old: "old"}.get(now, f"wrong: {now}")
            found[text] += 1
            if text not in ("old", "new"):
                print(f"seed {seed}, killed after {then:.2f} s: {text}", flush=True)
                break
        start(models["2"], output).wait()
        left = sorted(one.name for one in output.parent.iterdir())
        is_clean = told(output) == "2" and len(left) == 2
    print(f"{dict(found)}; at the end {'nothing else is left' if is_clean else f'there is {left}'}")
    return 0 if is_clean and {*found} <= {"old", "new"} else 1


def start(path: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "rewriter", str(path), "--to", "nhwc", "--no-validate", "-q", "-o", str(output)]
    return subprocess.Popen([*command, "--external-data", "one"], cwd=ROOT, start_new_session=True)


def killed(path: Path, output: Path, seconds: float) -> None:
    """A run that is killed after so long, with all that it has started."""
    with start(path, output) as running:
        time.sleep(seconds)
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    assert is_gone(running.pid)


def told(output: Path) -> str:
    """The number of the model that is there, or what is wrong with it."""
    try:
        model = onnx.load(output, load_external_data=False)
    except Exception as error:  # whatever it is, it is not whole
        return f"{type(error).__name__}: {error}"
    numbers = set[float]()
    for tensor in model.graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        data, offset, size = output.with_name(entries["location"]), int(entries["offset"]), int(entries["length"])
        if not data.exists() or data.stat().st_size < offset + size:
            return f"{data.name} is not there, or too short"
        values = np.memmap(data, np.float32, "r", offset, (size // 4,))
        marks = values[np.flatnonzero(values)]
        if len(marks) != MARKED:
            return f"{tensor.name} has {len(marks)} marks"
        numbers |= {*marks.tolist()}
    return " and ".join(f"{number:g}" for number in sorted(numbers))


if __name__ == "__main__":
    sys.exit(main())
