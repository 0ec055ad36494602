"""Operators that split and merge axes: Flatten and Reshape."""

from collections.abc import Hashable

import numpy as np

from passes.layout.reshape import of_flatten, of_reshape
from passes.rules.api import (
    IN,
    OUT,
    Edit,
    Labels,
    Layout,
    Move,
    Node,
    Put,
    Refusal,
    Rule,
    Shape,
    Slot,
    Take,
    perm,
    register,
)


def reshape(node: Node, layout: Layout) -> list[Move]:
    """Reshape: the independent slot is the side with more axes; the other side's layout follows from the atoms."""
    both, forward = of_reshape(node.shape(IN(0)), node.shape(OUT(0))), widest(node) == (IN(0),)
    others = (both if forward else both.reversed()).carry(layout)
    sides = [(layout, other) if forward else (other, layout) for other in others]
    return [node.move({0: source}, {0: target}, edits=new_target(node, source, target)) for source, target in sides]


def before_or_after(node: Node, layout: Layout) -> list[Layout]:
    """Layouts of the independent slot when the side with fewer axes has ``layout``."""
    both, forward = of_reshape(node.shape(IN(0)), node.shape(OUT(0))), widest(node) == (IN(0),)
    return (both.reversed() if forward else both).carry(layout)


def widest(node: Node) -> tuple[Slot, ...]:
    """The side of a Reshape with more axes of size other than 1 (if alike, with more axes)."""
    sides = [[d for d in node.shape(slot) if d != 1] for slot in (IN(0), OUT(0))]
    ranks = [(len(side), node.rank(slot)) for side, slot in zip(sides, (IN(0), OUT(0)), strict=True)]
    return (IN(0),) if ranks[0] >= ranks[1] else (OUT(0),)


def new_target(node: Node, source: Layout, target: Layout) -> dict[int, Edit]:
    """Edit of the target shape: reordered, and free of zeros that would now copy another axis's size."""
    zeros_copy = not node.attr("allowzero", 0)
    if not node.is_constant(1):
        if zeros_copy and node.may_hold_zero(1):
            raise Refusal("the target shape is computed and may hold zeros")
        return {1: Take(target.axis_perm)}
    entries = node.ints(1)
    shape, before = node.shape(OUT(0)), node.shape(IN(0))
    stored = perm.reorder(target.axis_perm, entries)
    for i, axis in enumerate(target.axis_perm):
        if stored[i] != 0 or not zeros_copy:
            continue
        size = shape[axis]
        if isinstance(size, int):
            stored[i] = size
        elif i >= len(before) or before[source.axis_perm[i]] != before[axis]:
            if -1 in stored:
                raise Refusal(f"dynamic dim {size!r} of the target shape cannot be named in this layout")
            stored[i] = -1
    return {1: Put(np.asarray(stored, dtype=np.int64))}


def flatten(node: Node, layout: Layout) -> list[Move]:
    """Flatten: two blocks of axes, each of which must stay whole."""
    dims = node.shape(IN(0))
    axis = node.attr("axis", 1)
    axis = axis + len(dims) if axis < 0 else axis
    moves = []
    for target in of_flatten(dims, axis).carry(layout):
        second = range(axis, len(dims)) if target.axis_perm == (0, 1) else range(axis)
        cut = next((i for i, a in enumerate(layout.axis_perm) if a in second and dims[a] != 1), len(dims))
        moves.append(node.move({0: layout}, {0: target}, attrs={"axis": cut}))
    return moves


def factors(node: Node) -> Labels:
    """The atoms of both shapes; an axis of size 1 has none, but may have its like on the other side."""
    before, after = node.shape(IN(0)), node.shape(OUT(0))
    both = of_reshape(before, after)
    labels: dict[Slot, list[tuple[Hashable, ...]]] = {IN(0): [*both.source], OUT(0): [*both.target]}
    for i, (one, other) in enumerate(unit_pairs(before, after)):
        labels[IN(0)][one] = labels[OUT(0)][other] = (("unit", i),)
    return {slot: tuple(axes) for slot, axes in labels.items()}


def unit_pairs(before: Shape, after: Shape) -> list[tuple[int, int]]:
    """Axes of size 1 that are the same: if there are as many, one after the other; else the first axes, as batches."""
    units = [[axis for axis, size in enumerate(shape) if size == 1] for shape in (before, after)]
    if len(units[0]) != len(units[1]):
        return [(0, 0)] if before[:1] == after[:1] == [1] else []
    return list(zip(*units, strict=True))


RESHAPE = Rule(reshape, widest, inverse=before_or_after, labels=factors)

register("Reshape", RESHAPE, since=5)  # before, the target shape was an attribute
register("Flatten", Rule(flatten, labels=factors))
