"""Operators that ONNX defines channels-first: convolution, pooling, Resize, DepthToSpace.

A layout (0, 1, spatial...) keeps the operator and reorders its spatial attributes. A layout (0, spatial..., 1) becomes
the channels-last function of the dialect, if it has functions. Anything else is refused.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from passes.dialects.dialect import LAYOUT_NAMES, Spec, kernel_perm, spec_of
from passes.layout import layout as lay
from passes.layout import perm
from passes.layout.edit import Edit, Put, Take
from passes.layout.layout import Layout
from passes.layout.order import AxisOrder, Order
from passes.layout.perm import Perm
from passes.refusal import Refusal
from passes.rules.elementwise import same
from passes.rules.move import IN, OUT, Move, Slot
from passes.rules.node import Node
from passes.rules.per_axis import dense
from passes.rules.per_axis import resize as resize_any
from passes.rules.registry import register
from passes.rules.rule import Rule

# optional inputs, and the end of the function's name if one and all after it are absent
OPTIONAL_INPUTS = {
    "Conv": {2: "NoBias"},
    "ConvTranspose": {2: "NoBias"},
    "ConvInteger": {2: "NoZeroPoints", 3: "NoKernelZeroPoint"},
    "QLinearConv": {8: "NoBias"},
}
PER_SPATIAL_AXIS = ("kernel_shape", "strides", "dilations", "output_padding", "output_shape")


def spatial(node: Node, layout: Layout) -> Move:
    """Channels-first with its spatial axes in any order, or the dialect's channels-last function."""
    if layout.orders:
        raise Refusal(f"{node.op} needs its channels and positions in their original order")
    return placed(node, layout.perm)


def placed(node: Node, p: Perm) -> Move:
    name = function_name(node)
    spec = spec_of(name, node.opset)
    if spec is None:
        raise Refusal(f"{node.op} at opset {node.opset} has no channels-last function")
    return channels_first(node, p, spec) or channels_last(node, p, name, spec)


def pool(node: Node, layout: Layout) -> Move:
    """Each channel by itself: they may be in any order."""
    move, order = placed(node, layout.perm), channel_order(node, IN(0), layout)
    at = ordered(layout, len(layout.perm), {1: order})
    return replace(move, inputs=(at, *move.inputs[1:]), outputs=(at,) * len(move.outputs))


def conv(node: Node, layout: Layout, result: Layout) -> Move:
    """Conv: orders of channels are folded into the kernel; groups must stay whole, and alike inside."""
    move, groups = placed(node, layout.perm), node.attr("group", 1)
    if layout.perm != result.perm:
        raise Refusal("Conv keeps the places of batch, channels and positions")
    taken, made = channel_order(node, IN(0), layout), channel_order(node, OUT(0), result)
    (order, inside), (order_made, _) = of_groups(taken, groups), of_groups(made, groups)
    if order != order_made:
        raise Refusal("Conv keeps the order of its groups of channels")
    rank, (data, kernel, *bias) = len(layout.perm), move.inputs
    operands = (ordered(data, rank, {1: taken}), ordered(kernel, rank, {0: made, 1: inside}))
    biases = (ordered(b, 1, {0: made}) if node.has(IN(2)) else b for b in bias)
    return replace(move, inputs=(*operands, *biases), outputs=(ordered(move.outputs[0], rank, {1: made}),))


def channel_order(node: Node, slot: Slot, layout: Layout) -> AxisOrder | None:
    """The order of the channels; refused if there are others."""
    order = layout.order(1)
    if len(layout.orders) > (order is not None) or (order is not None and order.length != node.shape(slot)[1]):
        raise Refusal(f"{node.op} needs its positions in their original order")
    return order


def of_groups(order: AxisOrder | None, groups: int) -> tuple[AxisOrder | None, AxisOrder | None]:
    """An order of channels as one of whole groups of them, and one inside of each group."""
    if order is None or groups == 1:
        return None, order
    if order.length == groups:
        return order, None
    sizes, p = order if isinstance(order, Order) else ((), ())
    for cut in range(1, len(sizes)):
        if prod(sizes[:cut]) == groups and set(p[:cut]) == set(range(cut)):
            return made_of(sizes[:cut], p[:cut]), made_of(sizes[cut:], tuple(i - cut for i in p[cut:]))
    raise Refusal("the groups of a grouped Conv do not stay whole in this order of channels")


def made_of(sizes: tuple[int, ...], p: Perm) -> Order | None:
    return None if p == perm.identity(len(p)) else Order(sizes, p)


def ordered(layout: Layout, rank: int, orders: Mapping[int, AxisOrder | None]) -> Layout:
    """A layout without orders with these, by axis."""
    return lay.make(lay.of_rank(layout, rank).perm, orders.items())


def channels_first(node: Node, p: Perm, spec: Spec) -> Move | None:
    """The same operator with its spatial axes in the order ``p`` has them; ``None`` if ``p`` moves the channels."""
    if p[:2] != (0, 1):
        return None
    if p != perm.identity(len(p)) and node.op in ("DepthToSpace", "SpaceToDepth"):
        raise Refusal(f"{node.op} needs its spatial axes in order")
    return arranged(node, p, spec, Layout(p), Layout(p), attrs=spatial_attrs(node, p))


def channels_last(node: Node, p: Perm, name: str, spec: Spec) -> Move:
    """The dialect's function."""
    rank = len(p)
    if p[0] != 0 or p[-1] != 1:
        raise Refusal(f"{node.op} is defined channels-first; {p} is neither that nor channels-last")
    if not node.dialect.functions:
        raise Refusal(f"standard ONNX defines {node.op} channels-first only")
    if rank not in LAYOUT_NAMES:
        raise Refusal(f"{node.op} has no channels-last function for rank {rank}")
    first = (0, 1, *p[1:-1])
    kernel = Layout(perm.then(first, kernel_perm(node.op, rank, node.dialect.weight_layout)))
    move = channels_first(node, first, spec)
    assert move is not None
    return arranged(node, p, spec, Layout(p), kernel, op=name, domain=node.dialect.domain(rank), attrs=move.attrs)


def arranged(node: Node, p: Perm, spec: Spec, data: Layout, kernel: Layout, **changes: Any) -> Move:
    """A Move with every input and output laid out as ``spec`` says."""
    inputs: dict[int, Layout] = {}
    edits: dict[int, Edit] = {}
    for i, kind in enumerate(spec.inputs):
        if not node.has(IN(i)):
            continue
        if kind in "xw":
            inputs[i] = data if kind == "x" else kernel
        elif kind == "v":
            edits[i] = Take(p)
    return node.move(inputs, dict.fromkeys(range(node.arity[1]), data), edits=edits, **changes)


def spatial_attrs(node: Node, p: Perm) -> dict[str, Any]:
    """The attributes that hold one entry (pads: two) per spatial axis, in the order ``p`` has the spatial axes."""
    inner = tuple(a - 2 for a in p[2:])
    attrs = {key: perm.reorder(inner, node.attr(key)) for key in PER_SPATIAL_AXIS if node.attr(key)}
    if node.attr("pads"):
        attrs["pads"] = perm.reorder(perm.reorder_pairs(inner), node.attr("pads"))
    return {key: value for key, value in attrs.items() if value != node.attr(key)}


def function_name(node: Node) -> str:
    """The name of the function that has this node's optional inputs and outputs.

    A Conv without bias has its own: one that is given an empty bias keeps onnxruntime from fusing it.
    """
    given = max(i for i in range(node.arity[0]) if node.has(IN(i)))
    for first, ending in OPTIONAL_INPUTS.get(node.op, {}).items():
        if given < first:
            return f"{node.op}{ending}"
    if node.op == "DeformConv":
        return "DeformConvWithMask" if node.has(IN(4)) else "DeformConv" if node.has(IN(3)) else "DeformConvNoBias"
    if node.op == "MaxPool" and node.has(OUT(1)):
        return "MaxPoolWithIndices"
    if node.op == "MaxUnpool" and node.has(IN(2)):
        return "MaxUnpoolToShape"
    if node.op == "Resize" and node.has(IN(3)) and node.shape(IN(3)) != [0]:
        return "ResizeToSizes"
    return node.op


def indexed(node: Node, layout: Layout) -> Move:
    """MaxPool with Indices and MaxUnpool: the indices count positions of the channels-first tensor.

    In a function they still do, so they only change place with the other axes; with spatial axes swapped they would
    have other values.
    """
    if layout.perm not in (perm.identity(len(layout.perm)), perm.channels_last(len(layout.perm))):
        raise Refusal(f"the indices of {node.op} count positions in the original layout")
    return spatial(node, layout)


def max_pool(node: Node, layout: Layout) -> Move:
    """As other pooling; with Indices, which count positions, as MaxUnpool."""
    return indexed(node, layout) if node.has(OUT(1)) else pool(node, layout)


def resize(node: Node, layout: Layout) -> Move:
    """Spatial where it resizes spatial axes (onnxruntime's fast kernels are channels-first), else per axis.

    With the attribute ``axes`` scales or sizes are written densely: onnxruntime 1.31 crashes on a Resize with axes next
    to a Transpose.
    """
    if not node.attr("axes"):
        return resize_dense(node, layout)
    move, vectors = resize_dense(node, layout), dense(node)
    edits = {i: Put(vector[list(layout.perm)]) for i, vector in vectors.items()}
    return replace(move, attrs={**move.attrs, "axes": None}, edits=edits)


def resize_dense(node: Node, layout: Layout) -> Move:
    p, (certain, possible) = layout.perm, resized(node)
    if len(p) not in LAYOUT_NAMES or p[:2] == (0, 1) or certain & {0, 1}:
        moved = {p.index(axis) for axis in possible} if certain & {0, 1} and p != perm.identity(len(p)) else set()
        if not interpolates(node.attr("mode", "nearest"), len(p), moved):
            raise Refusal(f"runtimes interpolate along neighbouring spatial axes only, and {p} sets them apart")
        return resize_any(node, layout)
    if node.attr("coordinate_transformation_mode") == "tf_crop_and_resize" and p != perm.channels_last(len(p)):
        raise Refusal(f"{node.op} needs its spatial axes in the order of its region of interest")
    return spatial(node, layout)


def resized(node: Node) -> tuple[set[int], set[int]]:
    """The axes that certainly change size, and those that possibly do: by scales, or as their sizes tell."""
    at = 2 if node.op == "Resize" and node.opset > 10 else 1
    if node.has(IN(at)) and node.is_constant(at) and node.const(at).size:
        scales = dense(node)[at] if node.attr("axes") else node.const(at)
        certain = {i for i, scale in enumerate(scales) if scale != 1}
        return certain, certain
    both = list(enumerate(zip(node.shape(IN(0)), node.shape(OUT(0)), strict=True)))
    certain = {i for i, (a, b) in both if isinstance(a, int) and isinstance(b, int) and a != b}
    return certain, {i for i, (a, b) in both if a is None or a != b}


def interpolates(mode: str, rank: int, axes: set[int]) -> bool:
    """Whether onnxruntime resizes these axes in this mode (its ScalesValidation; other runtimes do no more)."""
    inner = axes <= set(range(2, rank))
    return {"nearest": True, "linear": inner or rank < 4 or (rank == 4 and axes <= {1, 2})}.get(mode, inner or rank < 3)


def global_pool(node: Node, layout: Layout) -> Move:
    """The dialect's function, or (where there is none) a reduction over the spatial axes wherever they are stored."""
    p = layout.perm
    if p[:2] == (0, 1) or (node.dialect.functions and p[0] == 0 and p[-1] == 1):
        return pool(node, layout)
    channel_order(node, IN(0), layout)
    if node.op == "GlobalLpPool" and node.attr("p", 2) not in (1, 2):
        raise Refusal("GlobalLpPool is a reduction only for p of 1 or 2")
    reduction = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"}.get(node.op)
    axes, attrs = perm.axes(p, range(2, len(p))), {"p": None, "keepdims": 1}
    changes: dict[str, Any] = {"op": reduction or f"ReduceL{node.attr('p', 2)}"}
    if node.opset < 18:
        return node.move({0: layout}, {0: layout}, attrs={**attrs, "axes": axes}, **changes)
    return node.move({0: layout}, {0: layout}, attrs=attrs, edits={1: Put(np.asarray(axes))}, **changes)


def hard_swish(node: Node, layout: Layout) -> Move:
    """Elementwise. As a function it stays next to a Conv when onnxruntime takes it apart, and so is fused with it."""
    p = layout.perm
    if not node.dialect.functions or layout.orders or len(p) not in LAYOUT_NAMES or (p[0], p[-1]) != (0, 1):
        return same(node, layout)
    return spatial(node, layout)


def conv_transpose(node: Node, layout: Layout) -> Move:
    """As other convolution; of padding SAME and output_padding together the inference within functions is wrong."""
    if str(node.attr("auto_pad", "")).startswith("SAME") and any(node.attr("output_padding") or ()):
        raise Refusal("of ConvTranspose with auto_pad and output_padding, onnx and onnxruntime infer different sizes")
    return spatial(node, layout)


SPATIAL = Rule(spatial, (IN(0),), "spatial", seed=True, pinned=True)

register("DepthToSpace SpaceToDepth", SPATIAL)
register("AveragePool LpPool", Rule(pool, (IN(0),), "spatial", seed=True, pinned=True))
register("Conv", Rule(conv, (IN(0), OUT(0)), "spatial", seed=True, pinned=True))
register("ConvTranspose", Rule(conv_transpose, (IN(0),), "spatial", seed=True, pinned=True))
register(
    "GlobalAveragePool GlobalMaxPool GlobalLpPool",
    Rule(global_pool, (IN(0),), "spatial", seed=True, pinned=True),
)
register("MaxPool", Rule(max_pool, (IN(0),), "spatial", seed=True, pinned=True))
register("MaxUnpool", Rule(indexed, (IN(0),), "spatial", seed=True, pinned=True))
register("Resize", Rule(resize, (IN(0),), "spatial", anew=True), since=10)
register("Upsample", Rule(resize, (IN(0),), "spatial"), since=9)
register("HardSwish", Rule(hard_swish, (IN(0),), "same"), since=14)
