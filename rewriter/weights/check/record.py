"""What a file of weights says, as a user has it: all that a layer is made from."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from rewriter.weights.tensors.letters import Array

Entry = Mapping[str, Any]  # of a layer, in the manifest


class NotRun(Exception):
    """Why the framework has no such layer."""


class Weights(NamedTuple):
    """Tensors by name, and the manifest, as ``read_weights`` gives them."""

    tensors: dict[str, Array]
    manifest: dict[str, Any]

    def layers(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Its layers, or those of one kind."""
        return [layer for layer in self.manifest["layers"].values() if kind in (None, layer["kind"])]

    def of(self, layer: Entry) -> dict[str, Array]:
        """A layer's parameters, by what the target calls them."""
        return {parameter: self.tensors[name] for parameter, name in layer["parameters"].items()}


def scaled(entry: Entry, given: Mapping[str, Any]) -> list[Any]:
    """Kernel and bias of a dense layer, times what a Gemm scales its product and its bias by."""
    factors = (entry.get("alpha", 1.0), entry.get("beta", 1.0))
    return [array * factor for array, factor in zip(given.values(), factors, strict=False)]


def in_order(x: Array, entry: Entry, of: str, axis: int) -> Array:
    """The ``input`` or ``result`` of a shuffle, its channels reordered as the record says."""
    told = entry.get("reorder_channels")
    if told is None or told["of"] != of:
        return x
    places = np.arange(x.shape[axis]).reshape(told["sizes"]).transpose(told["perm"]).ravel()
    return np.take(x, places, axis)
