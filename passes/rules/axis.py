"""Operators with one axis as an attribute."""

from collections.abc import Callable

from passes.layout.vector import cut, joined
from passes.rules.api import (
    IN,
    OUT,
    VECTOR,
    Labels,
    Layout,
    Move,
    Node,
    Refusal,
    Rule,
    RuleFn,
    Slot,
    register,
    without,
)


def along_axis(default: int, symmetric: bool = False) -> RuleFn:
    """All inputs and outputs share one layout; the attribute ``axis`` follows it.

    ``symmetric``: the result does not depend on the order of the elements along the axis.
    """

    def rule(node: Node, layout: Layout) -> Move:
        """All inputs and outputs share one layout; the attribute ``axis`` follows it."""
        axis = node.attr("axis", default) % layout.rank
        if not symmetric:
            layout.require_natural(axis)
        data = {i: layout for i in range(node.arity[0]) if node.rank(IN(i)) == layout.rank}
        outputs = dict.fromkeys(range(node.arity[1]), layout)
        return node.move(data, outputs, attrs={"axis": layout.place(axis)})

    return rule


def split(node: Node, layout: Layout) -> Move:
    """Split: input 1 (from opset 13 on) holds sizes along the axis, which no layout changes; parts must be whole."""
    axis = node.attr("axis", 0) % layout.rank
    outputs = dict(enumerate(parts_of(node, OUT, layout, axis)))
    return node.move({0: layout}, outputs, attrs={"axis": layout.place(axis)})


def concat(node: Node, layout: Layout) -> Move:
    """Concat: its axis follows the layout; along it each input has an order of its own; parts must be whole."""
    axis = node.attr("axis", 1) % layout.rank
    inputs = dict(enumerate(parts_of(node, IN, layout, axis)))
    return node.move(inputs, {0: layout}, attrs={"axis": layout.place(axis)})


def whole(node: Node, *parts: Layout) -> Layout:
    """The layout of what Concat makes, or Split reads, when its parts have these."""
    is_split = node.op == "Split"
    axis = node.attr("axis", 0 if is_split else 1) % parts[0].rank
    sizes = lengths(node, OUT if is_split else IN, axis)
    orders = (part.along(axis) for part in parts)
    return parts[0].with_along({axis: joined(zip(sizes, orders, strict=True))})


def parts_of(node: Node, slots: Callable[[int], Slot], layout: Layout, axis: int) -> list[Layout]:
    """The layouts of all inputs or outputs, which are the parts of a tensor with ``layout`` along an axis."""
    if layout.along(axis) == VECTOR:
        return [layout] * node.arity[0 if slots is IN else 1]
    parts = cut(layout.along(axis), lengths(node, slots, axis))
    if parts is None:
        raise Refusal(f"the parts along axis {axis} are not whole, one after the other, in this layout")
    return [layout.with_along({axis: part}) for part in parts]


def lengths(node: Node, slots: Callable[[int], Slot], axis: int) -> list[int]:
    """The sizes of all inputs or outputs along an axis. Refuses if one is unknown."""
    sizes = [node.shape(slots(i))[axis] for i in range(node.arity[0 if slots is IN else 1])]
    if not all(isinstance(size, int) for size in sizes):
        raise Refusal(f"{node.op} of dynamic sizes needs the original order of elements along axis {axis}")
    return [size for size in sizes if isinstance(size, int)]


def flattening(symmetric: bool = False) -> RuleFn:
    """Softmax before opset 13: the tensor is seen as 2-D, split before ``axis``; each part must stay whole.

    Unless it is ``symmetric`` (see ``along_axis``), the second part must stay as it is, too.
    """

    def rule(node: Node, layout: Layout) -> Move:
        """Before opset 13: all axes from ``axis`` on are seen as one, and must stay whole and last."""
        axis = node.attr("axis", 1) % layout.rank
        part, stored = tuple(range(axis, layout.rank)), layout.axis_perm[axis:]
        if set(stored) != set(part):
            raise Refusal(f"{node.op} before opset 13 works on all axes from {axis} on, mixed with others here")
        if not symmetric and layout.require_natural(*part) and stored != part:
            raise Refusal(f"{node.op} before opset 13 needs the original order of all axes from {axis} on")
        return node.move({0: layout}, {0: layout}, attrs={"axis": axis})

    return rule


def arg_reduce(node: Node, layout: Layout) -> Move:
    """ArgMax and ArgMin: the values are positions along the axis, so its order must be the original's."""
    axis = node.attr("axis", 0) % layout.rank
    layout.require_natural(axis)
    result = layout if node.attr("keepdims", 1) else layout.drop({axis})
    return node.move({0: layout}, {0: result}, attrs={"axis": layout.place(axis)})


def searched_axes(node: Node) -> Labels:
    """The axes but the one that ArgMax or ArgMin searches."""
    return without(node, {node.attr("axis", 0) % node.rank(IN(0))}, keepdims=bool(node.attr("keepdims", 1)))


register("Softmax LogSoftmax", Rule(along_axis(-1, symmetric=True)), since=13)
register("Hardmax", Rule(along_axis(-1)), since=13)
register("Softmax LogSoftmax", Rule(flattening(symmetric=True)))
register("Hardmax", Rule(flattening()))
register("LpNormalization", Rule(along_axis(-1, symmetric=True)))
# Concat's axis is 1 by default before opset 4, and must be given from then on
register("Concat", Rule(concat, (OUT(0),), whole=whole))
register("Split", Rule(split, whole=whole))
register("ArgMax ArgMin", Rule(arg_reduce, labels=searched_axes))
