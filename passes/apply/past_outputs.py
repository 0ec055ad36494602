"""Gemm reads what is before a Transpose that makes a graph output, by its own flags.

onnxruntime folds Transposes into Gemm. Where it finds another one to fold, onnxruntime 1.31 removes even one that makes
a graph output, and then does not load the model; an Identity between keeps it from that in some orders of nodes only.
"""

import onnx_graphsurgeon as gs

from passes.ir.graph import assemble, is_standard, new_node, with_bodies, with_nodes

FLAGS = ("transA", "transB")  # by input


def past_outputs(graph: gs.Graph) -> gs.Graph:
    """The graph, in which no Gemm reads a graph output that a Transpose makes."""
    others = _past_outputs(graph)
    return assemble(others, others.nodes, graph.inputs, graph.outputs)


def _past_outputs(graph: gs.Graph) -> gs.Graph:
    outputs = {tensor.name for tensor in graph.outputs}
    transposed = ((node.outputs[0].name, node) for node in graph.nodes if node.op == "Transpose" and is_standard(node))
    sources = {name: node.inputs[0] for name, node in transposed if name in outputs and _exchanges(node)}
    nodes = [_past(with_bodies(node, _past_outputs), sources) for node in graph.nodes]
    return with_nodes(graph, nodes, graph.inputs, graph.outputs)


def _exchanges(node: gs.Node) -> bool:
    """Whether a Transpose of a matrix does anything."""
    return node.attrs.get("perm") in (None, [1, 0])


def _past(node: gs.Node, sources: dict[str, gs.Tensor]) -> gs.Node:
    """A node; a Gemm that reads the sources, which are matrices, for what Transposes make of them."""
    flags = [flag for flag, t in zip(FLAGS, node.inputs, strict=False) if t.name in sources]
    if node.op != "Gemm" or not is_standard(node) or not flags:
        return node
    attrs = {**node.attrs, **{flag: 1 - node.attrs.get(flag, 0) for flag in flags}}
    inputs = [sources.get(t.name, t) if i < len(FLAGS) else t for i, t in enumerate(node.inputs)]
    return new_node(node, inputs, node.outputs, attrs=attrs, changed=frozenset(flags))
