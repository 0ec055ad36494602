"""What is done to one tensor on its way to a target; and back, bit for bit."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from passes.layout.layout import Layout, arranged
from passes.layout.perm import Perm
from passes.layout.vector import joined, reordered, sizes_and_perm
from rewriter.weights.tensors.letters import Array


@dataclass(frozen=True)
class TensorTransform:
    """The tensor is stored as ``layout``, then ``flip`` (axes of the result) are reversed, and the result has
    ``shape``, which differs by axes of size one and depthwise multipliers only. ``negate``: its numbers change sign."""

    source_shape: tuple[int, ...]
    layout: Layout
    shape: tuple[int, ...]
    flip: tuple[int, ...] = ()
    negate: bool = False

    def apply(self, array: Array) -> Array:
        """The tensor as the target has it, of the source's shape ``source_shape``."""
        return contiguous(np.flip(self.layout.apply(self._signed(array)), self.flip).reshape(self.shape))

    def undo(self, array: Array) -> Array:
        """The source, of a tensor as the target has it."""
        stored = array.reshape([int(n or 0) for n in self.layout.shape(self.source_shape)])
        return contiguous(self._signed(self.layout.inverse().apply(np.flip(stored, self.flip))))

    def _signed(self, array: Array) -> Array:
        return np.negative(array) if self.negate else array

    @property
    def perm(self) -> Perm:
        """The perm of the axes, in whatever order the elements along each are."""
        return self.layout.axis_perm

    @property
    def is_identity(self) -> bool:
        """Whether the target has the tensor as the source does."""
        return self.layout.is_natural and self.shape == self.source_shape and not self.flip and not self.negate

    def to_json(self) -> dict[str, Any]:
        """``orders``: along the source's ``axis``, ``reshape(sizes).transpose(perm).ravel()``, by part."""
        orders = [{"axis": a, **order_json(self.layout.along(a))} for a in sorted(self.layout.lengths())]
        return {
            "source_shape": [*self.source_shape],
            "shape": [*self.shape],
            "perm": [*self.perm],
            **({"orders": orders} if orders else {}),
            **({"flip": [*self.flip]} if self.flip else {}),
            **({"negate": True} if self.negate else {}),
        }


def of_json(data: dict[str, Any]) -> TensorTransform:
    """The transform that ``to_json`` described."""
    orders = {entry["axis"]: order_of(entry) for entry in data.get("orders", ())}
    layout = arranged(tuple(data["perm"]), orders)
    return TensorTransform(
        tuple(data["source_shape"]),
        layout,
        tuple(data["shape"]),
        tuple(data.get("flip", ())),
        data.get("negate", False),
    )


def order_json(order: Layout, length: int = 0) -> dict[str, Any]:
    """An order along an axis; one that changes nothing has one size, the ``length`` of the axis."""
    if order.segments:
        return {"parts": [order_json(part, n) for n, part in order.segments[0][1]]}
    sizes, p = sizes_and_perm(order)
    return {"sizes": sizes or [length], "perm": [*(p or (0,))]}


def order_of(data: dict[str, Any]) -> Layout:
    """The order that ``order_json`` described."""
    if "parts" not in data:
        return reordered(data["sizes"], tuple(data["perm"]))
    return joined((int(np.prod(part["sizes"])), order_of(part)) for part in data["parts"])


def contiguous(array: Array) -> Array:
    """The array in C order."""
    return np.asarray(array, order="C")  # ascontiguousarray would give a scalar an axis
