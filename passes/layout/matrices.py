"""An Einsum of two operands as a product of batches of matrices, and in which order that has the axes."""

from collections.abc import Collection, Sequence
from itertools import product
from typing import NamedTuple


class Matrices(NamedTuple):
    """``[*batch, *row, *summed]`` times ``[*batch, *summed, *column]``, each a group of the equation's letters.

    ``first``: the operand on the left. ``turned``: the right one is read as ``[*batch, *column, *summed]``.
    ``moved``: which of the equation's terms have their axes in another order, and so are transposed.
    """

    batch: str
    row: str
    summed: str
    column: str
    first: int
    turned: bool
    moved: frozenset[int]

    @property
    def wanted(self) -> tuple[str, str, str]:
        """The letters of both operands and of the result, in the order of the equation's terms."""
        right = self.column + self.summed if self.turned else self.summed + self.column
        sides = [self.batch + self.row + self.summed, self.batch + right]
        return sides[self.first], sides[1 - self.first], self.batch + self.row + self.column


def as_matrices(terms: Sequence[str], constant: Collection[int] = ()) -> Matrices | None:
    """The product that moves the fewest terms, of which ``constant`` ones cost nothing; ``None`` where it is none.

    ``terms``: the letters of both operands and of the result. It is none if a letter stands in one term only, or
    twice.
    """
    if len(terms) != 3 or any(sum(letter in term for term in terms) < 2 for letter in "".join(terms)):
        return None
    if any(len({*term}) < len(term) for term in terms):
        return None
    ways = [_way(terms, first, turned, along) for first, turned, along in product((0, 1), (False, True), (0, 1))]
    return min(ways, key=lambda way: len(way.moved - {*constant}))


def _way(terms: Sequence[str], first: int, turned: bool, along: int) -> Matrices:
    """The product with a left operand; what is summed over is in the order that operand ``along`` has it in."""
    left, right, made = terms[first], terms[1 - first], terms[2]
    batch, row, column = (
        "".join(letter for letter in made if (letter in left, letter in right) == sides)
        for sides in ((True, True), (True, False), (False, True))
    )
    summed = "".join(letter for letter in terms[along] if letter not in made)
    way = Matrices(batch, row, summed, column, first, turned, frozenset())
    return way._replace(moved=frozenset(i for i, term in enumerate(terms) if term != way.wanted[i]))
