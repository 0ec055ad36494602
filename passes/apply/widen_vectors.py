"""Short vectors along channels that come last, written once for each pixel of a row: the numbers are the same.

A runtime that broadcasts a vector of three to an image works in runs of three elements, and in runs of a whole row if
the vector is repeated along it (onnxruntime's CPU, Sub of [3] and of [224, 3] from [1, 224, 224, 3]: 487 and 34
microseconds). So it is done where images come in. Behind a Conv runtimes fuse the vector, or move Transposes past it.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import numpy as np

from passes.ir.declared import is_static
from passes.layout.edit import Array, Put
from passes.plan.flat_graph import FlatGraph, RuledNode
from passes.plan.plan import Plan
from passes.rules.api import IN, OUT, Move, Shape
from passes.rules.elementwise import BROADCAST, SAME

SHORT = 64  # elements: runs of so many are as fast as any
MOST = 16_384  # elements of a repeated vector, which must stay in the cache
LEAST_ROWS = 16  # of the image, for each one of the repeated vector


def widen_vectors(flat: FlatGraph, plan: Plan) -> Plan:
    """The plan with the short vectors of images that come in repeated, and those repeated by an earlier rewrite as they
    were."""
    come_in = _from_inputs(flat, plan)
    pairs = zip(flat.nodes, plan.moves, strict=True)
    return replace(plan, moves=[_move(ruled, move, come_in) for ruled, move in pairs])


def _from_inputs(flat: FlatGraph, plan: Plan) -> set[str]:
    """The values that elementwise operators alone make of graph inputs, stored as these."""
    found = set(flat.tensors) - set(flat.makers)
    for ruled, move in zip(flat.nodes, plan.moves, strict=True):
        inputs = [slot for slot in ruled.live if slot.side == "in"]
        as_stored = all(
            ruled.value(slot) in found and plan.stored[ruled.value(slot)] == move.at(slot) for slot in inputs
        )
        if ruled.rule in (SAME, BROADCAST) and inputs and as_stored:
            found.add(ruled.value(OUT(0)))
    return found


def _move(ruled: RuledNode, move: Move, come_in: set[str]) -> Move:
    """The move, with other operands where that is better."""
    if ruled.rule is not BROADCAST or move.outputs[0].is_natural or move.outputs[0].is_divided:
        return move
    shape = move.outputs[0].shape(ruled.node.shape(OUT(0)))
    wide = shape if ruled.value(OUT(0)) in come_in else None
    edits = {i: Put(array) for i, array in _operands(ruled, move, wide)}
    return replace(move, edits={**move.edits, **edits}) if edits else move


def _operands(ruled: RuledNode, move: Move, shape: Shape | None) -> Iterator[tuple[int, Array]]:
    """The constant operands that are better written otherwise; ``shape``: of the result, if they may be repeated."""
    node = ruled.node
    for i in (i for i in range(node.arity[0]) if node.has(IN(i)) and node.is_constant(i)):
        if i in move.edits or not 1 < prod(node.sizes(IN(i))) <= MOST:
            continue
        values = node.weights(i)
        rows = {(node.tensor(slot).shape or [None])[-2:][0] for slot in ruled.live if slot.side == "in"}
        vector = values[..., :1, :] if _is_repeated(values) and values.shape[-2] in rows else values
        stored = move.inputs[i].apply(vector)
        repeats = _repeats(stored.shape, shape) if shape is not None else 1
        if repeats > 1 or vector is not values:
            yield i, np.repeat(np.atleast_2d(stored), repeats, axis=-2)


def _is_repeated(values: Array) -> bool:
    """Whether these are copies of one vector, as an earlier rewrite may have written it."""
    if values.ndim < 2 or 1 in values.shape[-2:] or values.size > prod(values.shape[-2:]):
        return False
    return bool((values == values[..., :1, :]).all())


def _repeats(vector: tuple[int, ...], shape: Shape) -> int:
    """How often to repeat a vector along the last but one axis of an image of ``shape``."""
    known = [size for size in shape if isinstance(size, int)]
    if len(shape) < 2 or not is_static(shape[-2:]) or not vector[-1] == prod(vector) == known[-1] < SHORT:
        return 1
    return known[-2] if prod(known[-2:]) <= MOST and prod(known[:-2]) >= LEAST_ROWS else 1
