"""Nodes in an order in which every value is made before it is read: shape inference and plans look at them once.

graphsurgeon's ``toposort`` sorts by distance from the inputs, so it reorders what is sorted already; and it recurses
along the longest path, which in a deep net is longer than Python's stack.
"""

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

import onnx_graphsurgeon as gs

from passes.ir.graph import every_graph, reads


def toposort(graph: gs.Graph) -> gs.Graph:
    """The graph with its nodes, and those of its bodies, as they are if they are in order, else sorted."""
    for each in every_graph(graph):
        each.nodes = in_order(each.nodes)
    return graph


def in_order(nodes: Sequence[gs.Node]) -> list[gs.Node]:
    """``nodes`` in order, or as they are where there is a cycle."""
    makers = {t.name: i for i, node in enumerate(nodes) for t in node.outputs if t.name}
    needs = {i: {makers[name] for name in reads(node) if name in makers} for i, node in enumerate(nodes)}
    if all(max(need, default=-1) < i for i, need in needs.items()):
        return list(nodes)
    try:
        return [nodes[i] for i in TopologicalSorter(needs).static_order()]
    except CycleError:
        return list(nodes)
