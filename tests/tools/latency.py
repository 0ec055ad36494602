"""Races our results against the originals over the zoo: `make zoo-latency` writes docs/zoo-latency.md, and
`make zoo-latency-openvino` docs/zoo-latency-openvino.md."""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto

from passes import dialects
from passes.pipeline import NORMALIZE, READ, Request
from passes.plan.cost import BYTES, runtime
from passes.plan.program import Program
from rewriter.files.source import Source
from rewriter.pipeline import run_passes, start
from tests.tools.bench import feed, race
from tests.tools.runtimes import ENGINES, Engine
from tests.tools.zoo import MODES, ROOT, Mode, naive, nets

SLOWER = 1.02
SECONDS = {"onnxruntime": 3.0, "openvino": 1.0}  # per pair
KEPT: dict[str, Any] = {"keep_io": True, "measure_on": {}}
MODES_OF = {
    "onnxruntime": MODES,
    "openvino": (
        Mode("interface kept, by bytes", "nchw", {**KEPT, "runtime": BYTES}),
        Mode("interface kept, for openvino", "nchw", {**KEPT, "runtime": "openvino"}),
        Mode("to nhwc, by bytes", "nhwc", {"dialect": "onnx", "measure_on": {}, "runtime": BYTES}),
        Mode("to nhwc, for openvino", "nhwc", {"measure_on": {}, "runtime": "openvino"}),
    ),
}
HEAD = """# Latency of the zoo in {name}

Written by `make {target}` (tests/tools/latency.py); {about}, as it optimises by default. *Naive* is
the original with the interface of our result, made by a Transpose at each input and output that flips. The two run in
turn in one process; times are of the processor, on one thread; the ratio, ours over naive, is the median of the rounds.
With the interface kept, naive is the original itself. *Predicted* is what the price table tells of the difference,
of the two as the runtime's own optimiser leaves them before it chooses kernels.
*Apart* is the largest difference of an output between the two, as a fraction of its scale.
"""


def target(name: str) -> str:
    """What `make` writes the page with."""
    return "zoo-latency" if name == "onnxruntime" else f"zoo-latency-{name}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Race over the zoo.")
    parser.add_argument("--for", choices=ENGINES, default="onnxruntime", dest="name")
    parser.add_argument("--only", action="append", metavar="NAME", help="that net; repeatable; nothing is written")
    args = parser.parse_args()
    engine = ENGINES[args.name]()
    lines = [HEAD.format(name=args.name, target=target(args.name), about=engine.about)]
    for line in latencies(args.name, engine, nets(args.only)):
        print(line, flush=True)
        lines.append(line)
    if not args.only:
        (ROOT / f"docs/{target(args.name)}.md").write_text("\n".join(lines) + "\n")


def latencies(name: str, engine: Engine, paths: list[Path]) -> Iterator[str]:
    """The lines of the page."""
    yield "\n| net | mode | naive ms | ratio | more, ms | predicted | apart |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    modes = MODES_OF[name]
    ratios: dict[str, list[float]] = {mode.label: [] for mode in modes}
    told: dict[str, list[tuple[float, float]]] = {mode.label: [] for mode in modes}  # ms, measured and predicted
    for path in paths:
        for mode in modes:
            result = mode.of(path)
            base = naive(onnx.load(path), [*result.inputs, *result.outputs])
            milliseconds, ratio = race((base, result.model), {}, SECONDS[name], engine.nets)
            ratios[mode.label].append(ratio)
            before, after = (priced(name, engine.cleaned(model)) for model in (base, result.model))
            more, predicted = milliseconds * (ratio - 1), after - before
            told[mode.label].append((more, predicted))
            figures = f"{milliseconds:.1f} | {ratio:.3f} | {more:+.2f} | {predicted:+.2f}"
            yield f"| {path.stem} | {mode.label} | {figures} | {apart(engine, base, result.model)} |"
    yield "\n| mode | median | geometric mean | largest | above 1.02 | rank correlation, measured and predicted |"
    yield "|---|--:|--:|--:|--:|--:|"
    for label, found in ratios.items():
        mean, slower = statistics.geometric_mean(found), sum(ratio > SLOWER for ratio in found)
        figures = f"{statistics.median(found):.3f} | {mean:.3f} | {max(found):.3f} | {slower} of {len(found)}"
        yield f"| {label} | {figures} | {rank_correlation(told[label]):.2f} |"


def priced(name: str, model: ModelProto) -> float:
    """Milliseconds that the prices of a runtime tell of a file as it is."""
    work = start(
        Source(model), Request("nchw", dialects.make(runtime(name).dialect or "onnx"), keep_io=True, runtime=name)
    )
    run_passes(work, READ, NORMALIZE)
    return Program(work.graph, {}, work.request.dialect, work.sizes, runtime(name)).cost_before / 1e6


def apart(engine: Engine, base: ModelProto, ours: ModelProto) -> str:
    """How far the two are from each other in the runtime."""
    first = engine.nets(base)
    data = feed(first, {})
    pairs = zip(first.run(data), engine.nets(ours).run(data), strict=True)
    return f"{max(np.abs(a - b).max() / max(np.abs(a).max(), 1e-9) for a, b in pairs):.0e}"


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Spearman's: the correlation of the ranks of both numbers."""
    ranks = [np.argsort(np.argsort(column)) for column in zip(*pairs, strict=True)]
    return float(np.asarray(np.corrcoef(ranks))[0, 1])


if __name__ == "__main__":
    main()
