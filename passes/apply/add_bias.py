"""What is added to the result of a Gemm that was a MatMul becomes its C.

onnxruntime makes one node of a MatMul and an Add (MatMulAddFusion), but not of a Gemm and an Add, which would then be
one more pass over the result.
"""

from collections import Counter
from collections.abc import Mapping

import onnx_graphsurgeon as gs

from passes.ir.graph import assemble, is_standard, new_node, reads, with_bodies


def add_bias(graph: gs.Graph) -> gs.Graph:
    """The graph with each such Gemm and the Add behind it as one, itself if there are none."""
    read = Counter(name for node in graph.nodes for name in reads(node))
    read.update(t.name for t in graph.outputs)
    alone = {n.outputs[0].name: n for n in graph.nodes if was_matmul(n) and read[n.outputs[0].name] == 1}
    sums = {id(node): found for node in graph.nodes if (found := product_and_bias(node, alone)) is not None}
    gone = {id(product) for product, _ in sums.values()}
    nodes = []
    for node in (node for node in graph.nodes if id(node) not in gone):
        if id(node) in sums:
            product, bias = sums[id(node)]
            nodes.append(new_node(product, [*product.inputs, bias], node.outputs))
        else:
            nodes.append(with_bodies(node, add_bias))
    same = all(one is other for one, other in zip(nodes, graph.nodes, strict=False))
    return graph if same and not sums else assemble(graph, nodes, graph.inputs, graph.outputs)


def was_matmul(node: gs.Node) -> bool:
    """Whether a node is a Gemm in place of the file's MatMul."""
    origin = getattr(node, "origin", None)
    return node.op == "Gemm" and is_standard(node) and origin is not None and origin.op_type == "MatMul"


def product_and_bias(node: gs.Node, products: Mapping[str, gs.Node]) -> tuple[gs.Node, gs.Tensor] | None:
    """The product that an Add reads, and what it adds, if that fits a Gemm's C."""
    if node.op != "Add" or not is_standard(node):
        return None
    for term, bias in (node.inputs, node.inputs[::-1]):
        if term.name in products and bias.name != term.name and fits(bias.shape, term.shape):
            return products[term.name], bias
    return None


def fits(bias: "list[int | str | None] | None", shape: "list[int | str | None] | None") -> bool:
    """Whether what has the one shape is repeated along axes of the other, and adds none."""
    if bias is None or shape is None or len(bias) > len(shape):
        return False
    dims = shape[len(shape) - len(bias) :]
    return all(one == 1 or (one == dim and dim is not None) for one, dim in zip(bias, dims, strict=True))
