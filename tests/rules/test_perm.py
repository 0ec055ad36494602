"""The algebra of perms against numpy, for every perm up to rank 4."""

from itertools import combinations, permutations

import numpy as np
import pytest

from passes.layout import perm
from passes.layout.perm import Perm

PERMS = [p for rank in range(5) for p in permutations(range(rank))]
SIZES = (2, 3, 5, 7)


def tensor(rank: int) -> np.ndarray:
    return np.arange(np.prod(SIZES[:rank], dtype=int)).reshape(SIZES[:rank])


def subsets(rank: int) -> list[tuple[int, ...]]:
    return [axes for count in range(rank + 1) for axes in combinations(range(rank), count)]


@pytest.mark.parametrize("p", PERMS)
def test_then_is_one_transpose_after_the_other(p: Perm) -> None:
    x = tensor(len(p))
    for q in permutations(range(len(p))):
        assert np.array_equal(x.transpose(perm.then(p, q)), x.transpose(p).transpose(q))


@pytest.mark.parametrize("p", PERMS)
def test_inverse_takes_back(p: Perm) -> None:
    x = tensor(len(p))
    assert np.array_equal(x.transpose(p).transpose(perm.inverse(p)), x)
    assert perm.then(p, perm.inverse(p)) == perm.then(perm.inverse(p), p) == perm.identity(len(p))


@pytest.mark.parametrize("p", PERMS)
def test_axis_is_where_an_axis_is_stored(p: Perm) -> None:
    shape, stored = SIZES[: len(p)], tensor(len(p)).transpose(p).shape
    for a in range(-len(p), len(p)):
        assert stored[perm.axis(p, a)] == shape[a]
    for several in subsets(len(p)):
        found = sorted(perm.axis(p, a) for a in several)
        assert found == sorted(found)
        assert {stored[a] for a in found} == {shape[a] for a in several}


@pytest.mark.parametrize("p", PERMS)
def test_reorder_is_what_a_vector_of_sizes_needs(p: Perm) -> None:
    shape, stored = SIZES[: len(p)], tensor(len(p)).transpose(p).shape
    assert tuple(perm.reorder(p, shape)) == stored
    assert tuple(perm.reorder(perm.reorder_pairs(p), shape + shape)) == stored + stored


@pytest.mark.parametrize("p", PERMS)
def test_drop_is_what_is_left_without_some_axes(p: Perm) -> None:
    x = tensor(len(p))
    for gone in subsets(len(p)):
        left = x.transpose(p).sum(axis=tuple(perm.axis(p, a) for a in gone))
        assert np.array_equal(x.sum(axis=gone).transpose(perm.drop(p, gone)), left)


@pytest.mark.parametrize("p", PERMS)
def test_suffix_aligns_an_operand_of_lower_rank(p: Perm) -> None:
    x = tensor(len(p))
    for rank in range(len(p) + 1):
        lead = len(p) - rank
        small = x[(0,) * lead]
        stored = small.transpose(perm.suffix(p, rank))
        grown = np.expand_dims(stored, tuple(i for i, a in enumerate(p) if a < lead))
        assert np.array_equal(x.transpose(p) + grown, (x + small).transpose(p))


@pytest.mark.parametrize(
    ("rank", "first", "last"),
    [
        (2, (0, 1), (0, 1)),
        (3, (0, 2, 1), (0, 2, 1)),
        (4, (0, 3, 1, 2), (0, 2, 3, 1)),
        (5, (0, 4, 1, 2, 3), (0, 2, 3, 4, 1)),
    ],
)
def test_channels_first_and_last(rank: int, first: Perm, last: Perm) -> None:
    assert perm.channels_first(rank) == first
    assert perm.channels_last(rank) == last
    assert perm.then(first, last) == perm.identity(rank)
