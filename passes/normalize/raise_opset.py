"""A model at a later opset of the standard operators, where all its nodes mean the same there.

onnx's version converter is not used: it takes the weights with it, renames values and knows no metadata. Of the
operators named here later versions have other element types, or attributes and inputs without which they mean what they
did; two need their axes or sizes said in another way; all others must be of the same version at both opsets.
"""

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from passes.ir import constants
from passes.ir.graph import all_names, assemble, every_graph, every_node, is_standard, new_node, unused, with_bodies

FROM, MOST = 13, 23  # opsets that this was read for, in the operators' specifications
SAME = """Add AveragePool Cast CastLike Constant ConstantOfShape Conv ConvTranspose Cos CumSum Div Dropout Elu Equal
Flatten GlobalAveragePool GlobalMaxPool GreaterOrEqual HardSigmoid HardSwish Identity If InstanceNormalization IsInf
IsNaN LeakyRelu LessOrEqual Loop LpNormalization MaxPool Mul PRelu Pad Pow Relu Reshape Resize Round Scan
ScatterElements ScatterND Selu Shape Sin Size Softplus Softsign Split Squeeze Sub Tan Transpose Unsqueeze Where"""
REDUCTIONS = """ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
ReduceSumSquare"""
AXES_ARE_INPUTS = 18  # of reductions (of ReduceSum always); a Split without sizes says its number of outputs


def raise_opset(graph: gs.Graph, opset: int) -> gs.Graph | None:
    """The graph at an opset up to ``MOST``; ``None`` if it is older than ``FROM``, or not all means the same there.

    Source: the operators' changelog, https://onnx.ai/onnx/operators.
    """
    if not FROM <= graph.opset < opset <= MOST or graph.origin.model.functions:
        return None
    if not all(_means_the_same(node, graph.opset, opset) for node in every_node(graph) if is_standard(node)):
        return None
    names = all_names(graph)

    def raised(node: gs.Node) -> gs.Node:
        node = with_bodies(node, inner)
        return _respelled(node, names) if graph.opset < AXES_ARE_INPUTS <= opset and is_standard(node) else node

    def inner(body: gs.Graph) -> gs.Graph:
        return assemble(body, [raised(node) for node in body.nodes], body.inputs, body.outputs)

    result = inner(graph)
    for each in every_graph(result):
        each.opset = opset
    return result


def _means_the_same(node: gs.Node, now: int, then: int) -> bool:
    """Windows that are cut off at the end (ceil_mode) are counted otherwise since opset 22."""
    if not onnx.defs.has(node.op):
        return False
    if len({onnx.defs.get_schema(node.op, opset).since_version for opset in (now, then)}) == 1:
        return True
    return (node.op in (*SAME.split(), *REDUCTIONS.split())) and not node.attrs.get("ceil_mode")


def _respelled(node: gs.Node, names: set[str]) -> gs.Node:
    if node.op == "Split" and len(node.inputs) < 2:
        attrs = {**node.attrs, "num_outputs": len(node.outputs)}
        return new_node(node, node.inputs, node.outputs, attrs=attrs, changed=frozenset({"num_outputs"}))
    if node.op not in REDUCTIONS.split() or node.attrs.get("axes") is None:
        return node
    axes = constants.of_array(unused(f"{node.outputs[0].name}_axes", names), np.asarray(node.attrs["axes"], np.int64))
    attrs = {name: value for name, value in node.attrs.items() if name != "axes"}
    return new_node(node, [*node.inputs, axes], node.outputs, attrs=attrs, changed=frozenset({"axes"}))
