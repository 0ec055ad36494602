"""Times operators channels first and channels last: `make prices` writes docs/prices.md and onnxruntime's price table.

Each price is fitted to what operators took, one at a time, at some sizes; the page shows how well it tells the others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
from onnx import ModelProto

from passes.dialects.standard import StandardDialect
from passes.ir.importer import import_model
from passes.normalize.infer_shapes import Engines, infer_shapes
from passes.plan.cost import FOLDER, Price, bytes_of, dims, itemsize
from passes.plan.flat_graph import FlatGraph
from passes.plan.situations import SEEN
from rewriter.pipeline import evaluate
from rewriter.shapes.infer import infer
from tests.tools.bench import race
from tests.tools.timed_operators import CASES, LAST, net, sides

STANDARD = StandardDialect()
PAGE = Path(__file__).parents[2] / "docs/prices.md"
TABLE = FOLDER / "onnxruntime.toml"
SIZES = ((3, 224), (16, 112), (64, 56), (256, 28))  # channels; height and width: these are fitted, and on the page
OTHERS = ((8, 96), (32, 80), (128, 40))  # these are told
LEAST_SECONDS = 0.4  # per pair of sessions
CHANGES = ("Transpose to the other", "The same as Einsum")
VERSIONS = f"onnx {onnx.__version__}, onnxruntime {ort.__version__}, CPU provider"
HEAD = f"""# Operators on channels first and channels last

Written by `make prices` (tests/tools/prices.py): {VERSIONS},
one thread, processor time, the two in turn, medians. Microseconds of an operator on `[1, C, H, W]` -> the same on
`[1, H, W, C]`; in brackets what that takes more, in Transposes of the operator's input.
"""
TOLD = """
## The price table, on sizes that it was not fitted to

`passes/plan/runtimes/onnxruntime.toml` is fitted to the times above: microseconds that it tells for the operator, on
either layout, over those it took.
"""


class Row(NamedTuple):
    """Operators that share prices, what is seen of a node of them, and the cases that are timed for it."""

    names: str
    seen: str
    cases: Sequence[str]


ROWS = (
    Row("Softmax LogSoftmax Hardmax", "along", ["Softmax of channels"]),
    Row(
        "Add Sub Mul Div Pow Min Max Where And Or Equal Greater Less GreaterOrEqual LessOrEqual",
        "spread",
        ["Add, one number per channel", "Add, the same for each pixel of a row"],
    ),
    Row("PRelu", "spread", ["PRelu, one slope per channel"]),
    Row("Concat", "cut", ["Concat of channels", "Concat of rows"]),
    Row("Slice", "cut", ["Slice of half the channels"]),
    Row("Split", "cut", ["Split of channels in two, Concat of these"]),
    Row("Pad", "cut", ["Pad, 1 around"]),
    Row("Tile", "cut", ["Tile, 2 x 2"]),
    Row("Gather", "picked", ["Gather of channels, reversed"]),
    Row(
        "ReduceMean ReduceSum ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp ReduceProd",
        "reduced",
        ["ReduceMean of height and width", "ReduceMean of channels"],
    ),
    Row("ReduceMax ReduceMin", "reduced", ["ReduceMax of height and width", "ReduceMax of channels"]),
    Row(
        "Resize Upsample",
        "resized",
        ["Resize, nearest, 2 x 2", "Resize, linear, 2 x 2", "Resize, cubic, 2 x 2"],
    ),
    Row("QuantizeLinear DequantizeLinear", "per_axis", ["Quantize, Dequantize per channel"]),
)


class Timed(NamedTuple):
    """A case at a size: nanoseconds channels first and last."""

    first: float
    last: float


def timed(case: str, size: tuple[int, int]) -> Timed:
    models = [net(side, CASES[case]) for side in sides(*size)]
    milliseconds, ratio = race((models[0], models[1]), {"x": LAST}, LEAST_SECONDS)
    return Timed(milliseconds * 1e6, milliseconds * 1e6 * ratio)


class Feature(NamedTuple):
    """What a price is of: its name, bytes and runs; ``share``: nodes of the kind in the case."""

    name: str
    size: int
    runs: float
    share: int


def feature(row: Row, model: ModelProto) -> Feature | None:
    """What the planner sees of the first node of a model that is of this row; ``None``: nothing that has a price."""
    graph = import_model(model)
    nodes = [ruled.node for ruled in FlatGraph(infer_shapes(graph, Engines(infer, evaluate)), STANDARD).nodes]
    found = [node for node in nodes if node.op in row.names.split()]
    seen = SEEN[row.seen](found[0], found[0].move(), lambda tensor: dims(tensor, {}))
    if seen is None:
        return None
    tensor = found[0].tensor(seen.slot)
    size = bytes_of(tensor, {})
    return Feature(seen.name, size, size / itemsize(tensor) / seen.run, len(found))


def fitted(samples: Sequence[tuple[Feature, float]]) -> Price:
    """The price that tells the times best, as ratios; neither part is negative."""
    parts = np.asarray([[f.size, f.runs] for f, _ in samples], dtype=float)
    times = np.asarray([ns / f.share for f, ns in samples])
    best, least = Price(), np.inf
    for columns in ([0, 1], [0], [1]):
        found = np.linalg.lstsq(parts[:, columns] / times[:, None], np.ones(len(times)), rcond=None)[0]
        price = np.zeros(2)
        price[columns] = found
        off = float(np.square(parts @ price / times - 1).sum())
        if (found >= 0).all() and off < least:
            best, least = Price(byte=round(float(price[0]), 5), run=round(float(price[1]), 5)), off
    return best


Times = dict[tuple[str, tuple[int, int]], Timed]


def samples(row: Row, times: Times, sizes: Sequence[tuple[int, int]]) -> Iterator[tuple[Feature, float]]:
    """What was seen of the cases of a row, on both layouts, and the nanoseconds that they took."""
    for case in row.cases:
        for size in sizes:
            for side, took in zip(sides(*size), times[case, size], strict=True):
                found = feature(row, net(side, CASES[case]))
                if found is not None:
                    yield found, took


def prices(row: Row, times: Times) -> dict[str, Price]:
    """The prices of a row by name, fitted."""
    by_name: dict[str, list[tuple[Feature, float]]] = {}
    for found, took in samples(row, times, SIZES):
        by_name.setdefault(found.name, []).append((found, took))
    return {name: fitted(some) for name, some in by_name.items()}


def change(times: Times) -> Price:
    """Of a change of layout: a Transpose, or an Einsum where the runtime would undo the Transpose; half of each."""
    rows = [(4 * c * hw * hw, took) for case in CHANGES for c, hw in SIZES for took in times[case, (c, hw)]]
    sizes, took = (np.asarray(column, dtype=float) for column in zip(*rows, strict=True))
    return Price(byte=round(float((took / sizes).mean()), 5))


def table(times: Times) -> Iterator[str]:
    """docs/prices.md's times."""
    yield "| | " + " | ".join(f"C {channels}, H = W = {size}" for channels, size in SIZES) + " |"
    yield "|---|" + "--:|" * len(SIZES)
    for case in CASES:
        cells = []
        for size in SIZES:
            first, last = (ns / 1000 for ns in times[case, size])
            more = (last - first) / times[CHANGES[0], size].first * 1000
            cells.append(f"{first:.0f} -> {last:.0f} ({more:+.1f})")
        yield f"| {case} | {' | '.join(cells)} |"


def told(times: Times) -> Iterator[str]:
    """How well the prices tell what was not fitted."""
    yield "| operators | smallest | median | largest |"
    yield "|---|--:|--:|--:|"
    for row in ROWS:
        found = prices(row, times)
        ratios = [found[f.name].of(f.size, f.runs) * f.share / took for f, took in samples(row, times, OTHERS)]
        yield f"| {row.names} | {min(ratios):.2f} | {np.median(ratios):.2f} | {max(ratios):.2f} |"


def toml(times: Times) -> Iterator[str]:
    """The price table."""
    found = {row.names: prices(row, times) for row in ROWS}
    moved, spread = change(times), next(found[row.names]["spread"] for row in ROWS if row.seen == "spread")
    yield f"# Written by `make prices` (tests/tools/prices.py): {VERSIONS}.\n# Nanoseconds on one thread.\n"
    yield f'about = "{VERSIONS}"\nunit = "ns"\ndialect = "onnx"\nundoes = true\n'
    yield "[change] # of layout; half of them as Einsum, since the runtime would undo the Transpose"
    yield f"{priced(moved)}\nhalf = 2.0 # besides, for float16: it is computed as float32, between two Casts"
    for row in ROWS:
        yield from entry(row.names, row.seen, found[row.names])
    yield "\n# as Mul and Add"
    yield from entry("BatchNormalization", "spelling", {"respelled": times_of(2, spread)})
    yield "\n# a guess"
    yield from entry("MatMul Gemm", "product", {"exchanged": times_of(0.5, moved)})


def entry(names: str, seen: str, found: Mapping[str, Price]) -> Iterator[str]:
    """The prices of some operators."""
    yield f'\n[[operator]]\nnames = {json.dumps(names.split())}\nseen = "{seen}"'
    yield from (f"{name} = {{ {priced(price)} }}" for name, price in found.items())


def times_of(factor: float, price: Price) -> Price:
    return Price(byte=round(factor * price.byte, 5), run=round(factor * price.run, 5))


def priced(price: Price) -> str:
    return ", ".join(f"{name} = {value}" for name, value in asdict(price).items() if value)


def main() -> None:
    times = {(case, size): timed(case, size) for case in CASES for size in (*SIZES, *OTHERS)}
    PAGE.write_text("\n".join([HEAD, *table(times), TOLD, *told(times), ""]))
    TABLE.write_text("\n".join([*toml(times), ""]))


if __name__ == "__main__":
    main()
