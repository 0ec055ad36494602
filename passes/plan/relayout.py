"""Changes of layout: what it takes to turn a value stored one way into another."""

from collections.abc import Hashable, Sequence

import onnx_graphsurgeon as gs

from passes.layout import perm
from passes.layout.layout import Layout, of_rank


def memory_order(layout: Layout, tensor: gs.Tensor) -> Hashable:
    """Equal for layouts that hold the same bytes: they differ in axes of size 1 only, and a Reshape does."""
    if tensor.shape is None:
        return layout
    stored = of_rank(layout, len(tensor.shape)).perm
    return tuple(a for a in stored if tensor.shape[a] != 1), layout.orders


def nearest(tensor: gs.Tensor, have: Sequence[Layout], needed: Layout) -> Layout:
    """Of the layouts ``have``, the one to make ``needed`` from: one that holds the same bytes, else the first."""
    order = memory_order(needed, tensor)
    return next((layout for layout in have if memory_order(layout, tensor) == order), have[0])


def relayout_op(tensor: gs.Tensor, stored: Layout, needed: Layout) -> str:
    """What turns one layout into another: a Reshape if no byte moves and its target can be written down."""
    return "Transpose" if reshape_target(tensor, stored, needed) is None else "Reshape"


def reshape_target(tensor: gs.Tensor, stored: Layout, needed: Layout) -> list[int] | None:
    """The target shape (0 copies a dynamic dim in place, -1 is the one that moved) of a Reshape that does."""
    if memory_order(stored, tensor) != memory_order(needed, tensor):
        return None
    before, after = (perm.reorder(of_rank(side, len(tensor.shape)).perm, tensor.shape) for side in (stored, needed))
    target = [d if isinstance(d, int) else 0 if d == e else -1 for d, e in zip(after, before, strict=True)]
    return target if target.count(-1) < 2 and 0 not in tensor.shape else None


def exactly(layout: Layout, _: gs.Tensor) -> Hashable:
    """Equal for equal layouts only."""
    return layout


def same_orders(layout: Layout, _: gs.Tensor) -> Hashable:
    """A Transpose cannot change the order of elements within an axis: producer and reader must agree on it."""
    return layout.orders
