"""Operators that ONNX defines channels-first: convolution, pooling, Resize, DepthToSpace.

A layout (0, 1, spatial...) keeps the operator and reorders its spatial attributes. A layout (0, spatial..., 1) becomes
what the dialect makes of it, if it can say it. Anything else is refused.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from passes.dialects import base as forms
from passes.dialects.base import Form
from passes.layout import layout as lay
from passes.layout import perm
from passes.layout.edit import Edit, Put, Take
from passes.layout.formats import FORMATS
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
from passes.rules.rule import Rule, RuleFn

PER_SPATIAL_AXIS = ("kernel_shape", "strides", "dilations", "output_padding", "output_shape")


def spatial(node: Node, layout: Layout) -> Move:
    """Channels-first with its spatial axes in any order, or the dialect's channels-last function."""
    if layout.orders:
        raise Refusal(f"{node.op} needs its channels and positions in their original order")
    return placed(node, layout.perm)


def placed(node: Node, p: Perm) -> Move:
    form = form_of(node)
    return channels_first(node, p, form) or channels_last(node, p, form)


def form_of(node: Node) -> Form:
    """The form of the operator that has this node's optional inputs and outputs.

    A Conv without bias has its own: a function that is given an empty bias keeps onnxruntime from fusing it.
    """
    n_in, n_out = node.arity
    given = max(i for i in range(n_in) if node.has(IN(i)) and list(node.tensor(IN(i)).shape or ()) != [0])
    form = forms.form_of(node.op, given + 1, max(j for j in range(n_out) if node.has(OUT(j))) + 1, node.opset)
    if form is None:
        raise Refusal(f"{node.op} at opset {node.opset} has no channels-last function")
    return form


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


def channels_first(node: Node, p: Perm, form: Form) -> Move | None:
    """The same operator with its spatial axes in the order ``p`` has them; ``None`` if ``p`` moves the channels."""
    if p[:2] != (0, 1):
        return None
    return arranged(node, p, form, Layout(p), Layout(p), attrs=spatial_attrs(node, p))


def channels_last(node: Node, p: Perm, form: Form) -> Move:
    """As the dialect writes it."""
    if p[0] != 0 or p[-1] != 1:
        raise Refusal(f"{node.op} is defined channels-first; {p} is neither that nor channels-last")
    spelling = node.dialect.spell(form, len(p))
    if spelling is None:
        raise Refusal(f"standard ONNX defines {node.op} channels-first only")
    first = (0, 1, *p[1:-1])
    kernel = Layout(perm.then(first, spelling.kernel))
    attrs = {**spatial_attrs(node, first), **spelling.attrs}
    return arranged(node, p, form, Layout(p), kernel, op=spelling.op, domain=spelling.domain, attrs=attrs)


def says_last(node: Node, p: Perm) -> bool:
    """Whether this is channels-last and the dialect can write it."""
    return p[:1] + p[-1:] == (0, 1) and node.dialect.spell(form_of(node), len(p)) is not None


def arranged(node: Node, p: Perm, form: Form, data: Layout, kernel: Layout, **changes: Any) -> Move:
    """A Move with every input and output laid out as ``form`` says."""
    inputs: dict[int, Layout] = {}
    edits: dict[int, Edit] = {}
    for i, kind in enumerate(form.inputs):
        if not node.has(IN(i)):
            continue
        if kind in "xw":
            inputs[i] = data if kind == "x" else kernel
        elif kind == "v":
            edits[i] = Take(p)
    return node.move(inputs, dict.fromkeys(range(node.arity[1]), data), edits=edits, **changes)


def spatial_attrs(node: Node, p: Perm) -> dict[str, Any]:
    """The attributes that hold one entry (pads: two) per spatial axis, in the order ``p`` has the spatial axes."""
    if p != perm.identity(len(p)) and node.op in ("DepthToSpace", "SpaceToDepth"):
        raise Refusal(f"{node.op} needs its spatial axes in order")
    inner = tuple(a - 2 for a in p[2:])
    attrs = {key: perm.reorder(inner, node.attr(key)) for key in PER_SPATIAL_AXIS if node.attr(key)}
    if node.attr("pads"):
        attrs["pads"] = perm.reorder(perm.reorder_pairs(inner), node.attr("pads"))
    return {key: value for key, value in attrs.items() if value != node.attr(key)}


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


def resize(scales: int) -> RuleFn:
    """Resize and Upsample whose input ``scales`` holds these, the next one (if any) sizes."""

    def rule(node: Node, layout: Layout) -> Move:
        """Spatial where it resizes spatial axes (onnxruntime's fast kernels are channels-first), else per axis.

        With the attribute ``axes`` scales or sizes are written densely: onnxruntime 1.31 crashes on a Resize with axes
        next to a Transpose.
        """
        move = resize_dense(node, layout, scales)
        if not node.attr("axes"):
            return move
        edits = {i: Put(vector[list(layout.perm)]) for i, vector in dense(node).items()}
        return replace(move, attrs={**move.attrs, "axes": None}, edits=edits)

    return rule


def resize_dense(node: Node, layout: Layout, scales: int) -> Move:
    p, (certain, possible) = layout.perm, resized(node, scales)
    if len(p) not in FORMATS or p[:2] == (0, 1) or certain & {0, 1}:
        moved = {p.index(axis) for axis in possible} if certain & {0, 1} and p != perm.identity(len(p)) else set()
        if not interpolates(node.attr("mode", "nearest"), len(p), moved):
            raise Refusal(f"runtimes interpolate along neighbouring spatial axes only, and {p} sets them apart")
        return resize_any(node, layout, scales)
    if node.attr("coordinate_transformation_mode") == "tf_crop_and_resize" and p != perm.channels_last(len(p)):
        raise Refusal(f"{node.op} needs its spatial axes in the order of its region of interest")
    return spatial(node, layout)


def resized(node: Node, scales: int) -> tuple[set[int], set[int]]:
    """The axes that certainly change size, and those that possibly do: by scales, or as their sizes tell."""
    if node.has(IN(scales)) and node.is_constant(scales) and node.const(scales).size:
        factors = dense(node)[scales] if node.attr("axes") else node.const(scales)
        certain = {i for i, factor in enumerate(factors) if factor != 1}
        return certain, certain
    both = list(enumerate(zip(node.shape(IN(0)), node.shape(OUT(0)), strict=True)))
    certain = {i for i, (a, b) in both if isinstance(a, int) and isinstance(b, int) and a != b}
    return certain, {i for i, (a, b) in both if a is None or a != b}


def interpolates(mode: str, rank: int, axes: set[int]) -> bool:
    """Whether onnxruntime resizes these axes in this mode (its ScalesValidation; other runtimes do no more)."""
    inner = axes <= set(range(2, rank))
    return {"nearest": True, "linear": inner or rank < 4 or (rank == 4 and axes <= {1, 2})}.get(mode, inner or rank < 3)


def global_pool(axes_as_input: bool) -> RuleFn:
    """Global pools in an opset in which reductions have their axes as an input, or as an attribute."""

    def rule(node: Node, layout: Layout) -> Move:
        """The dialect's function, or (where there is none) a reduction over the spatial axes wherever they are
        stored."""
        p = layout.perm
        if p[:2] == (0, 1) or says_last(node, p):
            return pool(node, layout)
        channel_order(node, IN(0), layout)
        if node.op == "GlobalLpPool" and node.attr("p", 2) not in (1, 2):
            raise Refusal("GlobalLpPool is a reduction only for p of 1 or 2")
        reduction = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"}.get(node.op)
        op, axes = reduction or f"ReduceL{node.attr('p', 2)}", perm.axes(p, range(2, len(p)))
        attrs = {"p": None, "keepdims": 1, **({} if axes_as_input else {"axes": axes})}
        edits = {1: Put(np.asarray(axes))} if axes_as_input else {}
        return node.move({0: layout}, {0: layout}, attrs=attrs, edits=edits, op=op)

    return rule


def hard_swish(node: Node, layout: Layout) -> Move:
    """Elementwise. As a function it stays next to a Conv when onnxruntime takes it apart, and so is fused with it."""
    return spatial(node, layout) if not layout.orders and says_last(node, layout.perm) else same(node, layout)


def conv_transpose(node: Node, layout: Layout) -> Move:
    """As other convolution; of padding SAME and output_padding together the inference within functions is wrong."""
    if str(node.attr("auto_pad", "")).startswith("SAME") and any(node.attr("output_padding") or ()):
        raise Refusal("of ConvTranspose with auto_pad and output_padding, onnx and onnxruntime infer different sizes")
    return spatial(node, layout)


SPATIAL = Rule(spatial, image=True)

register("DepthToSpace SpaceToDepth", SPATIAL)
register("AveragePool LpPool", Rule(pool, image=True))
register("Conv", Rule(conv, (IN(0), OUT(0)), image=True))
register("ConvTranspose", Rule(conv_transpose, image=True))
register("GlobalAveragePool GlobalMaxPool GlobalLpPool", Rule(global_pool(axes_as_input=False), image=True))
register("GlobalAveragePool GlobalMaxPool GlobalLpPool", Rule(global_pool(axes_as_input=True), image=True), since=18)
register("MaxPool", Rule(max_pool, image=True))
register("MaxUnpool", Rule(indexed, image=True))
register("Resize", Rule(resize(scales=1), always_rewrite=True), since=10)
register("Resize", Rule(resize(scales=2), always_rewrite=True), since=11)
register("Upsample", Rule(resize(scales=1)), since=9)
register("HardSwish", Rule(hard_swish), since=14)
