"""Small constants that a file computes: exporters write static sizes as ``Shape -> Gather -> Mul -> Concat``.

Computed once here they are constants for shape inference and for all rules. The engine computes them, so that no second
opinion on what the operators mean is needed. graphsurgeon's ``fold_constants`` is not used: it folds weights, too,
loads them all, and takes no care that a result is the same on any machine.
"""

from math import prod

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir import constants
from passes.ir.declared import SMALL, is_static
from passes.ir.exporter import export_constants
from passes.ir.graph import assemble, is_standard
from passes.layout.edit import Array
from passes.normalize.infer_shapes import Engines, infer_shapes

# operators that give the same results on any machine
EXACT = """Abs Add And Cast Ceil Concat ConstantOfShape Div Equal Expand Flatten Floor Gather GatherElements GatherND
Greater GreaterOrEqual Identity Less LessOrEqual Max Min Mod Mul Neg Not Or Range ReduceMax ReduceMin ReduceProd
Reshape ScatterElements ScatterND Shape Sign Size Slice Squeeze Sub Tile Transpose Unsqueeze Where Xor"""
FOLDED = set(EXACT.split())
GROWING = {"ConstantOfShape", "Expand", "Range", "Tile"}  # their results may be large, whatever they read
ELEMENT_TYPES = (np.bool_, np.int32, np.int64, np.float32)
MOST_ROUNDS = 32  # each finds the sizes that depend on shapes that the one before it made known


def fold_sizes(graph: gs.Graph, engines: Engines, own_weights: bool = False) -> gs.Graph:
    """The graph with a constant in the place of each node that computes a small one.

    ``own_weights``: only sizes, not what the file makes of weights, however small.
    Graph outputs and bodies stay as they are; so does a vector that a Range reads: computed it may have one element,
    constant it must be a scalar for onnxruntime.
    """
    for _ in range(MOST_ROUNDS):
        small = small_constants(graph, engines)
        if own_weights:
            ops = {t.name: node.op for node in graph.nodes for t in node.outputs}
            small = {name: t for name, t in small.items() if len(t.shape) < 2 and ops[name] != "Identity"}
        if not small:
            break
        nodes = [node for node in graph.nodes if not (node.outputs and node.outputs[0].name in small)]
        graph = assemble(graph, nodes, graph.inputs, graph.outputs, lambda tensor: small.get(tensor.name, tensor))  # noqa: B023
        graph = infer_shapes(graph, engines)
    return graph


def small_constants(graph: gs.Graph, engines: Engines) -> dict[str, gs.Constant]:
    """What nodes of the main graph compute of small constants and static shapes."""
    outputs = {t.name for t in graph.outputs}
    small: dict[str, gs.Constant] = {}
    nodes: dict[str, gs.Node] = {}  # to be computed
    for node in (node for node in graph.nodes if is_small(node) and node.outputs[0].name not in outputs):
        name, sizes = node.outputs[0].name, sizes_of(node)
        if sizes is not None:
            small[name] = constants.of_array(name, sizes)
        elif all(is_known(t) or t.name in small or t.name in nodes for t in node.inputs):
            nodes[name] = node
    results = engines.evaluate(export_constants(nodes, graph, small)) if nodes else None
    for name, array in zip(nodes, results or (), strict=False):
        small[name] = constants.of_array(name, array)
    kept = {t.name for node in graph.nodes if node.op == "Range" for t in node.inputs if t.shape != []}
    return {name: constant for name, constant in small.items() if name not in kept}


def is_small(node: gs.Node) -> bool:
    """Whether the node may be folded, were its inputs known."""
    if node.op not in FOLDED or not is_standard(node) or len(node.outputs) != 1:
        return False
    shape, dtype = node.outputs[0].shape, node.outputs[0].dtype
    if dtype not in ELEMENT_TYPES:
        return False
    return prod(shape) <= SMALL if shape is not None and is_static(shape) else node.op not in GROWING


def is_known(tensor: gs.Tensor) -> bool:
    """Whether the input of a node is left out, or a small constant."""
    return not tensor.name or (isinstance(tensor, gs.Constant) and prod(tensor.shape) <= SMALL)


def sizes_of(node: gs.Node) -> Array | None:
    """The result of a Shape or Size of a value whose shape is static."""
    shape = node.inputs[0].shape if node.op in ("Shape", "Size") else None
    if shape is None or not is_static(shape):
        return None
    sizes = prod(shape) if node.op == "Size" else shape[node.attrs.get("start") : node.attrs.get("end")]
    return np.asarray(sizes, dtype=np.int64)
