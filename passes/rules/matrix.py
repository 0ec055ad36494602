"""Operators on the matrices in the last two axes, which may be stored transposed: Trilu, EyeLike, Det."""

import numpy as np

from passes.rules.api import IN, Layout, Move, Node, Put, Refusal, Rule, no_axes, register


def matrices(node: Node, layout: Layout) -> bool:
    """Whether the matrices are stored transposed; refused if they are not the last two axes."""
    last = layout.rank - 1
    if {layout.place(-2), layout.place(-1)} != {last - 1, last}:
        raise Refusal(f"{node.op} works on its last two axes")
    return layout.require_natural(last - 1, last).place(-1) != last


def trilu(node: Node, layout: Layout) -> Move:
    """The upper triangle of a transposed matrix is the lower one, and the other way round; diagonal k is -k."""
    if not matrices(node, layout):
        return node.move({0: layout}, {0: layout})
    edits = {1: Put(np.asarray(-node.ints(1)[0]))} if node.has(IN(1)) else {}
    return node.move({0: layout}, {0: layout}, attrs={"upper": 1 - node.attr("upper", 1)}, edits=edits)


def eye_like(node: Node, layout: Layout) -> Move:
    """Diagonal k of a transposed matrix is -k; the input's values do not matter."""
    k = node.attr("k", 0)
    result = layout.natural_along(range(layout.rank))
    return node.move({0: layout}, {0: result}, attrs={"k": -k} if matrices(node, result) else {})


def det(node: Node, layout: Layout) -> Move:
    """A transposed matrix has the same determinant; the other axes are free."""
    matrices(node, layout)
    return node.move({0: layout}, {0: layout.drop({layout.rank - 2, layout.rank - 1})})


register("Trilu", Rule(trilu))
register("EyeLike", Rule(eye_like))
register("Det", Rule(det, labels=no_axes))
