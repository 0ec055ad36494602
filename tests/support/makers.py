"""What random graphs are made of: every maker adds a node (or a few) to a graph, or raises Nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import GraphProto, helper

from tests.support.growing import Growing, Nothing, declared
from tests.support.makers_axes import (
    arg_reduce,
    concat,
    constant_of_shape,
    expand,
    flatten,
    gather,
    gemm,
    matmul,
    pad,
    reduce,
    reshape,
    reshape_like,
    shape_chain,
    slice_axes,
    softmax,
    split,
    squeeze,
    swap_groups,
    tile,
    to_last_and_back,
    transpose,
    unsqueeze,
)
from tests.support.makers_numbers import (
    average_pool,
    batch_norm,
    binary,
    blocks,
    cast,
    clip,
    conv,
    conv_transpose,
    global_pool,
    halve,
    logic,
    max_pool,
    norm,
    odd,
    resize,
    unary,
    variadic,
    where,
)

Maker = Callable[[Growing], Any]


def barrier(g: Growing) -> None:
    """Operators that read or write positions."""
    x = g.value(lambda array: array.ndim > 0)
    axis = g.axis(x)
    index = g.constant(g.rng.integers(0, g.shape(x)[axis], g.shape(x)))
    op = g.pick(
        ["TopK", "CumSum", "NonZero", "GatherElements", "ScatterElements", "Trilu", "Compress", "Einsum", "Unique"]
    )
    if op == "TopK" and g.opset >= 11:
        g.add("TopK", [x, g.ints([1])], 2, axis=axis)
    elif op == "CumSum":
        g.add("CumSum", [x, g.ints(axis)], reverse=g.below(2))
    elif op == "GatherElements":
        g.add(op, [x, index], axis=axis)
    elif op == "ScatterElements" and g.opset < 16:
        g.add(op, [x, index, g.weights(*g.shape(x))], axis=axis)
    elif op == "Compress":
        g.add(op, [x, g.constant(np.arange(g.shape(x)[axis]) % 2 == 0)], axis=axis)
    elif op == "Unique":
        g.add(op, [x], 4, axis=axis, sorted=g.below(2))
    elif op == "Einsum":
        letters = "abcdef"[: len(g.shape(x))]
        g.add(op, [x], equation=f"{letters}->{''.join(g.rng.permutation(list(letters)).tolist())}")
    else:
        g.add(op, [x])


def quantise(g: Growing) -> None:
    x = g.value(lambda array: array.ndim > 1)
    axis = g.axis(x)
    per_axis = g.opset >= 13 and g.below(2)
    size = (g.shape(x)[axis],) if per_axis else ()
    scale = g.constant(np.asarray(2.0 ** g.rng.integers(-1, 2, size), dtype=np.float32))
    zero = g.constant(np.asarray(g.rng.integers(-3, 3, size), dtype=np.int8))
    attrs = {"axis": axis} if per_axis else {}
    (y,) = g.add("QuantizeLinear", [x, scale, zero], **attrs) if g.opset >= 10 else (None,)
    if y is not None:
        g.add("DequantizeLinear", [y, scale, zero], **attrs)


def body(g: Growing, name: str, inputs: dict[str, Any], give: Callable[[Growing], list[str]]) -> GraphProto:
    """A subgraph grown on values from outside (which it captures) and on ``inputs``."""
    inner = Growing(g.rng, g.opset, f"{g.prefix}{name}{len(g.nodes)}_", {**g.values, **inputs}, g.constants)
    given = give(inner)
    outputs = [declared(y, inner.values[y], None if g.below(2) else [None] * inner.values[y].ndim) for y in given]
    return helper.make_graph(inner.nodes, name, [declared(*item) for item in inputs.items()], outputs)


def branch(g: Growing) -> list[str]:
    g.grow(PLAIN, 1 + g.below(3))
    made = [name for node in g.nodes for name in node.output if name in g.values and g.values[name].dtype == np.float32]
    if not made:
        raise Nothing
    return made[-1:]


def if_(g: Growing) -> None:
    condition = g.constant(np.asarray(bool(g.below(2)))) if g.below(2) else flag(g)
    g.add("If", [condition], then_branch=body(g, "then", {}, branch), else_branch=body(g, "else", {}, branch))


def flag(g: Growing) -> str:
    """A computed condition."""
    attrs, axes = {"keepdims": 0}, range(len(g.shape(x := g.value())))
    (top,) = g.add("ReduceMax", [x], **attrs) if axes else (x,)
    return g.add("Greater", [top, g.constant(np.asarray(1, dtype=np.float32))])[0]


def loop(g: Growing) -> None:
    """Two rounds that carry one value along and collect another."""
    x = g.small()
    state = g.values[x]
    mark = f"{g.prefix}loop{len(g.nodes)}"
    inputs = {f"{mark}_i": np.asarray(0), f"{mark}_go": np.asarray(True), f"{mark}_x": state}

    def give(inner: Growing) -> list[str]:
        (go,) = inner.add("Identity", [f"{mark}_go"])
        (seen,) = branch(inner)
        (carried,) = inner.add("Max", [f"{mark}_x", x])
        return [go, carried, seen]

    g.add("Loop", [g.ints(2), "", x], 2, body=body(g, "loop", inputs, give))


PLAIN: tuple[Maker, ...] = (
    unary, clip, binary, variadic, conv, max_pool, batch_norm, concat, slice_axes, pad, reduce, transpose, reshape,
    squeeze, unsqueeze, gather, matmul,
)  # fmt: skip
FEW: tuple[Maker, ...] = (unary, odd, binary, concat, conv, transpose, transpose, softmax, reduce, flatten, gemm)
ALL: tuple[Maker, ...] = (
    *PLAIN, unary, binary, binary, conv, conv, transpose, transpose, reshape, odd, cast, halve, logic, where,
    conv_transpose, average_pool, global_pool, norm, resize, blocks, split, arg_reduce, softmax, to_last_and_back,
    swap_groups, flatten, expand, tile, constant_of_shape, shape_chain, reshape_like, gemm, barrier, quantise, if_,
    loop,
)  # fmt: skip
