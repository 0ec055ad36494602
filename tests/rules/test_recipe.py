"""What turns one layout into another, against numpy."""

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from passes.layout.factor import Factor
from passes.layout.layout import VECTOR, Layout, arranged, natural, permuted
from passes.layout.perm import Perm
from passes.layout.recipe import Recipe, Reshape, Squeeze, Transpose, Unsqueeze, recipe
from passes.layout.vector import joined, reordered
from passes.refusal import Refusal

SHAPE = (2, 6, 1, 5)
ORDERS = st.sampled_from([VECTOR, reordered((2, 3), (1, 0)), reordered((3, 2), (1, 0))])
HEADS = Layout(((Factor(0),), (Factor(1, 3, 2),), (Factor(3),), (Factor(1, 1, 3),), (Factor(2),)))


def followed(steps: Recipe, array: NDArray[Any]) -> NDArray[Any]:
    for step in steps:
        if isinstance(step, Transpose):
            array = array.transpose(step.perm)
        elif isinstance(step, Squeeze):
            array = array.squeeze(step.axes)
        elif isinstance(step, Unsqueeze):
            array = np.expand_dims(array, step.axes)
        else:
            array = array.reshape([array.shape[i] if n == 0 else n for i, n in enumerate(step.target)])
    return array


ARRANGED = st.builds(arranged, st.permutations(range(4)).map(tuple), st.fixed_dictionaries({1: ORDERS}))
LAYOUTS = st.just(HEADS) | ARRANGED


@given(LAYOUTS, LAYOUTS)
def test_a_recipe_leads_there(source: Layout, target: Layout) -> None:
    x = np.arange(prod(SHAPE)).reshape(SHAPE)
    if strides(source) | strides(target) == {1, 2, 3}:  # two by three and three by two have no common factors
        with pytest.raises(Refusal, match="split across"):
            recipe(source, target, SHAPE)
        return
    steps = recipe(source, target, SHAPE)
    assert np.array_equal(followed(steps, source.apply(x)), target.apply(x))
    assert (steps == ()) == (source == target)
    assert sum(isinstance(step, Transpose) for step in steps) <= 1
    same_bytes = np.array_equal(source.apply(x).ravel(), target.apply(x).ravel())
    assert not same_bytes or all(isinstance(step, Reshape) for step in steps)


def strides(layout: Layout) -> set[int]:
    """Of the factors of axis 1, if it is divided."""
    return {f.stride for factors in layout.stored for f in factors if f.size}


@given(st.permutations(range(4)).map(tuple), st.permutations(range(4)).map(tuple))
def test_axes_of_size_1_move_alone_whatever_the_other_sizes(source: Perm, target: Perm) -> None:
    x = np.arange(15).reshape(1, 3, 1, 5)
    steps = recipe(permuted(source), permuted(target), (1, "h", 1, "w"))
    assert np.array_equal(followed(steps, x.transpose(source)), x.transpose(target))
    same_bytes = np.array_equal(x.transpose(source).ravel(), x.transpose(target).ravel())
    assert same_bytes != any(isinstance(step, Transpose) for step in steps)


@pytest.mark.parametrize(
    ("source", "target", "shape", "steps"),
    [
        (natural(4), permuted((0, 2, 3, 1)), (1, 3, 5, 7), (Transpose((0, 2, 3, 1)),)),
        (natural(4), permuted((0, 2, 3, 1)), (2, 3, 1, 1), (Reshape((2, 1, 1, 3)),)),
        (natural(4), permuted((0, 2, 3, 1)), ("n", 3, 1, 1), (Reshape((0, 1, 1, 3)),)),
        (natural(4), permuted((0, 2, 3, 1)), ("n", "c", 1, 1), (Reshape((0, 1, 1, -1)),)),
        (natural(4), permuted((3, 0, 1, 2)), ("n", "c", "h", 1), (Squeeze((3,)), Unsqueeze((0,)))),  # two dims move
        (natural(4), permuted((0, 2, 3, 1)), ("n", 1, "h", "w"), (Squeeze((1,)), Unsqueeze((3,)))),
        (natural(4), permuted((0, 2, 3, 1)), (1, 1, "h", "w"), (Squeeze((1,)), Unsqueeze((3,)))),  # the batch stays
        (permuted((0, 1, 2)), permuted((1, 2, 0)), (1, 1, "h"), (Reshape((1, -1, 1)),)),
        (permuted((2, 0, 3, 1)), permuted((1, 0, 2, 3)), ("n", 1, "h", "w"), (Transpose((3, 1, 0, 2)),)),
        (natural(2), arranged((0, 1), {1: reordered((2, 3), (1, 0))}), ("n", 6),
         (Reshape((0, 2, 3)), Transpose((0, 2, 1)), Reshape((0, 6)))),
    ],
)  # fmt: skip
def test_recipes(source: Layout, target: Layout, shape: tuple[Any, ...], steps: Recipe) -> None:
    assert recipe(source, target, shape) == steps


def test_segments_stay() -> None:
    parts = arranged((0,), {0: joined([(6, reordered((2, 3), (1, 0))), (5, VECTOR)])})
    with pytest.raises(Refusal, match="segments"):
        recipe(parts, natural(1), (11,))
