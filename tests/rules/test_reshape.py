"""What a Reshape does to layouts, against numpy: no element moves, so the stored bytes are the same on both sides."""

from itertools import accumulate, pairwise, permutations
from math import prod

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from passes.layout import perm
from passes.layout.layout import VECTOR, Dim, Layout, arranged, permuted
from passes.layout.reshape import Regrouping, of_flatten, of_reshape
from passes.layout.vector import joined, reordered
from passes.refusal import Refusal
from tests.rules.accepts import in_axes

Shape = tuple[int, ...]


JOINED = joined([(6, reordered((2, 3), (1, 0))), (5, VECTOR)])


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[Shape, Shape]:
    """Two shapes of the same size: the same factors, multiplied in two ways."""
    atoms = draw(st.lists(st.sampled_from([2, 3, 5]), min_size=1, max_size=5))
    return draw(merged(atoms)), draw(merged(atoms))


@st.composite
def merged(draw: st.DrawFn, atoms: list[int]) -> Shape:
    """Neighbours of ``atoms`` multiplied, and axes of size 1 put between."""
    cuts = sorted(draw(st.sets(st.integers(1, len(atoms)))) | {0, len(atoms)})
    shape = [prod(atoms[a:b]) for a, b in pairwise(cuts)]
    for place in draw(st.lists(st.integers(0, len(shape)), max_size=2)):
        shape.insert(place, 1)
    return tuple(shape)


@st.composite
def layouts(draw: st.DrawFn, both: Regrouping) -> Layout:
    """A layout of the source, with orders of its atoms or of parts that the Reshape does not see."""
    p = tuple(draw(st.permutations(range(len(both.source)))))
    along = {}
    for axis, atoms in enumerate(both.source):
        sizes = [int(str(both.sizes[atom])) for atom in atoms]
        if len(sizes) == 1 and sizes[0] % 2 == 0 and sizes[0] > 2 and draw(st.booleans()):
            along[axis] = reordered((2, sizes[0] // 2), (1, 0))
        elif len(sizes) > 1 and draw(st.booleans()):
            along[axis] = reordered(sizes, tuple(draw(st.permutations(range(len(sizes))))))
    return arranged(p, along)


def holds(before: Shape, after: Shape, source: Layout, target: Layout) -> bool:
    """Whether a value stored as ``source`` is, without moving an element, its reshape stored as ``target``."""
    x = np.arange(prod(before)).reshape(before)
    return bool(np.array_equal(source.apply(x).ravel(), target.apply(x.reshape(after)).ravel()))


def carried(both: Regrouping, layout: Layout) -> list[Layout]:
    """None, if they are refused."""
    try:
        return both.carry(layout)
    except Refusal:
        return []


def test_carry_moves_no_element() -> None:
    accepted = []

    @given(reshapes(), st.data())
    def moves_none(shapes: tuple[Shape, Shape], data: st.DataObject) -> None:
        both = of_reshape(*shapes)
        layout = data.draw(layouts(both))
        targets = carried(both, layout)
        assert all(holds(*shapes, layout, target) for target in targets)
        accepted.append(bool(targets))

    moves_none()
    assert sum(accepted) > len(accepted) / 4


@given(reshapes(), st.data())
def test_carry_refuses_only_what_no_layout_holds(shapes: tuple[Shape, Shape], data: st.DataObject) -> None:
    """Nor any permutation of the elements along each axis."""
    before, after = shapes
    both = of_reshape(before, after)
    layout = permuted(tuple(data.draw(st.permutations(range(len(before))))))
    if not carried(both, layout):
        stored = layout.apply(np.arange(prod(before)).reshape(before))
        assert not any(in_axes(stored, after, q) for q in permutations(range(len(after))))


@pytest.mark.parametrize(
    ("before", "after", "layout", "expected"),
    [
        ((2, 6, 5), (2, 30), {1: reordered((2, 3), (1, 0))}, {1: reordered((2, 3, 5), (1, 0, 2))}),
        ((2, 30), (2, 6, 5), {1: reordered((2, 3, 5), (1, 0, 2))}, {1: reordered((2, 3), (1, 0))}),
        ((2, 30), (2, 1, 30), {1: reordered((5, 6), (1, 0))}, {2: reordered((5, 6), (1, 0))}),
        ((2, 11), (1, 2, 11), {1: JOINED}, {2: JOINED}),
        ((2, 60), (2, 4, 15), {1: reordered((2, 2, 15), (1, 0, 2))}, {1: reordered((2, 2), (1, 0))}),
    ],
)  # fmt: skip
def test_orders_pass(before: Shape, after: Shape, layout: dict[int, Layout], expected: dict[int, Layout]) -> None:
    source, target = (
        arranged(tuple(range(len(side))), orders) for side, orders in ((before, layout), (after, expected))
    )
    assert target in of_reshape(before, after).carry(source)


@given(reshapes(), st.data())
def test_carry_finds_a_layout_if_there_is_one(shapes: tuple[Shape, Shape], data: st.DataObject) -> None:
    """A perm of the source that some perm of the target stores alike is never refused."""
    before, after = shapes
    assume(len(after) < 5)
    both = of_reshape(before, after)
    layout = permuted(tuple(data.draw(st.permutations(range(len(before))))))
    if any(holds(before, after, layout, permuted(p)) for p in permutations(range(len(after)))):
        assert any(holds(before, after, layout, target) for target in both.carry(layout))


@given(reshapes(), st.data())
def test_carry_and_back(shapes: tuple[Shape, Shape], data: st.DataObject) -> None:
    """The other way round, a target layout leads to layouts that store the source alike."""
    before, after = shapes
    both = of_reshape(before, after)
    layout = permuted(tuple(data.draw(st.permutations(range(len(before))))))
    for target in carried(both, layout)[:1]:
        sources = both.reversed().carry(target)
        assert sources
        assert all(holds(before, after, source, target) for source in sources)


@given(reshapes())
def test_atoms_multiply_to_the_dims_of_both_sides(shapes: tuple[Shape, Shape]) -> None:
    both = of_reshape(*shapes)
    for dims, axes in zip(shapes, (both.source, both.target), strict=True):
        assert tuple(prod(int(str(both.sizes[atom])) for atom in atoms) for atoms in axes) == dims
        assert [atom for atoms in axes for atom in atoms] == [atom for atoms in both.source for atom in atoms]


@given(reshapes(), st.integers(0, 5), st.data())
def test_flatten_moves_no_element(shapes: tuple[Shape, Shape], axis: int, data: st.DataObject) -> None:
    before = shapes[0]
    axis = min(axis, len(before))
    sizes = [*accumulate(before, initial=1, func=lambda a, b: a * b)]
    after = (sizes[axis], prod(before) // sizes[axis])
    layout = permuted(tuple(data.draw(st.permutations(range(len(before))))))
    targets = carried(of_flatten(before, axis), layout)
    stored = layout.apply(np.arange(prod(before)).reshape(before))
    assert bool(targets) == any(in_axes(stored, after, q) for q in ((0, 1), (1, 0)))
    assert all(holds(before, after, layout, target) for target in targets)


def test_channels_last_becomes_an_order() -> None:
    both = of_flatten((2, 3, 5, 7), 1)
    assert both.carry(permuted(perm.channels_last(4))) == [arranged((0, 1), {1: reordered((3, 5, 7), (1, 2, 0))})]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (("n", 6, 5, 7), ("unknown", 210), arranged((0, 1), {1: reordered((6, 5, 7), (1, 2, 0))})),
        (("n", 6, "h", "w"), ("n", 6, "unknown"), permuted((0, 2, 1))),
        (("n", "c", "h", "w"), ("n", "c", "h", "w"), permuted((0, 2, 3, 1))),
        (("n", "c", "h", "w"), ("n", "c", None), permuted((0, 2, 1))),
        (("n", "c", "h", "w"), ("n", "c", 1, "h", "w"), permuted((0, 3, 4, 1, 2))),
    ],
)
def test_dynamic_dims_are_followed_by_their_names(before: list[Dim], after: list[Dim], expected: Layout) -> None:
    assert expected in of_reshape(before, after).carry(permuted(perm.channels_last(4)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((6, 35), (10, 21)),
        (("n", 3), (3, "n")),
        (("n", "m"), ("k", "l")),
        (("n", 3, 5), ("k", "l", 5)),
        (("n", 3), (3,)),
        ((2, 0, 3), (0, 3, 2)),
        ((None, None), (None, None)),
    ],
)
def test_shapes_without_known_factors_are_refused(before: list[Dim], after: list[Dim]) -> None:
    with pytest.raises(Refusal, match="factors"):
        of_reshape(before, after)


@pytest.mark.parametrize(
    ("before", "after", "layout", "reason"),
    [
        ((2, 3, 5), (6, 5), permuted((0, 2, 1)), "next to each other"),
        ((2, 15), (2, 3, 5), arranged((0, 1), {1: reordered((5, 3), (1, 0))}), "split across the order"),
        ((2, 11, 5), (2, 55), arranged((0, 1, 2), {1: JOINED}), "merged"),
        (("n", "h", "w"), ("n", None), permuted((0, 2, 1)), "dynamic"),
    ],
)
def test_layouts_that_do_not_pass_are_refused(before: list[Dim], after: list[Dim], layout: Layout, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        of_reshape(before, after).carry(layout)
