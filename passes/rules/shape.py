"""Operators that tell the shape of a tensor."""

from passes.rules.api import Layout, Move, Node, Rule, Take, perm, register


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


register("Shape", Rule(shape))
register("Size", Rule(size))
