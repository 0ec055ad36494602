"""Reductions over several axes, given as an attribute or, in later opsets, as an input."""

from collections.abc import Iterable

from passes.rules.api import IN, Labels, Layout, Lookup, Move, Node, Rule, perm, register, without


def reduce_attr(node: Node, layout: Layout) -> Move:
    """Axes in the attribute ``axes``; without it, all axes."""
    given = node.attr("axes")
    axes = given if given else range(layout.rank)
    attrs = {"axes": layout.places(axes)} if given else {}
    return node.move({0: layout}, {0: reduced(node, layout, axes)}, attrs=attrs)


def reduce_input(node: Node, layout: Layout) -> Move:
    """Axes in input 1; without it all axes, or none with ``noop_with_empty_axes``."""
    edits = {1: Lookup(perm.inverse(layout.axis_perm))} if node.has(IN(1)) else {}
    if node.attr("keepdims", 1) and not layout.is_divided:
        return node.move({0: layout}, {0: layout}, edits=edits)
    axes = node.ints(1) if edits else []
    if not axes and node.attr("noop_with_empty_axes", 0):
        return node.move({0: layout}, {0: layout}, edits=edits)
    return node.move({0: layout}, {0: reduced(node, layout, axes or range(layout.rank))}, edits=edits)


def reduced(node: Node, layout: Layout, axes: Iterable[int]) -> Layout:
    """Layout of the result: the order of elements along a reduced axis does not matter, along a kept one it passes."""
    gone = {a % layout.rank for a in axes}
    return layout.natural_along(gone) if node.attr("keepdims", 1) else layout.drop(gone)


def kept_axes(node: Node) -> Labels:
    """The axes that are not reduced; with ``keepdims`` one entry of the others is left."""
    given = node.ints(1) if node.has(IN(1)) else node.attr("axes")
    rank = node.rank(IN(0))
    noop = not given and node.attr("noop_with_empty_axes", 0)
    return without(node, {a % rank for a in given or range(rank)}, keepdims=bool(node.attr("keepdims", 1) or noop))


OTHERS = "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare"

register("ReduceSum", Rule(reduce_attr, labels=kept_axes))
register("ReduceSum", Rule(reduce_input, labels=kept_axes), since=13)
register(OTHERS, Rule(reduce_attr, labels=kept_axes))
register(OTHERS, Rule(reduce_input, labels=kept_axes), since=18)
