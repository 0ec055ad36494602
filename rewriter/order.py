"""Nodes in an order in which every value is made before it is read: onnx's shape inference looks at them once."""

from collections import defaultdict, deque
from collections.abc import Sequence

from onnx import NodeProto

from rewriter.names import bodies


def in_order(nodes: Sequence[NodeProto]) -> list[NodeProto]:
    """``nodes`` as they are if they are in order, else sorted; those on a cycle, which no order suits, come last."""
    makers = {name: i for i, node in enumerate(nodes) for name in node.output if name}
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


def reads(node: NodeProto) -> set[str]:
    """Names that a node reads, and its bodies from outside them."""
    names = set(node.input)
    for body in bodies(node):
        made = {name for inner in body.node for name in inner.output} | {value.name for value in body.input}
        read = {value.name for value in body.output}.union(*(reads(inner) for inner in body.node))
        names |= read - made
    return names
