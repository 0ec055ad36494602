"""Means of a LayerNormalization of [N, T, F] as tf2onnx writes them: GlobalAveragePool, which is of images [N, C, W].

A mean that is taken from what it is of, and one of the squares of such a difference, are a normalisation's, not a pool:
as reductions they do not make an image of T channels of a sequence.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir.constants import of_array
from passes.ir.graph import all_names, every_graph, every_node, is_standard, new_node, unused

POOL, ROWS = "GlobalAveragePool", 3
AXES_AS_INPUT = 18  # the opset from which ReduceMean has its axes as an input


def means_of_rows(graph: gs.Graph) -> gs.Graph:
    """The graph with a ReduceMean for each of them, in bodies too."""
    if not any(map(is_centring, every_node(graph))):
        return graph
    names = all_names(graph)
    for each in every_graph(graph):
        found = {id(node) for pool in each.nodes if is_centring(pool) for node in (pool, *pools_of_squares(pool))}
        each.nodes[:] = [_reduction(node, graph.opset, names) if id(node) in found else node for node in each.nodes]
    return graph


def is_centring(node: gs.Node) -> bool:
    """Whether it is a mean along the last of three axes that is subtracted from its own input."""
    return _is_pool(node) and any(_differences(node))


def pools_of_squares(pool: gs.Node) -> Iterator[gs.Node]:
    """The means of the squares of these differences."""
    for difference in _differences(pool):
        for square in difference.outputs[0].outputs:
            is_square = square.op == "Pow" or (square.op == "Mul" and square.inputs[0] is square.inputs[1])
            yield from (node for node in square.outputs[0].outputs if is_square and _is_pool(node))


def _is_pool(node: gs.Node) -> bool:
    return node.op == POOL and is_standard(node) and len(node.inputs[0].shape or ()) == ROWS


def _differences(pool: gs.Node) -> Iterator[gs.Node]:
    x, mean = pool.inputs[0], pool.outputs[0]
    return (node for node in mean.outputs if node.op == "Sub" and node.inputs[0] is x and node.inputs[1] is mean)


def _reduction(pool: gs.Node, opset: int, names: set[str]) -> gs.Node:
    attrs: dict[str, Any] = {"keepdims": 1}
    inputs = [pool.inputs[0]]
    if opset < AXES_AS_INPUT:
        attrs["axes"] = [ROWS - 1]
    else:
        inputs.append(of_array(unused(f"{pool.outputs[0].name}_axes", names), np.asarray([ROWS - 1])))
    return new_node(pool, inputs, pool.outputs, op="ReduceMean", attrs=attrs, changed=frozenset(attrs))
