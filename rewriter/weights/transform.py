"""What is done to one tensor on its way to a target; and back, bit for bit."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.layout import perm
from passes.layout.layout import Layout
from passes.layout.order import AxisOrder, Joined, Order
from passes.layout.perm import Perm
from rewriter.weights.letters import Array


@dataclass(frozen=True)
class TensorTransform:
    """The elements along axes are reordered, then axes permuted, then ``flip`` (axes of the result) reversed, and the
    result has ``shape``, which differs by axes of size one and depthwise multipliers only."""

    source_shape: tuple[int, ...]
    perm: Perm
    shape: tuple[int, ...]
    orders: tuple[tuple[int, AxisOrder], ...] = ()
    flip: tuple[int, ...] = ()

    def apply(self, array: Array) -> Array:
        """The tensor as the target has it, of the source's shape ``source_shape``."""
        moved = Layout(self.perm, self.orders).apply(array)
        return contiguous(np.flip(moved, self.flip).reshape(self.shape))

    def undo(self, array: Array) -> Array:
        """The source, of a tensor as the target has it."""
        permuted = array.reshape(perm.reorder(self.perm, self.source_shape))
        source = np.flip(permuted, self.flip).transpose(perm.inverse(self.perm))
        for axis, order in self.orders:
            source = inverse(order).apply(source, axis)
        return contiguous(source)

    @property
    def is_identity(self) -> bool:
        trivial = self.perm == perm.identity(len(self.perm))
        return trivial and self.shape == self.source_shape and not self.orders and not self.flip

    def to_json(self) -> dict[str, Any]:
        """``orders``: along the source's ``axis``, ``reshape(sizes).transpose(perm).ravel()``, by part."""
        orders = [{"axis": axis, **order_json(order)} for axis, order in self.orders]
        return {
            "source_shape": [*self.source_shape],
            "shape": [*self.shape],
            "perm": [*self.perm],
            **({"orders": orders} if orders else {}),
            **({"flip": [*self.flip]} if self.flip else {}),
        }


def unchanged(shape: tuple[int, ...]) -> TensorTransform:
    return TensorTransform(shape, perm.identity(len(shape)), shape)


def of_json(data: dict[str, Any]) -> TensorTransform:
    """The change that ``to_json`` described."""
    orders = tuple((entry["axis"], order_of(entry)) for entry in data.get("orders", ()))
    return TensorTransform(
        tuple(data["source_shape"]), tuple(data["perm"]), tuple(data["shape"]), orders, tuple(data.get("flip", ()))
    )


def inverse(order: AxisOrder) -> AxisOrder:
    if isinstance(order, Joined):
        return Joined(tuple((n, part and back(part)) for n, part in order.parts))
    return back(order)


def back(order: Order) -> Order:
    return Order(tuple(perm.reorder(order.perm, order.sizes)), perm.inverse(order.perm))


def order_json(order: AxisOrder) -> dict[str, Any]:
    if isinstance(order, Order):
        return {"sizes": [*order.sizes], "perm": [*order.perm]}
    parts = [whole(n) if part is None else part for n, part in order.parts]
    return {"parts": [order_json(part) for part in parts]}


def order_of(data: dict[str, Any]) -> AxisOrder:
    if "parts" not in data:
        return Order(tuple(data["sizes"]), tuple(data["perm"]))
    parts = [Order(tuple(part["sizes"]), tuple(part["perm"])) for part in data["parts"]]
    return Joined(tuple((part.length, part) for part in parts))


def whole(length: int) -> Order:
    """The order that changes nothing."""
    return Order((length,), (0,))


def contiguous(array: Array) -> Array:
    return np.asarray(array, order="C")  # ascontiguousarray would give a scalar an axis
