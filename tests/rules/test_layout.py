"""Layouts against numpy: orders along axes first, the perm then."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passes.layout import layout as lay
from passes.layout import perm
from passes.layout.layout import AS_IS, Layout
from passes.layout.order import Order


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, ...], Layout]:
    """A shape and a layout of it."""
    atoms = draw(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=3), max_size=4))
    p = tuple(draw(st.permutations(range(len(atoms)))))
    along = []
    for axis, sizes in enumerate(atoms):
        if draw(st.booleans()):
            along.append((axis, Order(tuple(sizes), tuple(draw(st.permutations(range(len(sizes))))))))
    return tuple(map(prod, atoms)), Layout(p, tuple(along))


def indices(layout: Layout, shape: tuple[int, ...]) -> list[np.ndarray]:
    """For every original axis, which of its elements are stored first, second, ..."""
    vectors = [np.arange(size) for size in shape]
    for axis, order in layout.orders:
        assert isinstance(order, Order)
        vectors[axis] = vectors[axis].reshape(order.sizes).transpose(order.perm).ravel()
    return vectors


@given(layouts())
def test_apply_picks_elements_along_every_axis(case: tuple[tuple[int, ...], Layout]) -> None:
    shape, layout = case
    x = np.arange(prod(shape)).reshape(shape)
    picked = x[np.ix_(*indices(layout, shape))] if shape else x
    assert np.array_equal(layout.apply(x), picked.transpose(layout.perm))


@given(layouts())
def test_make_is_canonical(case: tuple[tuple[int, ...], Layout]) -> None:
    shape, layout = case
    made = lay.make(layout.perm, reversed(layout.orders))
    x = np.arange(prod(shape)).reshape(shape)
    assert np.array_equal(made.apply(x), layout.apply(x))
    assert (made == AS_IS) == (not layout.orders and layout.perm == perm.identity(len(shape)))
    assert lay.make(*lay.of_rank(made, len(shape))) == made
    assert len(lay.of_rank(made, len(shape)).perm) == len(shape)
    assert all(made.order(axis) == order for axis, order in layout.orders)


def test_an_order_of_none_is_no_order() -> None:
    assert lay.make((0, 1), [(1, None)]) is AS_IS
    assert lay.make((1, 0), [(1, None)]).order(1) is None


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        (AS_IS, "as is"),
        (Layout((0, 2, 3, 1)), "(0, 2, 3, 1)"),
        (Layout((0, 1), ((1, Order((5, 7), (1, 0))),)), "(0, 1), axis 1 as 5x7 (1, 0)"),
    ],
)
def test_layouts_print_readably(layout: Layout, text: str) -> None:
    assert str(layout) == text
