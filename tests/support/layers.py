"""Models of one layer."""

from collections.abc import Mapping
from typing import Any

from rewriter.weights import Export, export_weights
from tests.support.graphs import Array, model, node

IMAGE = [2, 3, 5, 7]


def one_layer(op: str, weights: Mapping[str, Array], x: list[int], target: str, **attrs: Any) -> Export:
    """A model of one node that reads ``x`` and then the weights, in their order."""
    return export_weights(
        model([node(op, ["x", *weights], ["y"], "layer", **attrs)], {"x": x}, {"y": None}, weights), target
    )
