"""Changes of layout: what it takes to turn a value stored one way into another, and what it costs."""

from collections.abc import Hashable, Mapping, Sequence
from math import prod

import numpy as np
import onnx_graphsurgeon as gs

from passes.layout import perm
from passes.layout.layout import Layout, of_rank

DEFAULT_BATCH, DEFAULT_DIM = 1, 64  # prices of dynamic dims: the first axis, any other


def data_order(layout: Layout, tensor: gs.Tensor) -> Hashable:
    """Equal for layouts that hold the same bytes: they differ in axes of size 1 only, and a Reshape does."""
    if tensor.shape is None:
        return layout
    stored = of_rank(layout, len(tensor.shape)).perm
    return tuple(a for a in stored if tensor.shape[a] != 1), layout.orders


def nearest(tensor: gs.Tensor, have: Sequence[Layout], needed: Layout) -> Layout:
    """Of the layouts ``have``, the one to make ``needed`` from: one that holds the same bytes, else the first."""
    order = data_order(needed, tensor)
    return next((at for at in have if data_order(at, tensor) == order), have[0])


def change_op(tensor: gs.Tensor, stored: Layout, needed: Layout) -> str:
    """What turns one layout into another: a Reshape if no byte moves and its target can be written down."""
    return "Transpose" if reshape_target(tensor, stored, needed) is None else "Reshape"


def reshape_target(tensor: gs.Tensor, stored: Layout, needed: Layout) -> list[int] | None:
    """The target shape (0 copies a dynamic dim in place, -1 is the one that moved) of a Reshape that does."""
    if data_order(stored, tensor) != data_order(needed, tensor):
        return None
    before, after = (perm.reorder(of_rank(at, len(tensor.shape)).perm, tensor.shape) for at in (stored, needed))
    target = [d if isinstance(d, int) else 0 if d == e else -1 for d, e in zip(after, before, strict=True)]
    return target if target.count(-1) < 2 and 0 not in tensor.shape else None


def exactly(layout: Layout, _: gs.Tensor) -> Hashable:
    return layout


def same_orders(layout: Layout, _: gs.Tensor) -> Hashable:
    """A Transpose cannot change the order of elements within an axis: producer and reader must agree on it."""
    return layout.orders


def price(tensor: gs.Tensor, hints: Mapping[str, int]) -> int:
    """Bytes that one Transpose of the tensor moves."""
    itemsize = np.dtype(tensor.dtype).itemsize if tensor.dtype is not None and not isinstance(tensor.dtype, int) else 2
    sizes = (
        d if isinstance(d, int) else hints.get(str(d), DEFAULT_DIM if axis else DEFAULT_BATCH)
        for axis, d in enumerate(tensor.shape or ())
    )
    return itemsize * prod(sizes)
