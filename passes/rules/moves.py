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
    p = tuple(node.attr("perm") or reversed(range(layout.rank)))
    return node.move({0: layout}, {0: layout.transposed(p)}, op="Identity", attrs={"perm": None})


def before_transpose(node: Node, layout: Layout) -> list[Layout]:
    """The input's layout when the output has ``layout``."""
    return [layout.transposed(perm.inverse(tuple(node.attr("perm") or reversed(range(layout.rank)))))]


def shape(node: Node, layout: Layout) -> Move:
    """Shape: the sizes come in stored order and are put back into the original's."""
    back = perm.inverse(layout.axis_perm)
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
    gone = named_axes(node, layout.rank)
    return node.move({0: layout}, {0: layout.drop(gone)}, attrs={"axes": layout.places(gone)})


def squeeze_input(node: Node, layout: Layout) -> Move:
    """Squeeze: the axes in input 1 follow the layout; the other axes keep their order."""
    edits = {1: Lookup(perm.inverse(layout.axis_perm))} if node.has(IN(1)) else {}
    return node.move({0: layout}, {0: layout.drop(named_axes(node, layout.rank))}, edits=edits)


def unsqueeze_attr(node: Node, layout: Layout) -> Move:
    """Unsqueeze before opset 13: the attribute ``axes`` follows the output's layout, in which new axes are anywhere."""
    new = named_axes(node, layout.rank)
    return node.move({0: layout.drop(new)}, {0: layout}, attrs={"axes": layout.places(new)})


def unsqueeze_input(node: Node, layout: Layout) -> Move:
    """Unsqueeze: the axes in input 1 follow the output's layout, in which new axes are anywhere."""
    edits = {1: Lookup(perm.inverse(layout.axis_perm))}
    return node.move({0: layout.drop(named_axes(node, layout.rank))}, {0: layout}, edits=edits)


def gather(node: Node, layout: Layout) -> Move:
    """Gather: the indices' axes take the place of the gathered one."""
    axis = node.attr("axis", 0) % layout.rank
    result = layout.require_natural(axis).replace(axis, node.rank(IN(1)))
    return node.move({0: layout}, {0: result}, attrs={"axis": layout.place(axis)})


def string_split(node: Node, layout: Layout) -> Move:
    """StringSplit: the parts of each string are a new last axis."""
    parts = layout.insert([layout.rank])
    return node.move({0: layout}, {0: parts, 1: layout} if node.arity[1] > 1 else {0: parts})


register("Transpose", Rule(transpose, (IN(0),), "transpose", back=before_transpose))
register("Shape", Rule(shape, (IN(0),), "shape"))
register("Size", Rule(size, (IN(0),), "shape"))
register("Squeeze", Rule(squeeze_attr, (IN(0),), "drops"))
register("Squeeze", Rule(squeeze_input, (IN(0),), "drops"), since=13)
register("Unsqueeze", Rule(unsqueeze_attr, (OUT(0),), "drops"))
register("Unsqueeze", Rule(unsqueeze_input, (OUT(0),), "drops"), since=13)
register("StringSplit", Rule(string_split, (IN(0),), "drops"))
register("Gather", Rule(gather, (IN(0),), "axis"))
