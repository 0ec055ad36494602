"""Nodes and constants that nobody reads.

graphsurgeon's ``cleanup`` is not used: it takes nodes off their tensors one by one, comparing each with all other
readers (quadratic for a constant that many nodes read), and misses what a body gives but does not make.
"""

import onnx_graphsurgeon as gs

from passes.ir.graph import assemble, bodies, reads, with_bodies


def dead_code(graph: gs.Graph) -> gs.Graph:
    """The graph without nodes whose outputs nobody reads, itself if there are none; bodies keep inputs and outputs."""
    needed = {t.name for t in graph.outputs}
    kept = []
    for node in reversed(graph.nodes):
        if any(t.name in needed for t in node.outputs):
            node = with_bodies(node, dead_code)
            needed |= reads(node)
            kept.append(node)
    if len(kept) == len(graph.nodes) and not any(map(bodies, kept)):
        return graph
    return assemble(graph, kept[::-1], graph.inputs, graph.outputs)
