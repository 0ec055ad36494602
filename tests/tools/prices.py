"""Times operators on images stored channels first and channels last: `make prices` writes docs/prices.md.

What `passes/plan/cost.py` prices, and what the runtime has no fast kernel for, was found so.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
from onnx import ModelProto, NodeProto, TensorProto

from passes.layout import perm
from tests.support.graphs import Array, ints, model, node, random, value
from tests.tools.bench import race

PAGE = Path(__file__).parents[2] / "docs/prices.md"
SIZES = ((3, 224), (16, 112), (64, 56), (256, 28))  # channels; height and width
LEAST_SECONDS = 0.5  # per pair of sessions
LAST = perm.channels_last(4)
HEAD = f"""# Operators on channels first and channels last

Written by `make prices` (tests/tools/prices.py): onnx {onnx.__version__}, onnxruntime {ort.__version__}, CPU provider,
one thread, processor time, the two in turn, medians. Microseconds of an operator on `[1, C, H, W]` -> the same on
`[1, H, W, C]`; in brackets what that takes more, in Transposes of the operator's input.
"""


class Side(NamedTuple):
    """An image as one side has it: its sizes and where its axes stand. ``vector`` of one number per channel."""

    shape: list[int]
    c: int
    h: int
    w: int
    vector: Array

    def per_axis(self, both: int) -> Array:
        """One number per axis: ``both`` for height and width, else 1."""
        return ints(*(both if axis in (self.h, self.w) else 1 for axis in range(4)))


Case = Callable[[Side], tuple[list[NodeProto], dict[str, Array]]]


def sides(channels: int, size: int) -> tuple[Side, Side]:
    numbers = abs(random(channels)) + np.float32(0.1)
    first = Side([1, channels, size, size], 1, 2, 3, numbers.reshape(channels, 1, 1))
    return first, Side([1, size, size, channels], 3, 1, 2, numbers)


def case(op: str, *inputs: str, constants: Callable[[Side], dict[str, Array]] = lambda side: {}, **attrs: Any) -> Case:
    """One operator; an attribute may depend on the side."""

    def made(side: Side) -> tuple[list[NodeProto], dict[str, Array]]:
        own = {name: one(side) if callable(one) else one for name, one in attrs.items()}
        return [node(op, ["x", *inputs], ["y"], **own)], constants(side)

    return made


def row_of_vectors(side: Side) -> dict[str, Array]:
    """The vector; channels last, one for each pixel of a row."""
    return {"v": side.vector if side.c == 1 else np.tile(side.vector, (side.shape[side.w], 1))}


def quantised(side: Side) -> tuple[list[NodeProto], dict[str, Array]]:
    nodes = [
        node("QuantizeLinear", ["x", "v", "z"], ["q"], axis=side.c),
        node("DequantizeLinear", ["q", "v", "z"], ["y"], axis=side.c),
    ]
    return nodes, {"v": side.vector.ravel(), "z": np.zeros(side.vector.size, np.int8)}


def vector(side: Side) -> dict[str, Array]:
    return {"v": side.vector}


def scales(side: Side) -> dict[str, Array]:
    return {"s": side.per_axis(2).astype(np.float32)}


def half(side: Side) -> dict[str, Array]:
    return {"b": ints(0), "e": ints((side.vector.size + 1) // 2), "a": ints(side.c)}


def reversed_channels(side: Side) -> dict[str, Array]:
    return {"g": np.arange(side.vector.size)[::-1].astype(np.int64)}


CASES: dict[str, Case] = {
    "Transpose to the other": case("Transpose", perm=lambda side: LAST if side.c == 1 else perm.inverse(LAST)),
    "Relu": case("Relu"),
    "Add, one number per channel": case("Add", "v", constants=vector),
    "Add, the same for each pixel of a row": case("Add", "v", constants=row_of_vectors),
    "PRelu, one slope per channel": case("PRelu", "v", constants=vector),
    "Concat of channels": case("Concat", "x", axis=lambda side: side.c),
    "Concat of rows": case("Concat", "x", axis=lambda side: side.h),
    "Slice of half the channels": case("Slice", "b", "e", "a", constants=half),
    "Gather of channels, reversed": case("Gather", "g", constants=reversed_channels, axis=lambda side: side.c),
    "Tile, 2 x 2": case("Tile", "r", constants=lambda side: {"r": side.per_axis(2)}),
    "ReduceMean of height and width": case("ReduceMean", axes=lambda side: [side.h, side.w]),
    "ReduceMean of channels": case("ReduceMean", axes=lambda side: [side.c]),
    "ReduceMax of channels": case("ReduceMax", axes=lambda side: [side.c]),
    "Softmax of channels": case("Softmax", axis=lambda side: side.c),
    "Resize, nearest, 2 x 2": case("Resize", "", "s", constants=scales, coordinate_transformation_mode="asymmetric",
                                   nearest_mode="floor"),
    "Resize, linear, 2 x 2": case("Resize", "", "s", constants=scales, mode="linear"),
    "Quantize, Dequantize per channel": quantised,
    "Cast to float16": case("Cast", to=TensorProto.FLOAT16),
}  # fmt: skip


def net(side: Side, one: Case) -> ModelProto:
    nodes, constants = one(side)
    is_half = nodes[-1].op_type == "Cast"
    kind = TensorProto.FLOAT16 if is_half else TensorProto.FLOAT
    return model(nodes, [value("x", side.shape)], [value("y", None, kind)], constants)


def table() -> Iterator[str]:
    yield "| | " + " | ".join(f"C {channels}, H = W = {size}" for channels, size in SIZES) + " |"
    yield "|---|" + "--:|" * len(SIZES)
    transposes: dict[tuple[int, int], float] = {}  # microseconds
    for name, one in CASES.items():
        cells = []
        for size in SIZES:
            first, last = (net(side, one) for side in sides(*size))
            milliseconds, ratio = race((first, last), {"x": LAST}, LEAST_SECONDS)
            took = milliseconds * 1000
            each = transposes.setdefault(size, took)
            cells.append(f"{took:.0f} -> {took * ratio:.0f} ({took * (ratio - 1) / each:+.1f})")
        yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    PAGE.write_text("\n".join([HEAD, *table(), ""]))


if __name__ == "__main__":
    main()
