"""Operators with one parameter per axis: Pad, Slice, Tile, Expand."""

import numpy as np

from passes.rules.api import (
    IN,
    OUT,
    Edit,
    Expand,
    Layout,
    Lookup,
    Move,
    Node,
    Omit,
    Put,
    Rule,
    Take,
    broadcast_axes,
    perm,
    register,
)
from passes.rules.elementwise import operand


def tile(node: Node, layout: Layout) -> Move:
    """Tile: input 1 holds one repeat per axis."""
    return node.move({0: layout}, {0: layout}, edits={1: Take(layout.perm)})


def pad_attr(node: Node, layout: Layout) -> Move:
    """Pad before opset 11: ``pads`` is an attribute, all begins then all ends."""
    pads = perm.reorder(perm.reorder_pairs(layout.perm), node.attr("pads"))
    return node.move({0: layout}, {0: layout}, attrs={"pads": pads})


def pad_input(node: Node, layout: Layout) -> Move:
    """Pad: input 1 holds all begins then all ends, of every axis or (opset 18) of those in input 3.

    With ``axes`` the pads are written densely: onnxruntime 1.31 mishandles Transposes around a Pad with axes.
    """
    pairs = perm.reorder_pairs(layout.perm)
    if not node.has(IN(3)):
        return node.move({0: layout}, {0: layout}, edits={1: Take(pairs)})
    pads, axes = node.const(1), [a % layout.rank for a in node.ints(3)]
    dense = np.zeros(2 * layout.rank, dtype=pads.dtype)
    dense[axes] = pads[: len(axes)]
    dense[[a + layout.rank for a in axes]] = pads[len(axes) :]
    return node.move({0: layout}, {0: layout}, edits={1: Put(dense[list(pairs)]), 3: Omit()})


def slice_attr(node: Node, layout: Layout) -> Move:
    """Slice before opset 10: ``starts``, ``ends`` and ``axes`` are attributes."""
    axes = node.attr("axes") or range(len(node.attr("starts")))
    stored = [perm.axis(layout.perm, a) for a in axes]
    return node.move({0: layout}, {0: layout}, attrs={"axes": stored})


def slice_input(node: Node, layout: Layout) -> Move:
    """Slice: input 3 holds the axes that inputs 1, 2 and 4 speak of; without it, the first ones."""
    table = perm.inverse(layout.perm)
    if node.has(IN(3)):
        return node.move({0: layout}, {0: layout}, edits={3: Lookup(table)})
    (count,) = node.sizes(IN(1))
    axes = np.asarray(table[:count], dtype=node.dtype(IN(1)))
    return node.move({0: layout}, {0: layout}, edits={3: Put(axes)})


def expand(node: Node, layout: Layout) -> Move:
    """Expand: input 1 is a shape that broadcasts with input 0's; the independent slot is the output, with the axes of
    both."""
    source, missing = operand(node, 0, layout)
    (target,), rank = node.sizes(IN(1)), layout.rank
    edits: dict[int, Edit] = {0: Expand(missing)} if missing else {}
    if target == rank:
        return node.move({0: source}, {0: layout}, edits={**edits, 1: Take(layout.axis_perm)})
    dense = np.ones(rank, dtype=np.int64)
    dense[rank - target :] = node.const(1)
    return node.move({0: source}, {0: layout}, edits={**edits, 1: Put(dense[list(layout.axis_perm)])})


def center_crop_pad(node: Node, layout: Layout) -> Move:
    """CenterCropPad: input 1 holds one size per axis, or per axis in the attribute ``axes``."""
    axes, p = node.attr("axes"), layout.perm
    if axes is None:
        return node.move({0: layout}, {0: layout}, edits={1: Take(p)})
    return node.move({0: layout}, {0: layout}, attrs={"axes": [perm.axis(p, a) for a in axes]})


def fill(node: Node, layout: Layout) -> Move:
    """ConstantOfShape: every element is the same; input 0 is the shape."""
    return node.move(None, {0: layout}, edits={0: Take(layout.axis_perm)})


register("Tile", Rule(tile), since=6)
register("Pad", Rule(pad_attr), since=2)
register("Pad", Rule(pad_input, always_rewrite=True), since=11)
register("Slice", Rule(slice_attr))
register("Slice", Rule(slice_input), since=10)
register("Expand", Rule(expand, (OUT(0),), labels=broadcast_axes))
register("CenterCropPad", Rule(center_crop_pad))
register("ConstantOfShape", Rule(fill, (OUT(0),)))
