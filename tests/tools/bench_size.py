"""Large models, small ones and many: `make bench-size` writes docs/sizes.md.

Whole processes, each in turn with what it is compared with; the time by the clock, for what is written waits for the
disk as often as for a processor; processor time; and the most memory that was resident at once (of mapped files what
was touched, too).
"""

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import onnx
import onnxruntime as ort

from tests.support.sizes import conv_net
from tests.tools.bench_start import starting
from tests.tools.taken import taken

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/sizes.md"
ROUNDS = 3
GB = 10**9
MANY = 200
VALIDATED = 6  # GB
HEAD = """# Sizes

Written by `make bench-size` (tests/tools/bench_size.py); onnx {onnx}, onnxruntime {ort}, {cores} cores. Whole
processes, in turn with what they are compared with; medians of {rounds} runs. Time is by the clock, since what is
written waits for the disk, and of processors; memory is the most that was resident at once, in MB, mapped files
included.
"""
LOAD_AND_SAVE = "import sys, onnx\nonnx.save(onnx.load(sys.argv[1]), sys.argv[2])"
IN_ONNXRUNTIME = """
import sys, numpy, onnxruntime as ort
for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL"):
    options = ort.SessionOptions()
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
    session.run(None, {one.name: numpy.ones(one.shape, numpy.float32) for one in session.get_inputs()})
    del session
"""


def main() -> None:
    chosen = {*sys.argv[1:]} or CASES.keys()
    head = HEAD.format(onnx=onnx.__version__, ort=ort.__version__, cores=os.cpu_count(), rounds=ROUNDS)
    lines = [head]
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        for case in (case for name, case in CASES.items() if name in chosen):
            place = Path(folder, "case")
            place.mkdir()
            for line in case(place):
                print(line, flush=True)
                lines.append(line)
            shutil.rmtree(place)
    if chosen == CASES.keys():
        PAGE.write_text("\n".join(lines) + "\n")


def outside(folder: Path) -> Iterator[str]:
    yield "\n## 6 GB of weights beside the model, `--no-validate`\n"
    yield from TABLE
    path = made(folder / "net.onnx", 6 * GB)
    (data,) = folder.glob("*.weights")
    ours = ("-m", "rewriter", str(path), "--to", "nhwc", "--no-validate", "-q", "-o", str(folder / "out.onnx"))
    yield compared("NHWC functions", ours, "cp", ("/bin/cp", str(data), str(folder / "copy")), folder)


def inside(folder: Path) -> Iterator[str]:
    yield "\n## 1.9 GB and 100 MB in one protobuf, `--no-validate`\n"
    yield from TABLE
    for size, name in ((1.9 * GB, "1.9 GB"), (0.1 * GB, "100 MB")):
        path = made(folder / f"{name}.onnx", int(size), inside=True)
        ours = ("-m", "rewriter", str(path), "--to", "nhwc", "--no-validate", "-q", "-o", str(folder / "out.onnx"))
        other = ("-c", LOAD_AND_SAVE, str(path), str(folder / "copy"))
        yield compared(name, ours, "load and save", other, folder)


def validated(folder: Path) -> Iterator[str]:
    yield f"\n## {VALIDATED} GB, validated on the CPU\n"
    yield from TABLE
    path = made(folder / "net.onnx", VALIDATED * GB)
    options = ("--providers", "cpu", "--runs", "1", "-q", "-o", str(folder / "out.onnx"))
    for dialect in ("function", "onnx"):
        ours = ("-m", "rewriter", str(path), "--to", "nhwc", "--dialect", dialect, *options)
        other = "onnxruntime alone, on the original"
        yield compared(f"{dialect} dialect", ours, other, ("-c", IN_ONNXRUNTIME, str(path)), folder, rounds=1)
    result = folder / "result.onnx"
    taken(("-m", "rewriter", str(path), "--to", "nhwc", "--no-validate", "-q", "-o", str(result)))
    alone = taken(("-c", IN_ONNXRUNTIME, str(result)))
    yield f"\nonnxruntime alone, on the result in the function dialect: {alone.memory:.0f} MB."


def flat(folder: Path) -> Iterator[str]:
    yield "\n## Memory over size, weights beside the model, `--no-validate`\n"
    yield "| weights, GB | MB resident | seconds |"
    yield "|---|---|---|"
    for size in (0.1, 1, 3, 12):
        path = made(folder / "net.onnx", int(size * GB), sparse=True)
        took = taken(
            ("-m", "rewriter", str(path), "--to", "nhwc", "--no-validate", "-q", "-o", str(folder / "out.onnx"))
        )
        yield f"| {size:g} | {took.memory:.0f} | {took.clock:.1f} |"
        for file in folder.iterdir():
            file.unlink()


def several(folder: Path) -> Iterator[str]:
    yield f"\n## {MANY} small models, validated\n"
    yield "| jobs | seconds by the clock | of processors |"
    yield "|---|---|---|"
    paths = [*sorted((ROOT / "models").glob("*.onnx"))]
    for i, path in zip(range(MANY), (paths[i % len(paths)] for i in count()), strict=False):
        shutil.copy(path, folder / f"{i}_{path.name}")
    command = ("-m", "rewriter", str(folder), "--to", "nhwc", "--providers", "cpu", "-q", "--dry-run", "--jobs")
    rounds = [[taken((*command, jobs)) for jobs in ("1", "2")] for _ in range(ROUNDS)]
    for jobs, runs in zip(("1", "2"), zip(*rounds, strict=True), strict=True):
        yield f"| {jobs} | {middle([r.clock for r in runs]):.1f} | {middle([r.busy for r in runs]):.1f} |"
    yield f"\nTwo jobs are {middle([one.clock / two.clock for one, two in rounds]):.2f} times as fast as one."


CASES: dict[str, Callable[[Path], Iterator[str]]] = {
    "outside": outside, "inside": inside, "validated": validated, "flat": flat, "several": several,
    "start": lambda folder: starting(),
}  # fmt: skip
TABLE = ("| case | beside | s | beside it | ratio | processor s | beside it | MB | beside it |", "|---" * 9 + "|")


def made(path: Path, size: int, **how: bool) -> Path:
    """A net, made in another process: what this one had resident would count as that of those that it starts."""
    process = get_context("fork").Process(target=conv_net, args=(path, size), kwargs=how)
    process.start()
    process.join()
    return path


def compared(
    name: str, ours: Sequence[str], other: str, beside: Sequence[str], folder: Path, rounds: int = ROUNDS
) -> str:
    """One row: both commands in turn; what they write is removed after each."""
    runs = []
    for _ in range(rounds):
        pair = []
        for arguments in (ours, beside):
            kept = {*folder.iterdir()}
            pair.append(taken(arguments))
            for file in {*folder.iterdir()} - kept:
                file.unlink()
        runs.append(pair)
    mine, theirs = zip(*runs, strict=True)
    ratio = middle([one.clock / two.clock for one, two in runs])
    figures = [
        f"{middle([t.clock for t in mine]):.1f}", f"{middle([t.clock for t in theirs]):.1f}", f"{ratio:.2f}",
        *(f"{middle([t.busy for t in side]):.1f}" for side in (mine, theirs)),
        *(f"{middle([t.memory for t in side]):.0f}" for side in (mine, theirs)),
    ]  # fmt: skip
    return f"| {name} | {other} | {' | '.join(figures)} |"


def middle(numbers: Sequence[float]) -> float:
    return statistics.median(numbers)


if __name__ == "__main__":
    main()
