"""Measures what the README claims: `make bench` writes docs/benchmarks.md.

Latencies are processor time on one thread, original and result run in turn in one process, and the median of the
ratios: machines are noisy, these less so.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from rewriter import rewrite, validate
from tests.support.deep import NODES_PER_BLOCK, deep
from tests.tools.runtimes import InOnnxRuntime, Loaded

ROOT = Path(__file__).parents[2]
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
DIRECTIONS = (("nhwc", "function"), ("nhwc", "onnx"), ("nchw", "onnx"))
STAGES = ("read", "plan", "push")  # of passes
NODES = (104, 504, 1000, 2000, 5000, 10_000, 20_000)
SECONDS, LEAST_RUNS = 3.0, 15  # per pair of sessions
HEAD = """# Measurements

Written by `make bench` (tests/tools/bench.py); onnx {onnx}, onnxruntime {ort}, CPU provider.

"""


def main() -> None:
    full = sorted((ROOT / "models/full").glob("*.onnx"))
    if not full:
        sys.exit("models/full is empty: run `make models-full` first")
    small = sorted((ROOT / "models").glob("*.onnx"))
    lines = [HEAD.format(onnx=onnx.__version__, ort=ort.__version__)]
    models = [*sorted(LIGHT.glob("*.onnx")), *small, *full]
    for chunk in (conversions(models), latencies(full), rewriting(full), planning()):
        for line in chunk:
            print(line, flush=True)
            lines.append(line)
    (ROOT / "docs/benchmarks.md").write_text("\n".join(lines) + "\n")


def conversions(paths: list[Path]) -> Iterator[str]:
    yield "## Conversion\n"
    yield "Transpose nodes in the main graph before and after, bytes they move per inference in the result, and the"
    yield "error against the original as a fraction of the output's scale (beside it: how much the original differs"
    yield "from itself).\n"
    yield "| model | to | dialect | Transposes | bytes | validated | error | own noise |"
    yield "|---|---|---|---|---|---|---|---|"
    for path in paths:
        for to, dialect in DIRECTIONS:
            result = rewrite(path, to, dialect=dialect)
            before, after = result.report.transposes
            verdict = validate(path, result.model, layouts=result.layouts, providers=["cpu"], runs=1).providers[0]
            yield (
                f"| {path.stem} | {to} | {dialect} | {before} -> {after} | {result.report.bytes:,} | {verdict.status} |"
                f" {verdict.max_rel or 0:.1e} | {verdict.noise:.1e} |"
            )


def latencies(paths: list[Path]) -> Iterator[str]:
    yield "\n## Latency of the result over the original (processor time, one thread)\n"
    yield "| model | to | dialect | original ms | ratio |"
    yield "|---|---|---|---|---|"
    for path in paths:
        for to, dialect in DIRECTIONS:
            result = rewrite(path, to, dialect=dialect)
            original, ratio = race((onnx.load(path), result.model), result.layouts)
            yield f"| {path.stem} | {to} | {dialect} | {original:.1f} | {ratio:.3f} |"


def race(
    models: tuple[onnx.ModelProto, onnx.ModelProto],
    layouts: dict[str, tuple[int, ...]],
    least: float = SECONDS,
    load: Callable[[onnx.ModelProto], Loaded] = InOnnxRuntime,
) -> tuple[float, float]:
    """Median milliseconds of the first model, and the second over it; the second's inputs lie as ``layouts``."""
    pair = [load(model) for model in models]  # whose thread is this one
    feeds = [feed(pair[0], {}), feed(pair[0], layouts)]
    times: list[list[float]] = [[], []]
    begin = time.perf_counter()
    while len(times[0]) < LEAST_RUNS or time.perf_counter() - begin < least:
        for loaded, data, taken in zip(pair, feeds, times, strict=True):
            taken.append(loaded.seconds(data))
    rounds = list(zip(*times, strict=True))[2:]
    return statistics.median(first for first, _ in rounds) * 1000, statistics.median(b / a for a, b in rounds)


def feed(session: Any, layouts: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Random inputs of batch 1, stored as ``layouts`` say."""
    rng = np.random.default_rng(0)
    arrays = {}
    for value in session.get_inputs():
        array = rng.standard_normal([d if isinstance(d, int) else 1 for d in value.shape], dtype=np.float32)
        arrays[value.name] = np.ascontiguousarray(array.transpose(layouts.get(value.name, range(array.ndim))))
    return arrays


def rewriting(paths: list[Path]) -> Iterator[str]:
    yield "\n## Time and memory of rewriting (--no-validate)\n"
    yield "Rewriting without load and save, over onnx.load + onnx.save of the same file, interleaved, medians of 7;"
    yield "peak memory of a whole `rewrite` from path to saved file, less that of the imports, over the file's size.\n"
    yield "| model | MB | load + save ms | rewrite ms | ratio | peak memory / file |"
    yield "|---|---|---|---|---|---|"
    for path in paths:
        both, alone = [], []
        for _ in range(7):
            both.append(seconds(partial(load_and_save, path)))
            alone.append(seconds(partial(rewrite, onnx.load(path), "nhwc")))
        size, base, work = path.stat().st_size, statistics.median(both), statistics.median(alone)
        memory = (peak(path, "rewrite") - peak(path, "import")) / size
        figures = f"{size / 1e6:.0f} | {base * 1000:.0f} | {work * 1000:.0f} | {work / base:.2f} | {memory:.1f}"
        yield f"| {path.stem} | {figures} |"


def planning() -> Iterator[str]:
    yield "\n## Cost of planning\n"
    yield "A generated deep net (support/deep.py) to NHWC: seconds for reading with shape inference, the plan (roles,"
    yield "rules and the integer program), applying it, and all together; microseconds of the plan per node.\n"
    yield "| nodes | dialect | read s | plan s | push s | all s | plan, us per node | Transposes |"
    yield "|---|---|---|---|---|---|---|---|"
    for nodes in NODES:
        original = deep(nodes // NODES_PER_BLOCK)
        for dialect in ("function", "onnx"):
            report = rewrite(original, "nhwc", dialect=dialect).report
            took = report.seconds  # by stage and pass
            stages = [sum(s for name, s in took.items() if name.startswith(f"{stage}/")) for stage in STAGES]
            parts, each = " | ".join(f"{stage:.2f}" for stage in stages), stages[STAGES.index("plan")] / nodes * 1e6
            before, after = report.transposes
            yield f"| {nodes} | {dialect} | {parts} | {sum(took.values()):.2f} | {each:.0f} | {before} -> {after} |"


def load_and_save(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(onnx.load(path), Path(folder, "copy.onnx"))


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def peak(path: Path, what: str) -> int:
    """Peak bytes of a fresh process that imports the tool, or that converts and saves ``path``."""
    code = (
        "import sys; from pathlib import Path; from rewriter import rewrite; from rewriter.files.writer import save\n"
    )
    if what == "rewrite":
        code += "save(rewrite(sys.argv[1], 'nhwc').model, Path(sys.argv[2], 'out.onnx'))\n"
    code += "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([sys.executable, "-c", code, path, folder], capture_output=True, text=True, check=True)
    return int(run.stdout) * 1024


if __name__ == "__main__":
    main()
