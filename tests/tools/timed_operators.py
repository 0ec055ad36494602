"""Operators on images stored channels first and channels last, one at a time, as `make prices` times them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto

from passes.layout import perm
from tests.support.graphs import Array, ints, model, node, random, value

LAST = perm.channels_last(4)


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


def around(side: Side) -> dict[str, Array]:
    return {"p": np.asarray([int(axis in (side.h, side.w)) for axis in range(4)] * 2, dtype=np.int64)}


def halves(side: Side) -> tuple[list[NodeProto], dict[str, Array]]:
    return [node("Split", ["x", "s"], ["a", "b"], axis=side.c), node("Concat", ["b", "a"], ["y"], axis=side.c)], {
        "s": ints((side.vector.size + 1) // 2, side.vector.size // 2)
    }


def half(side: Side) -> dict[str, Array]:
    return {"b": ints(0), "e": ints((side.vector.size + 1) // 2), "a": ints(side.c)}


def reversed_channels(side: Side) -> dict[str, Array]:
    return {"g": np.arange(side.vector.size)[::-1].astype(np.int64)}


CASES: dict[str, Case] = {
    "Transpose to the other": case("Transpose", perm=lambda side: LAST if side.c == 1 else perm.inverse(LAST)),
    "The same as Einsum": case("Einsum", equation=lambda side: "abcd->acdb" if side.c == 1 else "abcd->adbc"),
    "Relu": case("Relu"),
    "Add, one number per channel": case("Add", "v", constants=vector),
    "Add, the same for each pixel of a row": case("Add", "v", constants=row_of_vectors),
    "PRelu, one slope per channel": case("PRelu", "v", constants=vector),
    "Concat of channels": case("Concat", "x", axis=lambda side: side.c),
    "Concat of rows": case("Concat", "x", axis=lambda side: side.h),
    "Slice of half the channels": case("Slice", "b", "e", "a", constants=half),
    "Split of channels in two, Concat of these": halves,
    "Pad, 1 around": case("Pad", "p", constants=around),
    "Gather of channels, reversed": case("Gather", "g", constants=reversed_channels, axis=lambda side: side.c),
    "Tile, 2 x 2": case("Tile", "r", constants=lambda side: {"r": side.per_axis(2)}),
    "ReduceMean of height and width": case("ReduceMean", axes=lambda side: [side.h, side.w]),
    "ReduceMean of channels": case("ReduceMean", axes=lambda side: [side.c]),
    "ReduceMax of channels": case("ReduceMax", axes=lambda side: [side.c]),
    "ReduceMax of height and width": case("ReduceMax", axes=lambda side: [side.h, side.w]),
    "Softmax of channels": case("Softmax", axis=lambda side: side.c),
    "Resize, nearest, 2 x 2": case("Resize", "", "s", constants=scales, coordinate_transformation_mode="asymmetric",
                                   nearest_mode="floor"),
    "Resize, linear, 2 x 2": case("Resize", "", "s", constants=scales, mode="linear"),
    "Resize, cubic, 2 x 2": case("Resize", "", "s", constants=scales, mode="cubic"),
    "Quantize, Dequantize per channel": quantised,
    "Cast to float16": case("Cast", to=TensorProto.FLOAT16),
}  # fmt: skip


def net(side: Side, one: Case) -> ModelProto:
    nodes, constants = one(side)
    is_half = nodes[-1].op_type == "Cast"
    kind = TensorProto.FLOAT16 if is_half else TensorProto.FLOAT
    return model(nodes, [value("x", side.shape)], [value("y", None, kind)], constants)
