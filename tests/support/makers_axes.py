"""Makers of nodes that join, cut, reduce, move or rename axes, and of matrix products."""

from collections.abc import Sequence
from math import prod

from onnx import TensorProto, helper

from tests.support.growing import Growing
from tests.support.makers_numbers import is_image


def concat(g: Growing) -> None:
    x = g.value()
    axis, shape = g.axis(x), g.shape(x)
    at = axis % len(shape)
    alike = g.value(
        lambda a: a.ndim == len(shape) and (*a.shape[:at], *a.shape[at + 1 :]) == (*shape[:at], *shape[at + 1 :])
    )
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
    axes_node(
        g, "Unsqueeze", x, g.rng.permutation(rank + 2)[:2].tolist() if rank < 4 and g.below(2) else [g.below(rank + 1)]
    )


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
    if g.below(2):
        right = g.weights(*((n, k) if b else (k, n)))
    else:
        right = g.small(lambda array: array.ndim == 2 and array.shape[b] == k)
        n = g.shape(right)[1 - b]
    more = g.pick([[], [g.weights(n)], [g.weights(1)], [g.weights(g.shape(x)[1 if a else 0], 1)]])
    g.add("Gemm", [x, right, *(more if more or g.opset >= 11 else [g.weights(n)])], transA=a, transB=b)
