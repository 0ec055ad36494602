"""Integers that stand for real numbers: ``scale * (integer - zero_point)``, as DequantizeLinear has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir.constants import array_of
from rewriter.weights.tensors.letters import Array
from rewriter.weights.tensors.transform import TensorTransform


@dataclass(frozen=True, eq=False)
class Scaling:
    """Of a tensor of integers: ``scale`` and ``zero`` are scalars, or have one entry per element of ``axis``.

    ``names``: those of the constants that scale and zero point are made of.
    """

    scale: Array
    zero: Array | None = None
    axis: int = 0
    names: tuple[str, ...] = ()

    def apply(self, integers: Array) -> Array:
        """The real numbers, of the type of the scale."""
        scale, zero = (self._along(integers.ndim, part) for part in (self.scale, self._zero))
        wide = (integers.astype(np.int32) - zero).astype(np.float32) * scale.astype(np.float32)  # as onnxruntime does
        return np.asarray(wide, self.scale.dtype)

    def told(self, change: TensorTransform) -> dict[str, Any]:
        """For the integers as the target has them: scale, zero point, and along which axes these go, in C order.

        Where each entry goes is asked of the change itself, so that orders, flips and multipliers are followed.
        """
        shape = change.source_shape
        if self.scale.size == 1:
            return {"scale": numbers(self.scale)[0], "zero_point": numbers(self._zero)[0], "axis": None}
        places = change.apply(np.broadcast_to(self._along(len(shape), np.arange(shape[self.axis])), shape))
        ends = [np.take(places, [0, n - 1], axis) if n else places for axis, n in enumerate(places.shape)]
        axes = [axis for axis, pair in enumerate(ends) if not (np.take(pair, 0, axis) == np.take(pair, -1, axis)).all()]
        entries = places[tuple(slice(None) if axis in axes else 0 for axis in range(places.ndim))].ravel()
        zero = np.broadcast_to(self._zero, self.scale.shape)
        return {"scale": numbers(self.scale[entries]), "zero_point": numbers(zero[entries]), "axis": axes}

    @property
    def _zero(self) -> Array:
        return np.zeros((), np.int32) if self.zero is None else self.zero.astype(np.int32)

    def _along(self, rank: int, part: Array) -> Array:
        shape = [-1 if axis == self.axis else 1 for axis in range(rank)]
        return part.reshape(shape if part.size > 1 else ())


def scaling(
    scales: Sequence[gs.Tensor | None], zero: gs.Tensor | None, shape: Sequence[int], axis: int
) -> Scaling | None:
    """For integers of this shape, by the product of the scales.

    ``None`` where one is no constant, or where they have neither one entry nor one per element of the axis.
    """
    zero = None if zero is None or not zero.name else zero
    given = [*scales, *([] if zero is None else [zero])]
    known = [tensor for tensor in given if isinstance(tensor, gs.Constant)]
    if len(known) < len(given) or not scales:
        return None
    parts: list[Array] = [array_of(tensor) for tensor in known]
    if any(part.size != 1 and (part.ndim != 1 or not shape or part.size != shape[axis]) for part in parts):
        return None
    size = max(part.size for part in parts)
    scale: Array = np.ones((), parts[0].dtype)
    for part in parts[: len(scales)]:
        scale = scale * np.broadcast_to(part.ravel(), size)
    names = tuple(str(tensor.name) for tensor in known)
    return Scaling(scale, None if zero is None else parts[-1], axis % max(len(shape), 1), names)


def numbers(part: Array) -> list[Any]:
    """As Python's: a float32 as it is written, 0.1 and not 0.10000000149011612, which reads back as the same."""
    flat = part.reshape(prod(part.shape))
    return [float(str(n)) for n in flat] if flat.dtype.kind == "f" else [int(n) for n in flat]
