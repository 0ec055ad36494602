"""Einsum: every operand may be stored in any order, for the equation names its axes."""

from string import ascii_letters

from passes import perm
from passes.layout import Layout, Order
from passes.rule import IN, OUT, Move, Node, Refusal, Rule, Slot, register


def einsum(node: Node, *layouts: Layout) -> Move:
    """The letters of each operand follow its layout; an order along an axis must be that of its letter everywhere."""
    terms = subscripts(node)
    seen: dict[str, Order | None] = {}
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
    spare = "".join(c for c in ascii_letters if c not in left)
    hidden = {node.rank(IN(i)) - len(term) + 3 for i, term in enumerate(terms) if "..." in term}
    if len(hidden) > 1 or any("..." in term and broadcasts(node, i, term, terms) for i, term in enumerate(terms)):
        raise Refusal("Einsum broadcasts the axes of its ellipsis")
    return [term.replace("...", spare[: max(hidden, default=0)]) for term in (*terms, right)]


def broadcasts(node: Node, index: int, term: str, terms: list[str]) -> bool:
    """Whether the axes of this operand's ellipsis may have other sizes than those of another operand's."""
    mine, others = (ellipsis(node, i, terms[i]) for i in (index, terms.index(next(t for t in terms if "..." in t))))
    return mine != others or (index != 0 and None in mine)


def ellipsis(node: Node, index: int, term: str) -> list[int | str | None]:
    start = term.index("...")
    return node.shape(IN(index))[start : node.rank(IN(index)) - (len(term) - 3 - start)]


def operands_and_result(node: Node) -> tuple[Slot, ...]:
    return (*map(IN, range(node.arity[0])), OUT(0))


register("Einsum", Rule(einsum, operands_and_result, "einsum", roles=False))
