"""Edits of inputs that hold axes or per-axis vectors: what they do to a constant array."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from passes.layout.perm import Perm

Array = NDArray[np.generic]


class Take(NamedTuple):
    """Edit of a per-axis vector: ``vector[indices]``."""

    indices: Perm

    def apply(self, vector: Array) -> Array:
        return vector[list(self.indices)]


class Lookup(NamedTuple):
    """Edit of a vector of axes, or of one: ``table[vector]`` (negative axes count from the table's end, as in ONNX)."""

    table: Perm

    def apply(self, vector: Array) -> Array:
        return np.asarray(np.take(self.table, vector.astype(np.int64)), dtype=vector.dtype)


class Expand(NamedTuple):
    """Edit of a broadcast operand: insert axes of size one."""

    axes: Perm

    def apply(self, array: Array) -> Array:
        return np.expand_dims(array, self.axes)


@dataclass(frozen=True, eq=False)
class Put:
    """Edit that gives an input another constant value, whatever it held."""

    array: Array

    def apply(self, _: Array) -> Array:
        return self.array


@dataclass(frozen=True)
class Omit:
    """Edit that leaves an optional input out."""


ArrayEdit = Take | Lookup | Expand | Put
Edit = ArrayEdit | Omit


def changes_nothing(edit: Edit) -> bool:
    return isinstance(edit, Take | Lookup) and edit[0] == tuple(range(len(edit[0])))
