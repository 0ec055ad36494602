"""What turns a value stored one way into the same value stored another way: Reshape, Transpose, Reshape at most.

Where no byte moves, one Reshape; or a Squeeze and an Unsqueeze, where unknown sizes keep that from being written down.
"""

from collections.abc import Sequence
from typing import NamedTuple

from passes.layout.factor import Factor, refined
from passes.layout.layout import Dim, Layout
from passes.layout.perm import Perm
from passes.refusal import Refusal


class Reshape(NamedTuple):
    """To these sizes, as ONNX reads them: 0 copies the dim in its place, -1 is what is left."""

    target: tuple[int, ...]


class Squeeze(NamedTuple):
    """Without these axes of size 1."""

    axes: tuple[int, ...]


class Unsqueeze(NamedTuple):
    """With axes of size 1 more, at these places of the result."""

    axes: tuple[int, ...]


class Transpose(NamedTuple):
    """Moves elements."""

    perm: Perm


Step = Reshape | Squeeze | Unsqueeze | Transpose
Recipe = tuple[Step, ...]


def recipe(source: Layout, target: Layout, shape: Sequence[Dim]) -> Recipe:
    """The steps from ``source`` to ``target``, for an original of ``shape``; no Transpose where no byte moves.

    Refuses where a Reshape that is needed cannot be written down for unknown sizes, and between different segments.
    """
    if source == target:
        return ()
    before, after = source.shape(shape), target.shape(shape)
    if source.memory_order(shape) == target.memory_order(shape):
        if sizes := spelled(before, after):
            return (Reshape(sizes),)
        if steps := around_units(source, target, before):
            return steps
    if source.segments != target.segments:
        raise Refusal("a Transpose cannot change the order of segments of an axis")
    if sorted(source.stored) == sorted(target.stored):
        return (Transpose(tuple(source.stored.index(factors) for factors in target.stored)),)
    had, wanted = parts(source, target), parts(target, source)
    divided = [shape[f.axis] if f.size is None else f.size for f in had]
    p = tuple(had.index(f) for f in wanted)
    moved = [divided[i] for i in p]
    first, last = spelled(before, divided), spelled(moved, after)
    if first is None or last is None:
        raise Refusal("an axis of unknown size cannot be divided")
    split, merge = ((Reshape(first),) if before != divided else ()), ((Reshape(last),) if moved != after else ())
    return (*split, Transpose(p), *merge)


def around_units(source: Layout, target: Layout, before: Sequence[Dim]) -> Recipe:
    """The steps that move axes of size 1, as few as can be; none if others move, too."""
    units = [axes for axes, dim in zip(source.stored, before, strict=True) if dim == 1]
    still = [axes for axes, other in zip(source.stored, target.stored, strict=False) if axes == other]
    for moved in ([axes for axes in units if axes not in still], units):
        had, wanted = ([axes for axes in one.stored if axes not in moved] for one in (source, target))
        if had == wanted:
            gone, new = (tuple(i for i, axes in enumerate(one.stored) if axes in moved) for one in (source, target))
            return Squeeze(gone), Unsqueeze(new)
    return ()


def parts(layout: Layout, other: Layout) -> list[Factor]:
    """The factors of a layout as stored, divided as far as those of another are."""
    lengths = {**layout.lengths(), **other.lengths()}
    strides: dict[int, list[int]] = {axis: [] for axis in lengths}
    for f in (f for side in (layout, other) for factors in side.stored for f in factors):
        strides.get(f.axis, []).append(f.stride)
    whole = (f if f.size or f.axis not in lengths else Factor(f.axis, 1, lengths[f.axis])
             for factors in layout.stored for f in factors)  # fmt: skip
    return [part for f in whole for part in (refined([f], strides[f.axis]) if f.size else [f])]


def spelled(before: Sequence[Dim], after: Sequence[Dim]) -> tuple[int, ...] | None:
    """The target of a Reshape between these shapes, ``None`` if sizes that are not known keep it from being written."""
    same = [i < len(before) and before[i] == dim for i, dim in enumerate(after)]
    target = [dim if isinstance(dim, int) else 0 if kept else -1 for dim, kept in zip(after, same, strict=True)]
    return tuple(target) if target.count(-1) < 2 and 0 not in before else None
