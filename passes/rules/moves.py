"""Operators that move or rename axes: Transpose, Squeeze, Unsqueeze, Gather; and Shape, which names them."""

from collections.abc import Sequence

from passes.layout import perm
from passes.layout.edit import Lookup, Take
from passes.layout.layout import Layout
from passes.layout.perm import Perm
from passes.refusal import Refusal
from passes.rules.axis import dropped, unordered
from passes.rules.move import IN, OUT, Move
from passes.rules.node import Node
from passes.rules.registry import register
from passes.rules.rule import Rule


def transpose(node: Node, layout: Layout) -> Move:
    """A Transpose always vanishes: its output, stored the right way, is its input. What is left to pay is priced
    where readers want another layout."""
    p = tuple(node.attr("perm") or reversed(range(len(layout.perm))))
    stored = perm.then(perm.inverse(p), layout.perm)
    orders = tuple((p.index(a), order) for a, order in layout.orders)
    return node.move({0: layout}, {0: Layout(stored, orders)}, op="Identity", attrs={"perm": None})


def before_transpose(node: Node, layout: Layout) -> list[Layout]:
    """The input's layout when the output has ``layout``."""
    p = tuple(node.attr("perm") or reversed(range(len(layout.perm))))
    return [Layout(perm.then(p, layout.perm), tuple(sorted((p[a], order) for a, order in layout.orders)))]


def shape(node: Node, layout: Layout) -> Move:
    """Shape: the sizes come in stored order and are put back into the original's."""
    back = perm.inverse(layout.perm)
    attrs = {name: None for name in ("start", "end") if node.attr(name) is not None}
    wanted = back[slice(node.attr("start", 0), node.attr("end"))]
    if wanted == perm.identity(len(back)):
        return node.move({0: layout})
    return node.move({0: layout}, attrs=attrs, results={0: Take(wanted)})


def size(node: Node, layout: Layout) -> Move:
    """Size: the number of elements is the same in any layout."""
    return node.move({0: layout})


def named_axes(node: Node, rank: int) -> list[int]:
    """The axes that Squeeze removes or Unsqueeze inserts; a Squeeze that names none removes those of size 1."""
    given = node.ints(1) if node.has(IN(1)) else node.attr("axes")
    if given:
        return [a % rank for a in given]
    if node.op == "Unsqueeze" or node.has(IN(1)):
        raise Refusal(f"{node.op} names no axes")
    return [a for a, d in enumerate(node.sizes(IN(0))) if d == 1]


def squeeze_attr(node: Node, layout: Layout) -> Move:
    """Squeeze before opset 13: the attribute ``axes`` follows the layout; the other axes keep their order."""
    gone = named_axes(node, len(layout.perm))
    return node.move({0: layout}, {0: dropped(layout, set(gone))}, attrs={"axes": perm.axes(layout.perm, gone)})


def squeeze_input(node: Node, layout: Layout) -> Move:
    """Squeeze: the axes in input 1 follow the layout; the other axes keep their order."""
    gone = named_axes(node, len(layout.perm))
    edits = {1: Lookup(perm.inverse(layout.perm))} if node.has(IN(1)) else {}
    return node.move({0: layout}, {0: dropped(layout, set(gone))}, edits=edits)


def unsqueeze_attr(node: Node, layout: Layout) -> Move:
    """Unsqueeze before opset 13: the attribute ``axes`` follows the output's layout, in which new axes are anywhere."""
    new = named_axes(node, len(layout.perm))
    return node.move({0: dropped(layout, set(new))}, {0: layout}, attrs={"axes": perm.axes(layout.perm, new)})


def unsqueeze_input(node: Node, layout: Layout) -> Move:
    """Unsqueeze: the axes in input 1 follow the output's layout, in which new axes are anywhere."""
    new = named_axes(node, len(layout.perm))
    return node.move({0: dropped(layout, set(new))}, {0: layout}, edits={1: Lookup(perm.inverse(layout.perm))})


def gather(node: Node, layout: Layout) -> Move:
    """Gather: the indices' axes take the place of the gathered one."""
    axis = node.attr("axis", 0) % len(layout.perm)
    unordered(layout, axis, "Gather")
    count = node.rank(IN(1))
    result = replace_axis(layout.perm, axis, count)
    orders = tuple((a if a < axis else a + count - 1, order) for a, order in layout.orders)
    return node.move({0: layout}, {0: Layout(result, orders)}, attrs={"axis": perm.axis(layout.perm, axis)})


def string_split(node: Node, layout: Layout) -> Move:
    """StringSplit: the parts of each string are a new last axis."""
    parts = Layout((*layout.perm, len(layout.perm)), layout.orders)
    return node.move({0: layout}, {0: parts, 1: layout} if node.arity[1] > 1 else {0: parts})


def replace_axis(p: Perm, axis: int, count: int) -> Perm:
    """The perm when the original's ``axis`` is replaced by ``count`` axes that stay together."""
    result: list[int] = []
    for a in p:
        block: Sequence[int] = range(axis, axis + count) if a == axis else [a if a < axis else a + count - 1]
        result.extend(block)
    return tuple(result)


register("Transpose", Rule(transpose, inverse=before_transpose, always_rewrite=True))
register("Shape", Rule(shape))
register("Size", Rule(size))
register("Squeeze", Rule(squeeze_attr))
register("Squeeze", Rule(squeeze_input), since=13)
register("Unsqueeze", Rule(unsqueeze_attr, (OUT(0),)))
register("Unsqueeze", Rule(unsqueeze_input, (OUT(0),)), since=13)
register("StringSplit", Rule(string_split))
register("Gather", Rule(gather))
