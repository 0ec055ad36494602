"""Times operators channels first and channels last: `make prices` writes docs/prices.md and onnxruntime's price table,
`make prices-openvino` docs/prices-openvino.md and OpenVINO's.

Each price is fitted to what operators took, one at a time, at some sizes; the page shows how well it tells the others.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from math import prod
from pathlib import Path
from string import ascii_lowercase
from typing import Any, NamedTuple

import numpy as np
from onnx import ModelProto

from passes.dialects.standard import StandardDialect
from passes.ir.importer import import_model
from passes.layout import perm
from passes.layout.layout import natural, permuted
from passes.normalize.infer_shapes import Engines, infer_shapes
from passes.plan.cost import FOLDER, NEAR, Price, bytes_of, dims, itemsize
from passes.plan.flat_graph import FlatGraph
from passes.plan.situations import SEEN, change
from rewriter.pipeline import evaluate
from rewriter.shapes.infer import infer
from tests.support.graphs import model, node, random
from tests.tools.bench import race
from tests.tools.runtimes import ENGINES, Engine
from tests.tools.timed_operators import CASES, LAST, net, sides

FIRST = perm.inverse(LAST)

STANDARD = StandardDialect()
DOCS = Path(__file__).parents[2] / "docs"
SIZES = ((3, 224), (16, 112), (64, 56), (256, 28))  # channels; height and width: these are fitted, and on the page
FAR = ((64, 112), (16, 224))  # these are fitted, too: beyond the cache
OTHERS = ((8, 96), (32, 80), (128, 40), (96, 112))  # these are told
CALL = 1000.0  # nanoseconds, of a node more in a runtime's executor
TRANSPOSE = "Transpose to the other"
BETTER = 0.9  # what is left of the squared error with one part more
LEAST_SECONDS = 0.4  # per pair of sessions
MOVED = (  # shapes and perms
    *(([1, c, hw, hw], LAST) for c, hw in ((3, 224), (16, 112), (64, 56), (256, 28), (64, 112), (96, 112), (64, 224))),
    *(([1, hw, hw, c], FIRST) for c, hw in ((3, 224), (16, 112), (64, 56), (256, 28), (64, 112), (96, 112), (64, 224))),
    *(([1, t, h, d], (0, 2, 1, 3)) for t, h, d in ((197, 12, 64), (784, 4, 32), (49, 32, 32), (3136, 8, 32))),
    *(([1, t, h, d], (0, 2, 3, 1)) for t, h, d in ((197, 12, 64), (784, 4, 32), (49, 32, 32))),
    *(([1, c, hw, hw], (0, 3, 2, 1)) for c, hw in ((3, 224), (16, 112), (64, 56), (256, 28), (64, 112))),
    *(([8, c, hw, hw], (2, 3, 1, 0)) for c, hw in ((16, 28), (64, 14), (64, 56))),
)
HEAD = """# Operators on channels first and channels last, in {name}

Written by `make {target}` (tests/tools/prices.py): {about},
one thread, {clock}, the two in turn, medians. Microseconds of an operator on `[1, C, H, W]` -> the same on
`[1, H, W, C]`; in brackets what that takes more, in Transposes of the operator's input.
"""
TOLD = """
## The price table, on sizes that it was not fitted to

`passes/plan/runtimes/{name}.toml` is fitted to the times above: microseconds that it tells for the operator, on
either layout, over those it took.
"""

PRODUCTS = (  # rows, what is summed over, columns
    *((3136, 64, 256), (3136, 256, 64), (784, 128, 512), (196, 256, 1024)),
    *((49, 512, 2048), (4096, 60, 120), (197, 192, 576), (197, 192, 192), (1024, 256, 8), (3136, 96, 32)),
)


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
    Row("Resize Upsample", "resized", ["Resize, nearest, 2 x 2", "Resize, linear, 2 x 2", "Resize, cubic, 2 x 2"]),
    Row("QuantizeLinear DequantizeLinear", "per_axis", ["Quantize, Dequantize per channel"]),
)


class Timed(NamedTuple):
    """A case at a size: nanoseconds channels first and last."""

    first: float
    last: float


def timed(engine: Engine, case: str, size: tuple[int, int]) -> Timed:
    models = [net(side, CASES[case]) for side in sides(*size)]
    milliseconds, ratio = race((models[0], models[1]), {"x": LAST}, LEAST_SECONDS, engine.operators)
    return Timed(milliseconds * 1e6, milliseconds * 1e6 * ratio)


class Feature(NamedTuple):
    """What a price is of: its name, bytes and runs; ``share``: nodes of the kind in the case."""

    name: str
    size: int
    runs: float
    share: int


def feature(row: Row, case: ModelProto) -> Feature | None:
    """What the planner sees of the first node of a model that is of this row; ``None``: nothing that has a price."""
    graph = import_model(case)
    seen_nodes = [ruled.node for ruled in FlatGraph(infer_shapes(graph, Engines(infer, evaluate)), STANDARD).nodes]
    found = [one for one in seen_nodes if one.op in row.names.split()]
    seen = SEEN[row.seen](found[0], found[0].move(), lambda tensor: dims(tensor, {}))
    if seen is None:
        return None
    tensor = found[0].tensor(seen.slot)
    size = bytes_of(tensor, {})
    return Feature(seen.name, size, size / itemsize(tensor) / seen.run, len(found))


def fitted(samples: Sequence[tuple[Feature, float]]) -> Price:
    """The price that tells the times best, as ratios; no part is negative, and none there for little."""
    parts = np.asarray([[f.size, max(f.size - NEAR, 0), f.runs] for f, _ in samples], dtype=float)
    times = np.asarray([ns / f.share for f, ns in samples])
    best, least = np.zeros(3), np.inf
    for columns in ([0], [0, 1], [0, 2], [0, 1, 2], [2], [1, 2]):
        price = np.zeros(3)
        price[columns] = np.linalg.lstsq(parts[:, columns] / times[:, None], np.ones(len(times)), rcond=None)[0]
        off = float(np.square(parts @ price / times - 1).sum())
        if (price >= 0).all() and off < least * BETTER:
            best, least = price, off
    return Price(*(round(float(each), 5) for each in best))


def dearest(samples: Sequence[tuple[Feature, float]]) -> Price:
    """The price of a byte where it is dearest."""
    return Price(byte=round(max(ns / f.share / f.size for f, ns in samples), 5))


Times = dict[tuple[str, tuple[int, int]], Timed]


def rows(engine: Engine) -> list[Row]:
    """The rows of the engine's table."""
    return [row._replace(seen=engine.seen.get(row.seen, row.seen)) for row in ROWS]


def samples(row: Row, times: Times, sizes: Sequence[tuple[int, int]]) -> Iterator[tuple[Feature, float]]:
    """What was seen of the cases of a row, on both layouts, and the nanoseconds that they took."""
    for case in row.cases:
        for size in sizes:
            for side, took in zip(sides(*size), times[case, size], strict=True):
                found = feature(row, net(side, CASES[case]))
                if found is not None:
                    yield found, took


def prices(engine: Engine, row: Row, times: Times) -> dict[str, Price]:
    """The prices of a row by name, fitted."""
    by_name: dict[str, list[tuple[Feature, float]]] = {}
    for found, took in samples(row, times, (*SIZES, *FAR)):
        by_name.setdefault(found.name, []).append((found, took))
    return {name: dearest(some) if name in engine.dearest else fitted(some) for name, some in by_name.items()}


def moved(engine: Engine) -> Iterator[tuple[str, list[tuple[Feature, float]]]]:
    """Changes of layout by kind: features and nanoseconds, the mean of how changes may be written."""
    found: dict[str, list[tuple[Feature, float]]] = {}
    for shape, p in MOVED:
        seen = change(natural(len(shape)), permuted(p), shape)
        size = 4 * prod(shape)
        term = ascii_lowercase[: len(shape)]
        equation = f"{term}->{''.join(perm.reorder(p, term))}"
        written: dict[str, Any] = {"Transpose": {"perm": p}, "Einsum": {"equation": equation}}
        nodes = [node(op, ["x"], ["y"], **written[op]) for op in (engine.changes[0], engine.changes[-1])]
        models = [model([one], {"x": shape}, {"y": None}) for one in nodes]
        milliseconds, ratio = race((models[0], models[1]), {}, LEAST_SECONDS, engine.operators)
        both = milliseconds * 1e6 * (1 + ratio) / 2
        found.setdefault(seen.name, []).append((Feature(seen.name, size, size / 4 / seen.run, 1), both))
    yield from found.items()


def products(engine: Engine) -> dict[str, Price]:
    """What a product, and a bias if that is fused, take more than with one computed operand and a constant on the
    right, fitted."""
    after = [node("Add", ["m", "b"], ["y"])] * engine.bias
    made, found = "m" if after else "y", {name: list[tuple[Feature, float]]() for name in ("exchanged", "turned")}
    for rows, summed, columns in PRODUCTS:
        weights, bias = random(summed, columns), random(columns)
        plain, exchanged, turned = (
            model([one, *after], {"x": dims}, {"y": None}, constants)
            for one, dims, constants in (
                (node("MatMul", ["x", "w"], [made]), [rows, summed], {"w": weights, "b": bias}),
                (node("MatMul", ["w", "x"], [made]), [summed, rows], {"w": weights.T.copy(), "b": bias[:, None]}),
                (node("Gemm", ["x", "w"], [made], transA=1), [summed, rows], {"w": weights, "b": bias}),
            )
        )
        for name, other, runs in (("exchanged", exchanged, columns), ("turned", turned, columns * rows)):
            milliseconds, ratio = race((plain, other), {"x": (1, 0)}, LEAST_SECONDS, engine.operators)
            more = max(milliseconds * 1e6 * (ratio - 1), 1.0)
            found[name].append((Feature(name, 4 * rows * summed, summed * runs, 1), more))
    prices = {name: fitted(some) for name, some in found.items()}
    return {**prices, "turned_first": prices["turned"]}


def table(times: Times) -> Iterator[str]:
    """docs/prices.md's times."""
    yield "| | " + " | ".join(f"C {channels}, H = W = {size}" for channels, size in SIZES) + " |"
    yield "|---|" + "--:|" * len(SIZES)
    for case in CASES:
        cells = []
        for size in SIZES:
            first, last = (ns / 1000 for ns in times[case, size])
            more = (last - first) / times[TRANSPOSE, size].first * 1000
            cells.append(f"{first:.0f} -> {last:.0f} ({more:+.1f})")
        yield f"| {case} | {' | '.join(cells)} |"


def told(engine: Engine, times: Times) -> Iterator[str]:
    """How well the prices tell what was not fitted."""
    yield "| operators | smallest | median | largest |"
    yield "|---|--:|--:|--:|"
    for row in rows(engine):
        found = prices(engine, row, times)
        ratios = [found[f.name].of(f.size, f.runs) * f.share / took for f, took in samples(row, times, OTHERS)]
        yield f"| {row.names} | {min(ratios):.2f} | {np.median(ratios):.2f} | {max(ratios):.2f} |"


def toml(name: str, engine: Engine, times: Times) -> Iterator[str]:
    """The price table."""
    found = {row.names: prices(engine, row, times) for row in rows(engine)}
    changes = {kind: fitted(some) for kind, some in moved(engine)}
    spread = next(found[row.names]["spread"] for row in ROWS if row.seen == "spread")
    yield f"# Written by `make {target(name)}` (tests/tools/prices.py): {engine.about}.\n# Nanoseconds on one thread.\n"
    facts = {"about": engine.about, "unit": "ns", **engine.facts}
    yield from (f"{fact} = {json.dumps(value)}" for fact, value in facts.items())
    yield f"\n[change] # of layout, as {' and '.join(engine.changes)}, the mean; a call is a guess"
    yield from (f"{kind} = {{ {priced(replace(price, call=CALL))} }}" for kind, price in changes.items())
    yield "half = {} # besides, for float16: {}".format(*engine.half)
    for row in rows(engine):
        yield from entry(row.names, row.seen, found[row.names])
    yield "\n# as Mul and Add"
    yield from entry("BatchNormalization", "spelling", {"respelled": times_of(2, spread)})
    yield "\n# what a product takes more with its operands exchanged, or the first one read transposed"
    yield from entry("MatMul Gemm FusedMatMul", "product", products(engine))
    yield f"\n# an Einsum transposes inside, an element in the time of {engine.einsum:g} Transposes; a guess"
    inside = Price(run=round(engine.einsum * 4 * changes["inward"].byte, 5))
    yield from entry("Einsum", "equation", {"transposed": inside})


def entry(names: str, seen: str, found: Mapping[str, Price]) -> Iterator[str]:
    """The prices of some operators."""
    yield f'\n[[operator]]\nnames = {json.dumps(names.split())}\nseen = "{seen}"'
    yield from (f"{name} = {{ {priced(price)} }}" for name, price in found.items())


def times_of(factor: float, price: Price) -> Price:
    return Price(*(round(factor * each, 5) for each in (price.byte, price.far, price.run)))


def priced(price: Price) -> str:
    return ", ".join(f"{name} = {value}" for name, value in asdict(price).items() if value)


def target(name: str) -> str:
    """What `make` writes the table with."""
    return "prices" if name == "onnxruntime" else f"prices-{name}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the price table of a runtime.")
    parser.add_argument("--for", choices=ENGINES, default="onnxruntime", dest="name")
    name = parser.parse_args().name
    engine = ENGINES[name]()
    told_of = {"name": name, "target": target(name), "about": engine.about, "clock": engine.clock}
    times = {(case, size): timed(engine, case, size) for case in CASES for size in (*SIZES, *FAR, *OTHERS)}
    page = [HEAD.format(**told_of), *table(times), TOLD.format(**told_of), *told(engine, times), ""]
    (DOCS / f"{target(name)}.md").write_text("\n".join(page))
    (FOLDER / f"{name}.toml").write_text("\n".join([*toml(name, engine, times), ""]))


if __name__ == "__main__":
    main()
