"""What random graphs are made of: every maker adds a node (or a few) to a graph, or raises Nothing."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from growing import DOMAIN, Growing, Nothing, declared
from onnx import GraphProto, TensorProto, helper

Maker = Callable[[Growing], Any]


def is_image(array: Any) -> bool:
    return array.ndim in (3, 4, 5)


def unary(g: Growing) -> None:
    op = g.pick(["Relu", "Neg", "Abs", "Sign", "Identity", "Floor", "Ceil", "Dropout", "LeakyRelu", "Sigmoid", "Elu"])
    attrs = {"alpha": 0.5} if op == "LeakyRelu" else {}
    g.add(op, [g.value()], **attrs)


def clip(g: Growing) -> None:
    if g.opset < 11:
        g.add("Clip", [g.value()], min=-2.0, max=3.0)
    else:
        low, high = (g.constant(np.asarray(v, dtype=np.float32)) for v in (-2, 3))
        g.add("Clip", [g.value(), g.pick([low, ""]), high])


def odd(g: Growing) -> None:
    g.add("Odd", [g.value()], domain=DOMAIN)


def cast(g: Growing) -> None:
    x = g.value(kind="fib")
    g.add("Cast", [x], to=g.pick([TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL]))


def operand(g: Growing, x: str) -> str:
    """A constant or value that broadcasts with ``x``, as far as can be told by luck."""
    shape = g.shape(x)
    if g.below(2):
        small = shape[g.below(len(shape) + 1) :]
        return g.weights(*(d if g.below(2) else 1 for d in small))
    return g.small(lambda array: all(a == b or 1 in (a, b) for a, b in zip(array.shape[::-1], shape[::-1], strict=False)))


def binary(g: Growing) -> None:
    x = g.small()
    pair = [x, operand(g, x)]
    op = g.pick(["Add", "Sub", "Mul", "Add", "Mul", "PRelu", "Greater", "Less", "Equal" if g.opset >= 11 else "Add"])
    g.add(op, pair if op == "PRelu" or g.below(2) else pair[::-1])


def halve(g: Growing) -> None:
    x = g.value()
    g.add("Div", [x, g.constant(np.asarray([2], dtype=np.float32))])


def variadic(g: Growing) -> None:
    x = g.small()
    g.add(g.pick(["Sum", "Max", "Min"]), [x, *(operand(g, x) for _ in range(g.below(3)))])


def logic(g: Growing) -> None:
    x = g.value(kind="b")
    g.add(*g.pick([("Not", [x]), ("And", [x, g.value(kind="b")]), ("Xor", [g.value(kind="b"), x])]))


def where(g: Growing) -> None:
    x = g.small()
    g.add("Where", [g.value(kind="b"), x, operand(g, x)])


def window(g: Growing, rank: int, dilated: bool = True) -> dict[str, Any]:
    """Kernel, strides, pads and dilations of unlike sizes."""
    kernel = [1 + g.below(3) for _ in range(rank)]
    attrs: dict[str, Any] = {"kernel_shape": kernel}
    if g.below(2):
        attrs["strides"] = [1 + g.below(2) for _ in range(rank)]
    if g.below(2):
        attrs["pads"] = [g.below(k) for k in (*kernel, *kernel)]
    elif not g.below(3):
        attrs["auto_pad"] = g.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])
    if dilated and not g.below(3) and "auto_pad" not in attrs:
        attrs["dilations"] = [1 + g.below(2) for _ in range(rank)]
    return attrs


def conv(g: Growing) -> None:
    x = g.small(is_image)
    channels, attrs = g.shape(x)[1], window(g, len(g.shape(x)) - 2)
    group = g.pick([d for d in (1, 1, 2, channels) if channels % d == 0])
    out = group * (1 + g.below(3))
    kernel = g.weights(out, channels // group, *attrs["kernel_shape"])
    g.add("Conv", [x, kernel, *g.pick([[], [g.weights(out)]])], group=group, **attrs)


def conv_transpose(g: Growing) -> None:
    x = g.small(is_image)
    channels, attrs = g.shape(x)[1], window(g, len(g.shape(x)) - 2)
    if g.below(2) and "strides" in attrs:
        attrs["output_padding"] = [g.below(s) for s in attrs["strides"]]
    group = g.pick([d for d in (1, 1, 2) if channels % d == 0])
    out = 1 + g.below(3)
    kernel = g.weights(channels, out, *attrs["kernel_shape"])
    g.add("ConvTranspose", [x, kernel, *g.pick([[], [g.weights(out * group)]])], group=group, **attrs)


def max_pool(g: Growing) -> None:
    x = g.value(is_image)
    attrs = window(g, len(g.shape(x)) - 2, dilated=g.opset >= 10)
    if g.opset >= 10 and g.below(2):
        attrs["ceil_mode"] = 1
    g.add("MaxPool", [x], 1 + (not g.below(4)), **attrs)


def average_pool(g: Growing) -> None:
    x = g.value(is_image)
    attrs = window(g, len(g.shape(x)) - 2, dilated=g.opset >= 19)
    g.add("AveragePool", [x], count_include_pad=g.below(2), **attrs)


def global_pool(g: Growing) -> None:
    g.add(g.pick(["GlobalAveragePool", "GlobalMaxPool"]), [g.value(is_image)])


def norm(g: Growing) -> None:
    x = g.small(is_image)
    vectors = [g.weights(g.shape(x)[1]) for _ in range(2)]
    g.add(*g.pick([("InstanceNormalization", [x, *vectors]), ("LRN", [x])]), **g.pick([{"size": 3}, {}]))


def batch_norm(g: Growing) -> None:
    x = g.small(lambda array: array.ndim > 1)
    channels = g.shape(x)[1]
    variance = g.constant((4.0 ** g.rng.integers(0, 2, channels)).astype(np.float32))
    g.add("BatchNormalization", [x, *(g.weights(channels) for _ in range(3)), variance], epsilon=0.0)


def resize(g: Growing) -> None:
    x = g.small(lambda array: array.ndim > 1)
    shape = g.shape(x)
    scales = [g.pick([1, 2]) if i > 1 or not g.below(4) else 1 for i in range(len(shape))]
    numbers = g.constant(np.asarray(scales, dtype=np.float32))
    if g.opset < 11:
        g.add("Upsample" if g.opset < 10 else "Resize", [x, numbers], mode=g.pick(["nearest", "linear"]))
        return
    attrs = {"mode": g.pick(["nearest", "nearest", "linear"])}
    attrs["coordinate_transformation_mode"] = g.pick(["asymmetric", "half_pixel", "align_corners"])
    sizes = g.ints([d * s for d, s in zip(shape, scales, strict=True)])
    none = g.constant(np.zeros(0, dtype=np.float32)) if g.opset < 13 else ""
    g.add("Resize", [x, none, *g.pick([[numbers], [none, sizes]])], **attrs)


def blocks(g: Growing) -> None:
    x = g.value(lambda array: array.ndim == 4)
    _, c, h, w = g.shape(x)
    mode = {"mode": g.pick(["DCR", "CRD"])} if g.opset >= 11 else {}
    if c % 4 == 0 and g.below(2):
        g.add("DepthToSpace", [x], blocksize=2, **mode)
    elif h % 2 == 0 and w % 2 == 0:
        g.add("SpaceToDepth", [x], blocksize=2)


def concat(g: Growing) -> None:
    x = g.value()
    axis, shape = g.axis(x), g.shape(x)
    at = axis % len(shape)
    alike = g.value(lambda a: a.ndim == len(shape) and (*a.shape[:at], *a.shape[at + 1 :]) == (*shape[:at], *shape[at + 1 :]))
    g.add("Concat", g.pick([[x, alike], [alike, x, x], [x, g.weights(*shape)]]), axis=axis)


def split(g: Growing) -> None:
    x = g.value(lambda array: max(array.shape, default=0) > 1)
    axis = g.axis(x)
    size = g.shape(x)[axis]
    parts = g.pick([[1, size - 1], [size // 2, size - size // 2]])
    if g.opset < 13:
        g.add("Split", [x], 2, axis=axis, split=parts)
    elif size % 2 == 0 and g.below(2):
        g.add("Split", [x], 2, axis=axis, **({"num_outputs": 2} if g.opset >= 18 else {}))
    else:
        g.add("Split", [x, g.ints(parts)], 2, axis=axis)


def slice_axes(g: Growing) -> None:
    x = g.value(lambda array: max(array.shape, default=0) > 2)
    rank = len(g.shape(x))
    axes = sorted(g.rng.permutation(rank)[: 1 + g.below(rank)].tolist())
    starts = [g.below(2) for _ in axes]
    ends = [g.pick([-1, g.shape(x)[a], 1000]) for a in axes]
    if g.opset < 10:
        g.add("Slice", [x], starts=starts, ends=ends, axes=axes)
    elif axes == list(range(len(axes))) and g.below(2):
        g.add("Slice", [x, g.ints(starts), g.ints(ends)])
    elif g.below(2):
        g.add("Slice", [x, *map(g.ints, (starts, ends, axes))])
    else:
        steps = [g.pick([1, 2, -1]) for _ in axes]
        begins = [-1 if s < 0 else b for s, b in zip(steps, starts, strict=True)]
        stops = [-1000 if s < 0 else e for s, e in zip(steps, ends, strict=True)]
        g.add("Slice", [x, *map(g.ints, (begins, stops, [a - rank for a in axes], steps))])


def pad(g: Growing) -> None:
    x = g.value()
    rank, mode = len(g.shape(x)), g.pick(["constant", "constant", "edge", "reflect"])
    pads = [g.below(2) for _ in range(2 * rank)]
    if g.opset < 11:
        g.add("Pad", [x], pads=pads, mode=mode)
    elif g.opset < 18 or g.below(2):
        g.add("Pad", [x, g.ints(pads), *g.pick([[], [g.weights()]])], mode=mode)
    else:
        axes = g.rng.permutation(rank)[: 1 + g.below(rank)].tolist()
        g.add("Pad", [x, g.ints(pads[: 2 * len(axes)]), "", g.ints(axes)], mode=mode)


def reduce(g: Growing) -> None:
    op = g.pick(["ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceL1", "ReduceSumSquare", "ReduceL2"])
    x = g.small(lambda array: array.ndim > 0)
    rank, keep = len(g.shape(x)), g.below(2)
    axes = g.rng.permutation(rank)[: 1 + g.below(rank)].tolist()
    if not g.below(6):
        noop = {"noop_with_empty_axes": g.below(2)} if g.opset >= (13 if op == "ReduceSum" else 18) else {}
        g.add(op, [x], keepdims=keep, **noop)
    elif g.opset < (13 if op == "ReduceSum" else 18):
        g.add(op, [x], keepdims=keep, axes=axes)
    else:
        g.add(op, [x, g.ints(axes)], keepdims=keep)


def arg_reduce(g: Growing) -> None:
    x = g.value()
    attrs = {"select_last_index": 1} if g.opset >= 12 and g.below(2) else {}
    (y,) = g.add(g.pick(["ArgMax", "ArgMin"]), [x], axis=g.axis(x), keepdims=g.below(2), **attrs)
    g.add("Cast", [y], to=TensorProto.FLOAT)


def softmax(g: Growing) -> None:
    x = g.small()
    g.add(g.pick(["Softmax", "LogSoftmax", "Hardmax", "Hardmax"]), [x], **g.pick([{"axis": g.axis(x)}, {}]))


def transpose(g: Growing) -> None:
    x = g.value(lambda array: array.ndim > 0, kind="fb")
    p = g.rng.permutation(len(g.shape(x))).tolist()
    g.add("Transpose", [x], **g.pick([{"perm": p}, {"perm": p}, {"perm": p}, {}]))


def to_last_and_back(g: Growing) -> None:
    """A channels-last island, as exporters leave them."""
    x = g.small(is_image)
    rank = len(g.shape(x))
    (y,) = g.add("Transpose", [x], perm=[0, *range(2, rank), 1])
    (y,) = g.add(g.pick(["Relu", "Abs"]), [y]) if g.below(2) else g.add("Add", [y, g.weights(g.shape(y)[-1])])
    if g.below(2):
        g.add("Transpose", [y], perm=[0, rank - 1, *range(1, rank - 1)])


def refactored(g: Growing, shape: Sequence[int]) -> list[int]:
    """Another shape of as many elements: axes merged, split or inserted, one at a time."""
    dims = list(shape)
    for _ in range(1 + g.below(3)):
        at, what = g.below(len(dims) + 1), g.below(4)
        if what == 0 and at + 1 < len(dims):
            dims[at : at + 2] = [dims[at] * dims[at + 1]]
        elif what == 1 and at < len(dims) and dims[at] % 2 == 0 and len(dims) < 6:
            dims[at : at + 1] = g.pick([[2, dims[at] // 2], [dims[at] // 2, 2]])
        elif what == 2 and len(dims) < 6:
            dims.insert(at, 1)
        elif what == 3 and 1 in dims and len(dims) > 1:
            dims.remove(1)
    return dims


def reshape(g: Growing) -> None:
    x = g.value()
    shape = g.shape(x)
    target = refactored(g, shape)
    if target and not g.below(2):
        target[g.below(len(target))] = -1
    target = [0 if i < len(shape) and d == shape[i] and g.below(2) else d for i, d in enumerate(target)]
    g.add("Reshape", [x, g.ints(target)])


def swap_groups(g: Growing) -> None:
    """A channel shuffle."""
    x = g.value(lambda array: array.ndim > 2 and array.shape[1] % 2 == 0)
    n, c, *rest = g.shape(x)
    (y,) = g.add("Reshape", [x, g.ints([n, 2, c // 2, *rest])])
    (y,) = g.add("Transpose", [y], perm=[0, 2, 1, *range(3, 3 + len(rest))])
    g.add("Reshape", [y, g.ints([n, c, *rest])])


def flatten(g: Growing) -> None:
    x = g.value()
    g.add("Flatten", [x], axis=g.axis(x) if g.below(4) else 1)


def axes_node(g: Growing, op: str, x: str, axes: list[int]) -> None:
    if g.opset < 13:
        g.add(op, [x], axes=axes)
    else:
        g.add(op, [x, g.ints(axes)])


def squeeze(g: Growing) -> None:
    x = g.value(lambda array: 1 in array.shape)
    ones = [a for a, d in enumerate(g.shape(x)) if d == 1]
    if g.below(4):
        axes_node(g, "Squeeze", x, g.pick([ones, ones[:1], ones[-1:]]))
    else:
        g.add("Squeeze", [x])


def unsqueeze(g: Growing) -> None:
    x = g.value(lambda array: array.ndim < 5)
    rank = len(g.shape(x))
    axes_node(g, "Unsqueeze", x, g.rng.permutation(rank + 2)[:2].tolist() if rank < 4 and g.below(2) else [g.below(rank + 1)])


def gather(g: Growing) -> None:
    x = g.value()
    axis = g.axis(x)
    shape = g.pick([(), (1,), (2,), (2, 3)])
    g.add("Gather", [x, g.ints(g.rng.integers(0, g.shape(x)[axis], shape).tolist())], axis=axis)


def expand(g: Growing) -> None:
    x = g.value(lambda array: array.ndim < 5)
    shape = [g.pick([2, 3]) if d == 1 and g.below(2) else g.pick([d, 1]) for d in g.shape(x)]
    g.add("Expand", [x, g.ints(g.pick([shape, shape, [2, *shape], shape[g.below(len(shape) + 1) :]]))])


def tile(g: Growing) -> None:
    x = g.value(lambda array: array.ndim > 0)
    g.add("Tile", [x, g.ints([g.pick([1, 1, 2]) for _ in g.shape(x)])])


def constant_of_shape(g: Growing) -> None:
    x = g.value(lambda array: array.ndim > 0)
    (sizes,) = g.add("Shape", [x])
    (ones,) = g.add("ConstantOfShape", [sizes], value=helper.make_tensor("one", TensorProto.FLOAT, [1], [2.0]))
    g.add("Add", [x, ones])


def shape_chain(g: Growing) -> None:
    """``x.reshape(x.shape[0], -1, ...)`` as exporters write it."""
    x = g.value(lambda array: array.ndim > 1)
    at = g.below(len(g.shape(x)))
    (sizes,) = g.add("Shape", [x])
    (size,) = g.add("Gather", [sizes, g.ints([at])], axis=0)
    rest = prod(g.shape(x)) // g.shape(x)[at]
    parts = g.pick([[size, g.ints([-1])], [g.ints([-1]), size], [size, g.ints([1]), g.ints([rest])]])
    (target,) = g.add("Concat", parts, axis=0)
    g.add("Reshape", [x, target])


def reshape_like(g: Growing) -> None:
    x = g.value(lambda array: array.ndim > 0)
    y = g.value(lambda array: array.size == prod(g.shape(x)))
    attrs = {"start": g.below(2), "end": 4} if g.opset >= 15 and not g.below(3) else {}
    (sizes,) = g.add("Shape", [y], **attrs)
    g.add(g.pick(["Reshape", "Expand"]), [x, sizes])


def matmul(g: Growing) -> None:
    x = g.small(lambda array: array.ndim > 0)
    if g.below(2):
        batch = g.pick([(), (), g.shape(x)[:-2]])
        g.add("MatMul", [x, g.weights(*batch, g.shape(x)[-1], 1 + g.below(4))])
    else:
        g.add("MatMul", [x, g.small(lambda array: array.ndim > 1 and array.shape[-2] == g.shape(x)[-1])])


def gemm(g: Growing) -> None:
    x = g.small(lambda array: array.ndim == 2)
    a, b, n = g.below(2), g.below(2), 1 + g.below(4)
    k = g.shape(x)[0 if a else 1]
    right = g.weights(*((n, k) if b else (k, n)))
    more = g.pick([[], [g.weights(n)], [g.weights(1)], [g.weights(g.shape(x)[1 if a else 0], 1)]])
    g.add("Gemm", [x, right, *(more if more or g.opset >= 11 else [g.weights(n)])], transA=a, transB=b)


def barrier(g: Growing) -> None:
    """Operators that read or write positions."""
    x = g.value(lambda array: array.ndim > 0)
    axis = g.axis(x)
    index = g.constant(g.rng.integers(0, g.shape(x)[axis], g.shape(x)))
    op = g.pick(["TopK", "CumSum", "NonZero", "GatherElements", "ScatterElements", "Trilu", "Compress", "Einsum"])
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
ALL: tuple[Maker, ...] = (
    *PLAIN, unary, binary, binary, conv, conv, transpose, transpose, reshape, odd, cast, halve, logic, where,
    conv_transpose, average_pool, global_pool, norm, resize, blocks, split, arg_reduce, softmax, to_last_and_back,
    swap_groups, flatten, expand, tile, constant_of_shape, shape_chain, reshape_like, gemm, barrier, quantise, if_, loop,
)  # fmt: skip
