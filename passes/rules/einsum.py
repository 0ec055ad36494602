"""Einsum: every operand may be stored in any order, for the equation names its axes."""

from string import ascii_letters

from passes.layout import perm
from passes.layout.layout import Layout
from passes.layout.order import AxisOrder
from passes.refusal import Refusal
from passes.rules.move import IN, OUT, Move, Slot
from passes.rules.node import Node, Shape
from passes.rules.registry import register
from passes.rules.rule import Rule

MOST_OPERANDS = 3


def einsum(node: Node, *layouts: Layout) -> Move:
    """The letters of each operand follow its layout; an order along an axis must be that of its letter everywhere."""
    terms = subscripts(node)
    seen: dict[str, AxisOrder | None] = {}
    for term, layout in zip(terms, layouts, strict=True):
        for axis, letter in enumerate(term):
            if seen.setdefault(letter, layout.order(axis)) != layout.order(axis):
                raise Refusal(f"Einsum needs the elements along axis {letter!r} in one order everywhere")
    *operands, result = ("".join(perm.reorder(at.perm, term)) for term, at in zip(terms, layouts, strict=True))
    equation = f"{','.join(operands)}->{result}"
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


def operands_and_result(node: Node) -> tuple[Slot, ...]:
    if node.arity[0] > MOST_OPERANDS:
        raise Refusal(f"Einsum of more than {MOST_OPERANDS} operands could be stored in too many ways to try")
    return (*map(IN, range(node.arity[0])), OUT(0))


register("Einsum", Rule(einsum, operands_and_result, keeps_axes=False))
