"""Labels of axes: which axes, or factors of axes, of a node's inputs and outputs are the same.

The meaning of axes travels along labels (``plan/roles.py``). A rule's ``labels`` say for each slot, axis by axis, the
labels of its factors, outermost first; slots that are not named have nothing to say.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import NamedTuple

from passes.refusal import Refusal
from passes.rules.move import IN, OUT, Slot
from passes.rules.node import Node


class Broadcast(NamedTuple):
    """The label of an axis of size 1 that is repeated ``along`` another: it has that one's meaning, but tells none."""

    along: Hashable


AxisLabels = tuple[tuple[Hashable, ...], ...]
Labels = Mapping[Slot, AxisLabels]
LabelsFn = Callable[[Node], Labels]


def whole(labels: Iterable[Hashable]) -> AxisLabels:
    """The labels of axes of one factor each."""
    return tuple((label,) for label in labels)


def same_axes(node: Node) -> Labels:
    """All inputs and outputs of the first output's rank have its axes."""
    rank = node.rank(OUT(0))
    return {slot: whole(range(rank)) for slot in node.slots if node.tensor(slot).shape and node.rank(slot) == rank}


def broadcast_axes(node: Node) -> Labels:
    """As ``same_axes``, but inputs may be broadcast along some axes."""
    result = node.shape(OUT(0))
    return {
        slot: whole(
            Broadcast(label[0]) if size == 1 != wide else label[0]
            for label, size, wide in zip(axes, node.shape(slot), result, strict=True)
        )
        for slot, axes in same_axes(node).items()
    }


def image_axes(node: Node) -> Labels:
    """The first input and the results are images; kernels, grids and offsets have axes of their own."""
    rank = node.rank(IN(0))
    images = [IN(0), *(OUT(j) for j in range(node.arity[1]) if node.has(OUT(j)) and node.rank(OUT(j)) == rank)]
    return dict.fromkeys(images, whole(range(rank)))


def no_axes(node: Node) -> Labels:
    """No axis of an input is one of an output."""
    return {}


def without(node: Node, axes: Collection[int], keepdims: bool = False) -> Labels:
    """The first output lacks ``axes`` of the first input; with ``keepdims`` one entry of these is left."""
    if keepdims:
        return same_axes(node)
    labels = range(node.rank(IN(0)))
    return {IN(0): whole(labels), OUT(0): whole(label for label in labels if label not in axes)}


def labels_of(node: Node, fn: LabelsFn) -> Labels:
    """The labels of a node's axes; none where its shapes do not tell them."""
    try:
        return fn(node)
    except Refusal:
        return {}
