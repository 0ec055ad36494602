"""Operators that pick or place elements by index: along one axis, or by whole positions."""

import numpy as np

from passes.rules.api import (
    IN,
    OUT,
    PREVIOUS,
    Labels,
    Layout,
    Move,
    Node,
    Refusal,
    Rule,
    Step,
    no_axes,
    perm,
    register,
    whole,
)
from passes.rules.axis import along_axis


def gather(node: Node, layout: Layout) -> Move:
    """Gather: the indices' axes take the place of the gathered one."""
    axis = node.attr("axis", 0) % layout.rank
    result = layout.require_natural(axis).replace(axis, node.rank(IN(1)))
    return node.move({0: layout}, {0: result}, attrs={"axis": layout.place(axis)})


def gathered_axes(node: Node) -> Labels:
    """The axes but the gathered one; one that is gathered by a vector stays what it is."""
    rank, indices = node.rank(IN(0)), node.rank(IN(1))
    axis = node.attr("axis", 0) % rank
    new = [axis] if indices == 1 else [("index", i) for i in range(indices)]
    return {IN(0): whole(range(rank)), OUT(0): whole([*range(axis), *new, *range(axis + 1, rank)])}


def elements(node: Node, layout: Layout) -> Move:
    """Data, indices and updates share one layout; indices may be fewer along any axis, so none has an order."""
    return along_axis(0)(node, layout.require_natural(*range(layout.rank)))  # type: ignore[return-value]


def top_k(node: Node, layout: Layout) -> Move:
    """The attribute ``axis`` follows the layout; values and indices have the input's."""
    if not node.attr("sorted", 1):
        raise Refusal("TopK with sorted=0 leaves the order of its results to the runtime")
    return along_axis(-1)(node, layout)  # type: ignore[return-value]


def compress(node: Node, layout: Layout) -> Move:
    """The attribute ``axis`` follows the layout; the condition has one entry per element along it."""
    if node.attr("axis") is None:
        raise Refusal("Compress without an axis picks from the flattened input, whose order is that of the layout")
    return along_axis(0)(node, layout)  # type: ignore[return-value]


def tensor_scatter(node: Node, layout: Layout) -> Move:
    """Cache and update share one layout with the batch first; the attribute ``axis`` follows it."""
    if layout.place(0) != 0:
        raise Refusal("TensorScatter needs its batch axis first")
    return along_axis(-2)(node, layout.require_natural(0))  # type: ignore[return-value]


def one_hot(node: Node, layout: Layout) -> Move:
    """The attribute ``axis`` follows the output's layout, in which the new axis is anywhere."""
    axis = node.attr("axis", -1) % layout.rank
    layout.require_natural(axis)
    return node.move({0: layout.drop({axis})}, {0: layout}, attrs={"axis": layout.place(axis)})


def unique(node: Node, layout: Layout) -> Move:
    """The attribute ``axis`` follows the layout; sorting compares slices by their elements in the original order."""
    if node.attr("axis") is None:
        raise Refusal("Unique without an axis flattens its input")
    axis = node.attr("axis") % layout.rank
    if node.attr("sorted", 1) and not layout.require_natural(axis).drop({axis}).is_natural:
        raise Refusal("Unique sorts slices by their elements, whose order must be the original's")
    return node.move({0: layout}, {0: layout}, attrs={"axis": layout.place(axis)})


def gather_nd(node: Node, layout: Layout) -> Move:
    """Axes behind those that the indices (and batch_dims) speak of are free; they end the output, too."""
    return node.move({0: layout}, {0: slices(node, layout)})


def scatter_nd(node: Node, layout: Layout) -> Move:
    """Axes behind those that the indices speak of are free; they end the updates, too."""
    return node.move({0: layout, 2: slices(node, layout)}, {0: layout})


def slices(node: Node, layout: Layout) -> Layout:
    """Layout of a tensor with one slice of the data for each index."""
    count = node.shape(IN(1))[-1]
    if not isinstance(count, int):
        raise Refusal(f"how many axes the indices of {node.op} speak of is unknown")
    fixed, lead = node.attr("batch_dims", 0) + count, node.rank(IN(1)) - 1
    if not 0 <= fixed <= layout.rank:
        raise Refusal(f"the indices of {node.op} speak of {fixed} axes, its data has {layout.rank}")
    if layout.axis_perm[:fixed] != tuple(range(fixed)):
        raise Refusal(f"{node.op} needs its first axes, which the indices speak of, in place")
    return layout.require_natural(*range(fixed)).drop(range(fixed)).insert(range(lead))


def non_zero(node: Node, layout: Layout) -> Move:
    """Positions are listed in stored order, one row per axis: only axes of size 1 may move, then rows are reordered."""
    dims, p = node.shape(IN(0)), layout.perm
    kept = [a for a in p if dims[a] != 1]
    if kept != sorted(kept):
        raise Refusal("NonZero lists positions in the order in which its input is stored")
    rows = np.asarray(perm.inverse(p), dtype=np.int64)
    return node.move({0: layout}, steps=(Step("NonZero", (0,)), Step("Gather", (PREVIOUS, rows), {"axis": 0})))


register("Gather", Rule(gather, labels=gathered_axes))
register("GatherElements ScatterElements Scatter", Rule(elements))
register("TopK", Rule(top_k))
register("Compress", Rule(compress))
register("TensorScatter", Rule(tensor_scatter))
register("OneHot", Rule(one_hot, (OUT(0),), labels=no_axes))
register("Unique", Rule(unique))
register("GatherND", Rule(gather_nd, labels=no_axes))
register("ScatterND", Rule(scatter_nd, labels=no_axes))
register("NonZero", Rule(non_zero, labels=no_axes))
