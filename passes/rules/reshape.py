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
    Perm,
    Put,
    Refusal,
    Rule,
    Shape,
    Slot,
    Take,
    perm,
    register,
    whole,
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
    p = moved_units(before, after)
    if p is not None:
        return {IN(0): whole(range(len(p))), OUT(0): whole(p)}
    both = of_reshape(before, after)
    labels: dict[Slot, list[tuple[Hashable, ...]]] = {IN(0): [*both.source], OUT(0): [*both.target]}
    for one, other in unit_pairs(before, after):
        labels[IN(0)][one] = labels[OUT(0)][other] = (("unit", one),)
    return {slot: tuple(axes) for slot, axes in labels.items()}


def moved_units(before: Shape, after: Shape) -> Perm | None:
    """The perm that a Reshape is which moves axes of size 1 only, as exporters write the Transpose of an image with one
    channel, or one row; ``None`` if it is none.

    Besides the first axis one pair of sizes may be unknown: then that is likely, and enough to tell what axes are.
    """
    rank = len(before)
    usual = [perm.identity(rank), perm.channels_last(rank), perm.channels_first(rank)] if rank > 2 else []
    for p in usual if rank == len(after) else ():
        differing = [axis for axis, (a, b) in enumerate(zip(perm.reorder(p, before), after, strict=True)) if a != b]
        open_sizes = all(not isinstance(after[axis], int) or not isinstance(before[p[axis]], int) for axis in differing)
        if open_sizes and len([axis for axis in differing if axis]) <= 1:
            return p
    return None


def unit_pairs(before: Shape, after: Shape) -> list[tuple[int, int]]:
    """Axes of size 1 that are the same: the first axes, as batches, and one other, if it is the only one."""
    first = before[:1] == after[:1] == [1]
    rest = [[axis for axis, size in enumerate(shape) if size == 1 and (axis or not first)] for shape in (before, after)]
    only = [(rest[0][0], rest[1][0])] if len(rest[0]) == len(rest[1]) == 1 else []
    return [(0, 0)] * first + only


RESHAPE = Rule(reshape, widest, inverse=before_or_after, labels=factors)

register("Reshape", RESHAPE, since=5)  # before, the target shape was an attribute
register("Flatten", Rule(flatten, labels=factors))
