"""Layouts against numpy."""

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from passes.layout.factor import Factor
from passes.layout.layout import ANY, VECTOR, Layout, arranged, natural, permuted
from passes.layout.vector import cut, joined, reordered, resized
from passes.refusal import Refusal

Array = NDArray[Any]


@st.composite
def orders(draw: st.DrawFn) -> tuple[int, Layout, Array]:
    """An order of the elements of a vector: its length, the layout, and which elements are stored first, second, ..."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    p = draw(st.permutations(range(len(sizes))))
    return prod(sizes), reordered(sizes, tuple(p)), np.arange(prod(sizes)).reshape(sizes).transpose(p).ravel()


@st.composite
def joins(draw: st.DrawFn) -> tuple[list[int], list[Layout], Layout, Array]:
    """Parts that are joined: lengths and orders of these, the layout of all, and its elements."""
    parts = draw(st.lists(orders(), min_size=1, max_size=3))
    lengths, layouts = [n for n, _, _ in parts], [order for _, order, _ in parts]
    starts = np.cumsum([0, *lengths])
    elements = np.concatenate([start + found for start, (_, _, found) in zip(starts, parts, strict=False)])
    return lengths, layouts, joined(zip(lengths, layouts, strict=True)), elements


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, ...], Layout, Array, Array]:
    """A shape, a layout of it, an array, and this as stored."""
    rank = draw(st.integers(0, 3))
    p = tuple(draw(st.permutations(range(rank))))
    shape, along, elements = [], {}, []
    for axis in range(rank):
        if draw(st.booleans()):
            n, along[axis], indices = draw(orders())
        else:
            lengths, _, order, indices = draw(joins())
            n, along[axis] = sum(lengths), order
        shape.append(n)
        elements.append(indices)
    x = np.arange(prod(shape)).reshape(shape)
    picked = x[np.ix_(*elements)] if rank else x
    return tuple(shape), arranged(p, along), x, picked.transpose(p)


@given(layouts())
def test_apply_stores_and_inverse_restores(case: tuple[tuple[int, ...], Layout, Array, Array]) -> None:
    shape, layout, x, stored = case
    assert np.array_equal(layout.apply(x), stored)
    assert np.array_equal(layout.inverse().apply(stored), x)
    assert layout.shape(shape) == list(stored.shape)
    assert layout.fits(shape)
    assert layout.fits([None] * len(shape))
    assert layout.rank == len(shape)


@given(layouts())
def test_equal_layouts_are_those_that_store_alike(case: tuple[tuple[int, ...], Layout, Array, Array]) -> None:
    shape, layout, x, _ = case
    p = layout.axis_perm
    assert arranged(p, {axis: layout.along(axis) for axis in p}) == layout
    distinct = all(size > 1 for size in shape)
    assert layout.is_natural <= np.array_equal(layout.apply(x), x)
    assert not distinct or layout.is_natural == (
        layout.shape(shape) == list(shape) and bool((layout.apply(x) == x).all())
    )


@given(orders())
def test_vectors_are_canonical(case: tuple[int, Layout, Array]) -> None:
    n, order, elements = case
    assert np.array_equal(order.apply(np.arange(n)), elements)
    assert (order == VECTOR) == np.array_equal(elements, np.arange(n))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (reordered((2, 3, 5), (2, 0, 1)), reordered((6, 5), (1, 0))),
        (reordered((2, 3), (0, 1)), VECTOR),
        (reordered((1, 6, 1), (2, 1, 0)), VECTOR),
        (reordered((2, 1, 3), (2, 1, 0)), reordered((2, 3), (1, 0))),
        (joined([(2, VECTOR), (3, VECTOR)]), VECTOR),
        (joined([(6, reordered((2, 3), (1, 0)))]), reordered((2, 3), (1, 0))),
        (arranged((1, 0), {0: VECTOR}), permuted((1, 0))),
        (natural(None), natural(0)),
    ],
)
def test_what_stores_alike_is_equal(one: Layout, other: Layout) -> None:
    assert one == other
    assert hash(one) == hash(other)


@given(layouts(), st.data())
def test_axes_are_renamed_dropped_and_inserted(case: tuple[Any, Layout, Array, Array], data: st.DataObject) -> None:
    shape, layout, x, stored = case
    t = tuple(data.draw(st.permutations(range(len(shape)))))
    assert np.array_equal(layout.transposed(t).apply(x.transpose(t)), stored)
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    squeezed = layout.drop(ones).apply(x.squeeze(tuple(ones)))
    assert np.array_equal(squeezed, stored.squeeze(tuple(layout.places(ones))))
    axis = data.draw(st.integers(0, len(shape)))
    assert np.array_equal(layout.insert([axis]).apply(np.expand_dims(x, axis)), np.expand_dims(stored, axis))


@given(layouts(), st.data())
def test_an_axis_becomes_several(case: tuple[Any, Layout, Array, Array], data: st.DataObject) -> None:
    """As Gather does: ``x[indices]`` along an axis, with indices of any rank."""
    shape, layout, x, stored = case
    if not shape:
        return
    axis = data.draw(st.integers(0, len(shape) - 1))
    indices = np.zeros((1,) * data.draw(st.integers(0, 2)), dtype=int)
    if layout.along(axis) == VECTOR:
        taken = layout.replace(axis, indices.ndim).apply(np.take(x, indices, axis))
        assert np.array_equal(taken, np.take(stored, indices, layout.place(axis)))


@given(joins())
def test_parts_are_cut_out_again(case: tuple[list[int], list[Layout], Layout, Array]) -> None:
    lengths, parts, whole, elements = case
    assert np.array_equal(whole.apply(np.arange(sum(lengths))), elements)
    assert cut(whole, lengths) == parts


@given(joins(), st.data())
def test_cut_tells_the_truth(case: tuple[list[int], list[Layout], Layout, Array], data: st.DataObject) -> None:
    lengths, _, whole, elements = case
    first = data.draw(st.integers(1, sum(lengths)))
    parts = cut(whole, [first, sum(lengths) - first])
    if parts is not None:
        stored = [parts[0].apply(np.arange(first)), first + parts[1].apply(np.arange(sum(lengths) - first))]
        assert np.array_equal(np.concatenate(stored), elements)


def test_fewer_of_the_outermost_factor() -> None:
    order = reordered((4, 3, 5), (0, 2, 1))
    assert resized(order, 30) == reordered((2, 3, 5), (0, 2, 1))
    assert resized(order, 35) is None
    assert resized(reordered((4, 3), (1, 0)), 6) is None  # the outermost factor is stored last
    assert resized(joined([(6, order), (5, VECTOR)]), 6) is None


def test_factors_of_an_axis_may_be_stored_apart() -> None:
    """Heads of an attention: ``n t (h d) -> n h t d``."""
    heads = Layout(((Factor(0),), (Factor(2, 5, 3),), (Factor(1),), (Factor(2, 1, 5),)))
    x = np.arange(2 * 7 * 15).reshape(2, 7, 15)
    stored = x.reshape(2, 7, 3, 5).transpose(0, 2, 1, 3)
    assert np.array_equal(heads.apply(x), stored)
    assert np.array_equal(heads.inverse().apply(stored), x)
    assert heads.shape(x.shape) == [2, 3, 7, 5]
    assert heads.text("ntc") == "n t (c1 c2) -> n c1 t c2, c1=3"
    with pytest.raises(Refusal, match="apart"):
        heads.perm  # noqa: B018
    with pytest.raises(Refusal, match="apart"):
        heads.place(2)


@pytest.mark.parametrize(
    ("layout", "shape", "fits"),
    [
        (permuted((0, 2, 1)), (2, 3, 5), True),
        (permuted((0, 2, 1)), (2, 3), False),
        (arranged((0, 1), {1: reordered((3, 70), (1, 0))}), (2, 210), True),
        (arranged((0, 1), {1: reordered((3, 70), (1, 0))}), (2, 11), False),
        (arranged((0, 1), {1: reordered((3, 70), (1, 0))}), ("n", "c"), True),
        (arranged((0,), {0: joined([(6, reordered((2, 3), (1, 0))), (5, VECTOR)])}), (11,), True),
        (arranged((0,), {0: joined([(6, reordered((2, 3), (1, 0))), (5, VECTOR)])}), (12,), False),
        (natural(0), (), True),
    ],
)
def test_layouts_fit_shapes_or_do_not(layout: Layout, shape: tuple[Any, ...], fits: bool) -> None:
    assert layout.fits(shape) == fits


def test_memory_order_leaves_out_axes_of_size_one() -> None:
    last, shape = permuted((0, 2, 3, 1)), (2, 3, 1, 1)
    assert last.memory_order(shape) == natural(4).memory_order(shape)
    assert last.memory_order((2, 3, 1, 5)) != natural(4).memory_order((2, 3, 1, 5))


def test_a_perm_is_refused_where_an_axis_is_divided() -> None:
    layout = arranged((0, 2, 1), {1: reordered((2, 3), (1, 0))})
    assert layout.axis_perm == (0, 2, 1)
    assert layout.require_natural(0, 2) == layout
    for ask in (lambda: layout.perm, lambda: layout.require_natural(1)):
        with pytest.raises(Refusal, match="elements along axis 1"):
            ask()
    assert layout.natural_along([1]) == permuted((0, 2, 1))


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        (natural(4), "as is"),
        (permuted((0, 2, 3, 1)), "a b c d -> a c d b"),
        (arranged((0, 1), {1: reordered((5, 7), (1, 0))}), "a (b1 b2) -> a (b2 b1), b1=5"),
        (arranged((1, 0), {1: joined([(6, reordered((2, 3), (1, 0))), (5, VECTOR)])}),
         "a b -> b a, b is 6 (a1 a2) -> (a2 a1), a1=2 then 5 as is"),
    ],
)  # fmt: skip
def test_layouts_print_as_einops_writes_them(layout: Layout, text: str) -> None:
    assert str(layout) == text


def test_any_is_no_layout_of_a_value() -> None:
    assert ANY != VECTOR
    assert not ANY.is_natural
