"""Changes of layout: what it takes to turn a value stored one way into another."""

from collections.abc import Hashable, Sequence

import onnx_graphsurgeon as gs

from passes.layout.layout import Layout
from passes.layout.recipe import Transpose, recipe


def memory_order(layout: Layout, tensor: gs.Tensor) -> Hashable:
    """Equal for layouts that hold the same bytes: they differ in axes of size 1 only, and a Reshape does."""
    return layout if tensor.shape is None else layout.memory_order(tensor.shape)


def nearest(tensor: gs.Tensor, have: Sequence[Layout], needed: Layout) -> Layout:
    """Of the layouts ``have``, the one to make ``needed`` from: one that holds the same bytes, else the first."""
    order = memory_order(needed, tensor)
    return next((layout for layout in have if memory_order(layout, tensor) == order), have[0])


def relayout_op(tensor: gs.Tensor, stored: Layout, needed: Layout) -> str:
    """What turns one layout into another: a Reshape if no byte moves and its target can be written down."""
    moves = any(isinstance(step, Transpose) for step in recipe(stored, needed, tensor.shape))
    return "Transpose" if moves else "Reshape"


def exactly(layout: Layout, _: gs.Tensor) -> Hashable:
    """Equal for equal layouts only."""
    return layout


def same_orders(layout: Layout, _: gs.Tensor) -> Hashable:
    """A Transpose cannot change the order of elements within an axis: producer and reader must agree on it."""
    return tuple((axis, layout.along(axis)) for axis in sorted(layout.lengths()))
