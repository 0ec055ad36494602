"""Finds GELU where exporters spell it out: ``x * 0.5 * (1 + erf(x / sqrt(2)))``, in whatever order it is multiplied.

TFLite has GELU as one operator, and no Erf.
"""

from collections.abc import Mapping
from math import isclose, sqrt

import numpy as np
from onnx import GraphProto, NodeProto, helper, numpy_helper

X = "x"


class _Graph:
    """Who makes and who reads each value, and the constants that are one number."""

    def __init__(self, graph: GraphProto) -> None:
        self.makers = {name: node for node in graph.node for name in node.output}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in dict.fromkeys(node.input):
                self.readers.setdefault(name, []).append(node)
        small = (tensor for tensor in graph.initializer if np.prod(tensor.dims) == 1)
        self.numbers = {tensor.name: float(numpy_helper.to_array(tensor).item()) for tensor in small}

    def reader(self, name: str, op: str) -> NodeProto | None:
        """The only node that reads a value, if it is of this operator."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and readers[0].op_type == op else None

    def factors(self, name: str, x: str) -> list[str | float]:
        """What a value is a product of: numbers, and ``x``, which is called ``X``."""
        if name == x:
            return [X]
        if name in self.numbers:
            return [self.numbers[name]]
        maker = self.makers.get(name)
        if maker is None or maker.op_type != "Mul":
            return [name]
        return [factor for part in maker.input for factor in self.factors(part, x)]


def with_gelus(graph: GraphProto) -> list[NodeProto]:
    """The nodes of a graph, with a Gelu for the last of those that spell one out."""
    seen = _Graph(graph)
    found = dict(filter(None, (_gelu(node, seen) for node in graph.node if node.op_type == "Erf")))
    return [_node(node, found) if node.output and node.output[0] in found else node for node in graph.node]


def _node(last: NodeProto, found: Mapping[str, str]) -> NodeProto:
    return helper.make_node("Gelu", [found[last.output[0]]], last.output, last.name)


def _gelu(erf: NodeProto, graph: _Graph) -> tuple[str, str] | None:
    """The result and the operand of a GELU with this Erf."""
    x = _halved(graph.makers.get(erf.input[0]), graph)
    plus = graph.reader(erf.output[0], "Add")
    if x is None or plus is None or 1.0 not in [graph.numbers.get(name) for name in plus.input]:
        return None
    factors: list[str | float] = []
    value = plus.output[0]
    while sorted(factors, key=str) != [0.5, X]:
        product = graph.reader(value, "Mul")
        if product is None or len(factors) > 1:
            return None
        (other,) = [name for name in product.input if name != value] or [value]
        factors += graph.factors(other, x)
        value = product.output[0]
    return value, x


def _halved(node: NodeProto | None, graph: _Graph) -> str | None:
    """What a node divides by the root of 2."""
    if node is None or node.op_type not in ("Div", "Mul"):
        return None
    wanted, sides = sqrt(2), [(node.input[0], node.input[1])]
    if node.op_type == "Mul":
        wanted, sides = sqrt(0.5), [*sides, (node.input[1], node.input[0])]
    return next((x for x, c in sides if isclose(graph.numbers.get(c, 0.0), wanted, rel_tol=1e-6)), None)
