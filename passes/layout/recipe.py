"""What turns a value stored one way into the same value stored another way: Reshape, Transpose, Reshape at most."""

from collections.abc import Sequence
from typing import NamedTuple

from passes.layout.factor import Factor, refined
from passes.layout.layout import Dim, Layout
from passes.layout.perm import Perm
from passes.refusal import Refusal


class Reshape(NamedTuple):
    """To these sizes, as ONNX reads them: 0 copies the dim in its place, -1 is what is left."""

    target: tuple[int, ...]


class Transpose(NamedTuple):
    """Moves elements."""

    perm: Perm


Recipe = tuple[Reshape | Transpose, ...]


def recipe(source: Layout, target: Layout, shape: Sequence[Dim]) -> Recipe:
    """The steps from ``source`` to ``target``, for an original of ``shape``; a Reshape alone where no byte moves.

    Refuses where a Reshape that is needed cannot be written down for unknown sizes, and between different segments.
    """
    if source == target:
        return ()
    before, after = source.shape(shape), target.shape(shape)
    if source.memory_order(shape) == target.memory_order(shape) and (sizes := spelled(before, after)):
        return (Reshape(sizes),)
    if source.segments != target.segments:
        raise Refusal("a Transpose cannot change the order of segments of an axis")
    if sorted(source.stored) == sorted(target.stored):
        return (Transpose(tuple(source.stored.index(factors) for factors in target.stored)),)
    had, wanted = parts(source, target), parts(target, source)
    divided = [shape[f.axis] if f.size is None else f.size for f in had]
    p = tuple(had.index(f) for f in wanted)
    steps = [divided, [divided[i] for i in p], after]
    first, last = spelled(before, steps[0]), spelled(steps[1], after)
    if first is None or last is None:
        raise Refusal("an axis of unknown size cannot be divided")
    split, merge = ((Reshape(first),) if before != divided else ()), ((Reshape(last),) if steps[1] != after else ())
    return (*split, Transpose(p), *merge)


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
