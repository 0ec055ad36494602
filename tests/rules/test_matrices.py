"""Einsums as products of batches of matrices: they compute the same, in the order of axes that they say."""

import numpy as np
import pytest

from passes.layout.matrices import Matrices, as_matrices
from tests.support.graphs import Array, random

SIZES = dict(zip("abhlkt", (2, 3, 5, 7, 11, 13), strict=True))
PRODUCTS = {  # how many of the terms are moved
    "bhlk,bhtk->bhlt": 0,
    "bhlt,bhtk->bhlk": 0,
    "bhlk,bhtk->bhtl": 0,  # the second operand on the left
    "blhk,bthk->bhlt": 2,
    "bhlt,bthk->blhk": 2,
    "bhkl,bhkt->bhlt": 1,  # the left operand is read as it is only
    "lk,kt->lt": 0,
    "kl,tk->tl": 0,
    "kl,kt->lt": 1,
    "blk,k->bl": 0,
    "l,t->lt": 0,
    "bk,bk->b": 0,
    "abk,lhk->ablh": 0,  # groups of several axes
    "abk,lhk->albh": 1,
    "bkh,hkl->bl": 1,  # summed over in one order
    "lbh,bhk->kl": 1,
}


def computed(found: Matrices, terms: list[str], operands: list[Array]) -> Array:
    """The product, as numpy makes it of operands that are in the order told."""
    sides = [operand.transpose([term.index(letter) for letter in wanted])
             for operand, term, wanted in zip(operands, terms, found.wanted, strict=False)]  # fmt: skip
    batch = [SIZES[letter] for letter in found.batch]
    row, summed, column = (int(np.prod([SIZES[letter] for letter in group])) for group in found[1:4])
    left = sides[found.first].reshape([*batch, row, summed])
    right = sides[1 - found.first].reshape([*batch, column, summed] if found.turned else [*batch, summed, column])
    made = left @ (right.swapaxes(-1, -2) if found.turned else right)
    result = made.reshape([SIZES[letter] for letter in found.wanted[2]])
    return result.transpose([found.wanted[2].index(letter) for letter in terms[2]])


@pytest.mark.parametrize(("equation", "moved"), PRODUCTS.items())
def test_a_product_is_the_einsum(equation: str, moved: int) -> None:
    terms = equation.replace("->", ",").split(",")
    operands = [random(*(SIZES[letter] for letter in term)) for term in terms[:2]]
    found = as_matrices(terms)
    assert found is not None
    assert [i for i, term in enumerate(terms) if term != found.wanted[i]] == sorted(found.moved)
    assert len(found.moved) == moved
    np.testing.assert_allclose(computed(found, terms, operands), np.einsum(equation, *operands), rtol=1e-4, atol=1e-4)


def test_constants_are_moved_for_nothing() -> None:
    """Of two ways with one term each, that which moves the constant."""
    assert {min(as_matrices(["bkh", "hkl", "bl"], {i}).moved) for i in (0, 1)} == {0, 1}  # type: ignore[union-attr]


@pytest.mark.parametrize("equation", ["ii,ij->j", "ij,jk->k", "ij,jk,kl->il", "ij->ji", "ij,jk->iik"])
def test_others_are_no_product(equation: str) -> None:
    assert as_matrices(equation.replace("->", ",").split(",")) is None
