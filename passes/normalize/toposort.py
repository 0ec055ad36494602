"""Nodes in an order in which every value is made before it is read: shape inference and plans look at them once.

graphsurgeon's ``toposort`` sorts by distance from the inputs, so it reorders what is sorted already; and it recurses
along the longest path, which in a deep net is longer than Python's stack.
"""

from collections import defaultdict, deque
from collections.abc import Sequence

import onnx_graphsurgeon as gs

from passes.ir.graph import captured, every_graph


def toposort(graph: gs.Graph) -> gs.Graph:
    """The graph with its nodes, and those of its bodies, as they are if they are in order, else sorted."""
    for each in every_graph(graph):
        each.nodes = in_order(each.nodes)
    return graph


def in_order(nodes: Sequence[gs.Node]) -> list[gs.Node]:
    """``nodes`` in order; those on a cycle, which no order suits, come last."""
    makers = {t.name: i for i, node in enumerate(nodes) for t in node.outputs if t.name}
    needs = [{makers[name] for name in reads(node) if name in makers} for node in nodes]
    if all(max(need, default=-1) < i for i, need in enumerate(needs)):
        return list(nodes)
    readers = defaultdict(list)
    for i, need in enumerate(needs):
        for j in need:
            readers[j].append(i)
    missing = [len(need) for need in needs]
    ready, order = deque(i for i, count in enumerate(missing) if count == 0), []
    while ready:
        order.append(ready.popleft())
        for i in readers[order[-1]]:
            missing[i] -= 1
            if missing[i] == 0:
                ready.append(i)
    return [nodes[i] for i in [*order, *(i for i, count in enumerate(missing) if count)]]


def reads(node: gs.Node) -> set[str]:
    """Names that a node reads, and its bodies from outside them."""
    return {t.name for t in node.inputs} | captured(node)
