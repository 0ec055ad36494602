"""GroupNormalization as exporters write it: ``Reshape [N, groups, -1] -> InstanceNormalization -> Reshape back``.

Channels-last, the channels of a group are not next to each other, so that the first Reshape blocks. As one node the
three are an operator like any other normalisation over channels.
"""

from collections import Counter

import onnx_graphsurgeon as gs

from passes.ir.graph import assemble, calls_of, is_standard, reads
from passes.rules.norm import GROUP_DOMAIN, GROUP_NORM

RANKS = (3, 4, 5)


def fuse_group_norm(graph: gs.Graph) -> gs.Graph:
    """The graph with one node for each such three nodes of its main graph; itself if there are none."""
    readers = Counter(name for node in graph.nodes for name in reads(node))
    readers.update(t.name for t in graph.outputs)
    found = [three for node in graph.nodes if (three := group_norm_of(node, readers)) is not None]
    if not found:
        return graph
    last = {id(three[2]): _one(*three) for three in found}
    gone = {id(node) for three in found for node in three[:2]}
    nodes = [last.get(id(node), node) for node in graph.nodes if id(node) not in gone]
    return assemble(graph, nodes, graph.inputs, graph.outputs)


def group_norm_of(norm: gs.Node, readers: "Counter[str]") -> tuple[gs.Node, gs.Node, gs.Node] | None:
    """An InstanceNormalization between two Reshapes that nobody else reads, first to groups and then back."""
    if norm.op != "InstanceNormalization" or not is_standard(norm):
        return None
    first, then = norm.inputs[0].inputs, norm.outputs[0].outputs
    if len(first) != 1 or len(then) != 1 or readers[norm.inputs[0].name] != 1 or readers[norm.outputs[0].name] != 1:
        return None
    if {first[0].op, then[0].op} != {"Reshape"} or then[0].inputs[0].name != norm.outputs[0].name:
        return None
    before, parts, after = first[0].inputs[0].shape, norm.inputs[0].shape, then[0].outputs[0].shape
    if None in (before, parts, after) or len(before) not in RANKS or len(parts) != 3 or before != after:
        return None
    batch, channels = before[:2]
    if batch is None or parts[0] != batch or not isinstance(channels, int) or not isinstance(parts[1], int):
        return None
    return None if None in before or channels % parts[1] else (first[0], norm, then[0])


def _one(first: gs.Node, norm: gs.Node, last: gs.Node) -> gs.Node:
    inputs = [first.inputs[0], *norm.inputs[1:], first.inputs[1], last.inputs[1]]
    attrs = {**norm.attrs, "group_shape": [0, norm.inputs[0].shape[1], -1]}
    one = gs.Node(GROUP_NORM, norm.name, attrs, inputs, list(last.outputs), GROUP_DOMAIN)
    one.calls = calls_of(last)
    return one
