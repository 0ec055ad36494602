"""Operators that move, insert or remove axes: Transpose, Squeeze, Unsqueeze."""

from passes.rules.api import (
    IN,
    OUT,
    Labels,
    Layout,
    Lookup,
    Move,
    Node,
    Perm,
    Refusal,
    Rule,
    no_axes,
    perm,
    register,
    whole,
    without,
)


def transpose(node: Node, layout: Layout) -> Move:
    """A Transpose always vanishes: its output, stored the right way, is its input. What is left to pay is priced
    where readers want another layout."""
    return node.move({0: layout}, {0: layout.transposed(perm_of(node))}, op="Identity", attrs={"perm": None})


def before_transpose(node: Node, layout: Layout) -> list[Layout]:
    """The input's layout when the output has ``layout``."""
    return [layout.transposed(perm.inverse(perm_of(node)))]


def perm_of(node: Node) -> Perm:
    """The perm of a Transpose; by default the axes are reversed."""
    return tuple(node.attr("perm") or reversed(range(node.rank(IN(0)))))


def own_perms(node: Node) -> tuple[Perm, Perm]:
    """The perm of a Transpose, and that which undoes it."""
    return perm_of(node), perm.inverse(perm_of(node))


def transposed_axes(node: Node) -> Labels:
    """The result's axes are the input's, in the order of the perm."""
    return {IN(0): whole(range(node.rank(IN(0)))), OUT(0): whole(perm_of(node))}


def named_axes(node: Node, rank: int) -> list[int]:
    """The axes that Squeeze removes or Unsqueeze inserts; a Squeeze that names none removes those of size 1."""
    given = node.ints(1) if node.has(IN(1)) else node.attr("axes")
    if given:
        return [a % rank for a in given]
    if node.op == "Unsqueeze" or node.has(IN(1)):
        raise Refusal(f"{node.op} names no axes")
    return [a for a, d in enumerate(node.sizes(IN(0))) if d == 1]


def squeezed_axes(node: Node) -> Labels:
    """The axes that stay."""
    return without(node, named_axes(node, node.rank(IN(0))))


def unsqueezed_axes(node: Node) -> Labels:
    """The axes that were there."""
    rank = node.rank(OUT(0))
    new = named_axes(node, rank)
    return {IN(0): whole(axis for axis in range(rank) if axis not in new), OUT(0): whole(range(rank))}


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


def string_split(node: Node, layout: Layout) -> Move:
    """StringSplit: the parts of each string are a new last axis."""
    parts = layout.insert([layout.rank])
    return node.move({0: layout}, {0: parts, 1: layout} if node.arity[1] > 1 else {0: parts})


register(
    "Transpose",
    Rule(transpose, inverse=before_transpose, suggests=own_perms, always_rewrite=True, labels=transposed_axes),
)
register("Squeeze", Rule(squeeze_attr, labels=squeezed_axes))
register("Squeeze", Rule(squeeze_input, labels=squeezed_axes), since=13)
register("Unsqueeze", Rule(unsqueeze_attr, (OUT(0),), labels=unsqueezed_axes))
register("Unsqueeze", Rule(unsqueeze_input, (OUT(0),), labels=unsqueezed_axes), since=13)
register("StringSplit", Rule(string_split, labels=no_axes))
