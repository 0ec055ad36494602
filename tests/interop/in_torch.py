"""Layers of PyTorch, channels last in and out as those of the other frameworks."""

from rewriter.weights.check import pytorch
from rewriter.weights.check.record import Entry, Weights
from tests.interop.common import Array, first, last


def layer(x: Array, entry: Entry, weights: Weights) -> Array:
    """Any one layer of the manifest whose data are images."""
    return last(pytorch.layer(first(x), entry, weights))
