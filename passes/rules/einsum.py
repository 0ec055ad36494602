"""Einsum: a contraction whose equation names the axes, so that operands and result may have theirs in any order."""

from string import ascii_letters

from passes.layout.matrices import as_matrices
from passes.rules.api import (
    IN,
    OUT,
    Labels,
    Layout,
    Move,
    Node,
    Perm,
    Refusal,
    Rule,
    Shape,
    Slot,
    perm,
    register,
    whole,
)
from passes.rules.contraction import orders_by_label

MOST_OPERANDS = 3


def einsum(node: Node, *layouts: Layout) -> Move:
    """The letters of each operand follow its layout; an order along an axis must be that of its letter everywhere."""
    terms = subscripts(node)
    orders_by_label(node, zip(terms, layouts, strict=True))
    stored = ["".join(perm.reorder(layout.axis_perm, term)) for term, layout in zip(terms, layouts, strict=True)]
    equation = f"{','.join(stored[:-1])}->{stored[-1]}"
    return node.move(dict(enumerate(layouts[:-1])), {0: layouts[-1]}, attrs={"equation": equation})


def subscripts(node: Node) -> list[str]:
    """The letters of the axes of each input and, last, of the output; an ellipsis gets letters of its own."""
    left, arrow, right = node.attr("equation").replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:  # then the ellipsis comes first, and letters that occur once follow in alphabetical order
        once = sorted(c for c in set(left) if c in ascii_letters and left.count(c) == 1)
        right = ("..." if "..." in left else "") + "".join(once)
    hidden = [ellipsis(node, i, term) for i, term in enumerate(terms) if "..." in term]
    if len(hidden) > 1 and (None in hidden[0] or any(dims != hidden[0] for dims in hidden)):
        raise Refusal("Einsum broadcasts the axes of its ellipsis")
    spare = "".join(c for c in ascii_letters if c not in left)[: len(hidden[0]) if hidden else 0]
    return [term.replace("...", spare) for term in (*terms, right)]


def ellipsis(node: Node, index: int, term: str) -> Shape:
    """The sizes of the axes that the ellipsis stands for."""
    start, shape = term.index("..."), node.shape(IN(index))
    return shape[start : len(shape) - (len(term) - 3 - start)]


def perms_of_matrices(node: Node) -> list[Perm]:
    """In which order of axes the operands and the result are batches of matrices."""
    terms = subscripts(node)
    found = as_matrices(terms)
    pairs = zip(terms, found.wanted, strict=True) if found else ()
    return [tuple(map(term.index, wanted)) for term, wanted in pairs]


def operands_and_result(node: Node) -> tuple[Slot, ...]:
    if node.arity[0] > MOST_OPERANDS:
        raise Refusal(f"Einsum of more than {MOST_OPERANDS} operands could be stored in too many ways to try")
    return (*map(IN, range(node.arity[0])), OUT(0))


def einsum_axes(node: Node) -> Labels:
    """The letters of its equation."""
    return dict(zip((*map(IN, range(node.arity[0])), OUT(0)), map(whole, subscripts(node)), strict=True))


register("Einsum", Rule(einsum, operands_and_result, suggests=perms_of_matrices, labels=einsum_axes))
