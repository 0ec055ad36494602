"""Operators on images, which ONNX defines channels-first: what convolution, pooling and their kin have in common.

A layout (0, 1, spatial...) keeps the operator and reorders its spatial attributes. A layout (0, spatial..., 1) becomes
what the dialect makes of it, if it can say it. Anything else is refused.
"""

from dataclasses import replace
from typing import Any

from passes.dialects import base as forms
from passes.dialects.base import Form
from passes.layout.vector import reordered
from passes.rules.api import (
    IN,
    OUT,
    Edit,
    Layout,
    Move,
    Node,
    Perm,
    Refusal,
    Rule,
    Take,
    image_axes,
    perm,
    permuted,
    register,
)
from passes.rules.elementwise import same

PER_SPATIAL_AXIS = ("kernel_shape", "strides", "dilations", "output_padding", "output_shape")


def image(node: Node, layout: Layout) -> Move:
    """Channels-first with its spatial axes in any order, or the dialect's channels-last function."""
    return placed(node, layout.perm)


def placed(node: Node, p: Perm) -> Move:
    """The operator with batch, channels and positions where ``p`` has them."""
    form = form_of(node)
    return channels_first(node, p, form) or channels_last(node, p, form)


def form_of(node: Node) -> Form:
    """The form of the operator that has this node's optional inputs and outputs.

    A Conv without bias has its own: a function that is given an empty bias keeps onnxruntime from fusing it.
    """
    n_in, n_out = node.arity
    given = max(i for i in range(n_in) if not node.is_left_out(i))
    form = forms.form_of(node.op, given + 1, max(j for j in range(n_out) if node.has(OUT(j))) + 1, node.opset)
    if form is None:
        raise Refusal(f"{node.op} at opset {node.opset} has no channels-last function")
    return form


def channels_first(node: Node, p: Perm, form: Form) -> Move | None:
    """The same operator with its spatial axes in the order ``p`` has them; ``None`` if ``p`` moves the channels."""
    if p[:2] != (0, 1):
        return None
    return arranged_as(form, node, p, p, attrs=spatial_attrs(node, p))


def channels_last(node: Node, p: Perm, form: Form) -> Move:
    """As the dialect writes it."""
    if p[0] != 0 or p[-1] != 1:
        raise Refusal(f"{node.op} is defined channels-first; {p} is neither that nor channels-last")
    spelling = node.dialect.spell(form, len(p))
    if spelling is None:
        raise Refusal(f"standard ONNX defines {node.op} channels-first only")
    if lack := node.dialect.lacks(form, len(p), node.opset, node.attrs, node.dtype(IN(0))):
        raise Refusal(lack)
    first = (0, 1, *p[1:-1])
    attrs = {**spatial_attrs(node, first), **spelling.attrs}
    kernel = perm.then(first, spelling.kernel)
    return arranged_as(form, node, p, kernel, op=spelling.op, domain=spelling.domain, attrs=attrs)


def says_last(node: Node, p: Perm) -> bool:
    """Whether this is channels-last and the dialect can write it."""
    return p[:1] + p[-1:] == (0, 1) and node.dialect.spell(form_of(node), len(p)) is not None


def arranged_as(form: Form, node: Node, p: Perm, kernel: Perm, **changes: Any) -> Move:
    """A Move with images stored as ``p`` and kernels as ``kernel``, every input and output being what ``form`` says."""
    inputs: dict[int, Layout] = {}
    edits: dict[int, Edit] = {}
    for i, kind in enumerate(form.inputs):
        if not node.has(IN(i)):
            continue
        if kind in "xw":
            inputs[i] = permuted(p if kind == "x" else kernel)
        elif kind == "v":
            edits[i] = Take(p)
    outputs = {j: permuted(p) for j, kind in enumerate(form.outputs) if kind != "-"}
    return node.move(inputs, outputs, edits=edits, **changes)


def spatial_attrs(node: Node, p: Perm) -> dict[str, Any]:
    """The attributes that hold one entry (pads: two) per spatial axis, in the order ``p`` has the spatial axes."""
    inner = tuple(a - 2 for a in p[2:])
    attrs = {key: perm.reorder(inner, node.attr(key)) for key in PER_SPATIAL_AXIS if node.attr(key)}
    if node.attr("pads"):
        attrs["pads"] = perm.reorder(perm.reorder_pairs(inner), node.attr("pads"))
    return {key: value for key, value in attrs.items() if value != node.attr(key)}


def channel_order(layout: Layout) -> Layout:
    """The order of the channels. Refuses if positions are in another order than the original's."""
    return layout.require_natural(*(axis for axis in range(layout.rank) if axis != 1)).along(1)


def still(node: Node, layout: Layout) -> Move:
    """Blocks, or indices and positions that are read or given besides, are in the original order of the spatial axes:
    only the channels move, in a function."""
    if layout.perm not in (perm.identity(layout.rank), perm.channels_last(layout.rank)):
        raise Refusal(f"{node.op} needs its spatial axes in their original order")
    return image(node, layout)


def depth_to_space(node: Node, layout: Layout) -> list[Move]:
    """As it is; or in the other mode, of channels in that one's order, which a kernel before it absorbs."""
    move, shape, blocks = still(node, layout), node.shape(IN(0)), node.attr("blocksize") ** 2
    if not isinstance(shape[1], int) or shape[1] == blocks:
        return [move]
    mode = node.attr("mode", "DCR")
    sizes = {"CRD": (shape[1] // blocks, blocks), "DCR": (blocks, shape[1] // blocks)}
    (other,) = sizes.keys() - {mode}
    taken = layout.with_along({1: reordered(sizes[mode], (1, 0))})
    return [move, replace(move, inputs=(taken,), attrs={**move.attrs, "mode": other})]


def hard_swish(node: Node, layout: Layout) -> Move:
    """Elementwise. As a function it stays next to a Conv when onnxruntime takes it apart, and so is fused with it."""
    if layout.is_divided or not says_last(node, layout.perm):
        return same(node, layout)
    return image(node, layout)


IMAGE = Rule(image, image=True, labels=image_axes)

register(
    "DepthToSpace SpaceToDepth MaxUnpool GridSample RoiAlign MaxRoiPool DeformConv",
    Rule(still, image=True, labels=image_axes),
)
register("DepthToSpace", Rule(depth_to_space, (OUT(0),), image=True, labels=image_axes), since=11)  # which has modes
register("HardSwish", Rule(hard_swish), since=14)
