"""Operators with one axis as an attribute."""

from collections.abc import Callable

from passes.layout import layout as lay
from passes.layout import order, perm
from passes.layout.layout import Layout
from passes.layout.order import AxisOrder, Order
from passes.refusal import Refusal
from passes.rules.move import IN, OUT, Move, Slot
from passes.rules.node import Node
from passes.rules.registry import register
from passes.rules.rule import Rule, RuleFn


def unordered(layout: Layout, axis: int, why: str) -> Layout:
    """``layout``, refused if the elements along ``axis`` are in another order than the original's."""
    if layout.order(axis) is not None:
        raise Refusal(f"{why} needs the original order of elements along axis {axis}")
    return layout


def along_axis(default: int, symmetric: bool = False) -> RuleFn:
    """All inputs and outputs share one layout; the attribute ``axis`` follows it.

    ``symmetric``: the result does not depend on the order of the elements along the axis.
    """

    def rule(node: Node, layout: Layout) -> Move:
        """All inputs and outputs share one layout; the attribute ``axis`` follows it."""
        axis = node.attr("axis", default) % len(layout.perm)
        if not symmetric:
            unordered(layout, axis, node.op)
        data = {i: layout for i in range(node.arity[0]) if len(node.shape(IN(i))) == len(layout.perm)}
        outputs = dict.fromkeys(range(node.arity[1]), layout)
        return node.move(data, outputs, attrs={"axis": perm.axis(layout.perm, axis)})

    return rule


def split(node: Node, layout: Layout) -> Move:
    """Split: input 1 (from opset 13 on) holds sizes along the axis, which no layout changes; parts must be whole."""
    axis = node.attr("axis", 0) % len(layout.perm)
    if layout.order(axis) is None:
        outputs = dict.fromkeys(range(node.arity[1]), layout)
    else:
        parts = order.split(layout.order(axis), lengths(node, OUT, axis))
        if parts is None:
            raise Refusal(f"Split takes elements along axis {axis} that are not next to each other in this layout")
        outputs = {j: with_order(layout, axis, part) for j, part in enumerate(parts)}
    return node.move({0: layout}, outputs, attrs={"axis": perm.axis(layout.perm, axis)})


def concat(node: Node, layout: Layout) -> list[Move]:
    """Concat: its axis follows the layout; along it the first inputs may have orders like the first one's."""
    axis = node.attr("axis", 1) % len(layout.perm)
    attrs, mine = {"axis": perm.axis(layout.perm, axis)}, layout.order(axis)
    if mine is None:
        return [node.move(dict.fromkeys(range(node.arity[0]), layout), {0: layout}, attrs=attrs)]
    sizes, moves = lengths(node, IN, axis), {}
    for alike in range(len(sizes) if isinstance(mine, Order) else 1, 0, -1):
        orders = [mine, *(order.resized(mine, n) for n in sizes[1:alike]), *[None] * (len(sizes) - alike)]
        inputs = {i: with_order(layout, axis, o) for i, o in enumerate(orders)}
        whole = with_order(layout, axis, order.join(list(zip(sizes, orders, strict=True))))
        moves[whole] = node.move(inputs, {0: whole}, attrs=attrs)
    return list(moves.values())


def first_part(node: Node, layout: Layout) -> list[Layout]:
    """The layout of a Concat's first input when the output has ``layout``."""
    axis = node.attr("axis", 1) % len(layout.perm)
    if layout.order(axis) is None:
        return [layout]
    parts = order.split(layout.order(axis), lengths(node, IN, axis))
    return [] if parts is None else [with_order(layout, axis, parts[0])]


def lengths(node: Node, slots: Callable[[int], Slot], axis: int) -> list[int]:
    """The sizes of all inputs or outputs along an axis. Refuses if one is unknown."""
    sizes = [node.shape(slots(i))[axis] for i in range(node.arity[0 if slots is IN else 1])]
    if not all(isinstance(size, int) for size in sizes):
        raise Refusal(f"{node.op} of dynamic sizes needs the original order of elements along axis {axis}")
    return [size for size in sizes if isinstance(size, int)]


def with_order(layout: Layout, axis: int, along: AxisOrder | None) -> Layout:
    """``layout`` with another order along an axis."""
    return lay.make(layout.perm, {**dict(layout.orders), axis: along}.items())


def flattening(symmetric: bool = False) -> RuleFn:
    """Softmax before opset 13: the tensor is seen as 2-D, split before ``axis``; each part must stay whole.

    Unless it is ``symmetric`` (see ``along_axis``), the second part must stay as it is, too.
    """

    def rule(node: Node, layout: Layout) -> Move:
        """Before opset 13: all axes from ``axis`` on are seen as one, and must stay whole and last."""
        axis = node.attr("axis", 1) % len(layout.perm)
        part, stored = tuple(range(axis, len(layout.perm))), layout.perm[axis:]
        if set(stored) != set(part):
            raise Refusal(f"{node.op} before opset 13 works on all axes from {axis} on, mixed with others here")
        if not symmetric and (stored != part or any(a in part for a, _ in layout.orders)):
            raise Refusal(f"{node.op} before opset 13 needs the original order of all axes from {axis} on")
        return node.move({0: layout}, {0: layout}, attrs={"axis": axis})

    return rule


def arg_reduce(node: Node, layout: Layout) -> Move:
    """ArgMax and ArgMin: the values are positions along the axis, so its order must be the original's."""
    axis = node.attr("axis", 0) % len(layout.perm)
    unordered(layout, axis, node.op)
    kept = node.attr("keepdims", 1)
    result = layout if kept else dropped(layout, {axis})
    return node.move({0: layout}, {0: result}, attrs={"axis": perm.axis(layout.perm, axis)})


def dropped(layout: Layout, gone: set[int]) -> Layout:
    """The layout that is left when the original loses the axes ``gone``."""
    kept = [a for a in range(len(layout.perm)) if a not in gone]
    orders = tuple((kept.index(a), order) for a, order in layout.orders if a not in gone)
    return Layout(perm.drop(layout.perm, gone), orders)


register("Softmax LogSoftmax", Rule(along_axis(-1, symmetric=True)), since=13)
register("Hardmax", Rule(along_axis(-1)), since=13)
register("Softmax LogSoftmax", Rule(flattening(symmetric=True)))
register("Hardmax", Rule(flattening()))
register("LpNormalization", Rule(along_axis(-1, symmetric=True)))
# Concat's axis is 1 by default before opset 4, and must be given from then on
register("Concat", Rule(concat, inverse=first_part))
register("Split", Rule(split))
register("ArgMax ArgMin", Rule(arg_reduce))
