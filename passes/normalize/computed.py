"""What a graph makes of constants only, as the engine computes it."""

from collections.abc import Mapping

import numpy as np
import onnx_graphsurgeon as gs
from onnx import ModelProto, helper

from passes.ir import constants
from passes.ir.control_flow import RANDOM
from passes.ir.exporter import export_constants
from passes.ir.graph import bodies, is_standard
from passes.layout.edit import Array
from passes.normalize.infer_shapes import Engines

MOST_NODES = 200  # of which one value is made


def computed(tensor: gs.Tensor, graph: gs.Graph, engines: Engines) -> Array | None:
    """The value of what nodes of the main graph make of constants only; ``None`` of any other."""
    if isinstance(tensor, gs.Constant):
        return constants.array_of(tensor)
    makers: dict[str, gs.Node] = {}
    pending = [tensor]
    while pending:
        value = pending.pop()
        if isinstance(value, gs.Constant) or not value.name or value.name in makers:
            continue
        if len(value.inputs) != 1 or value.inputs[0].outputs[0] is not value or len(makers) == MOST_NODES:
            return None
        makers[value.name] = node = value.inputs[0]
        pending += node.inputs[:1] if node.op == "CastLike" else node.inputs
    ordered = {node.outputs[0].name: node for node in graph.nodes if node.outputs and node.outputs[0].name in makers}
    if tensor.name not in ordered or not all(map(is_repeatable, ordered.values())):
        return None
    results = engines.evaluate(without_likes(export_constants(ordered, graph, {}), ordered))
    return None if results is None else results[[*ordered].index(tensor.name)]


def without_likes(model: ModelProto, nodes: Mapping[str, gs.Node]) -> ModelProto:
    """The model with a Cast for each CastLike, of whose other operand only the type, not the value, is known."""
    for proto in (proto for proto in model.graph.node if proto.op_type == "CastLike"):
        dtype = nodes[proto.output[0]].outputs[0].dtype
        if dtype is not None:
            proto.op_type = "Cast"
            del proto.input[1]
            proto.attribute.append(helper.make_attribute("to", helper.np_dtype_to_tensor_dtype(np.dtype(dtype))))
    return model


def is_repeatable(node: gs.Node) -> bool:
    """Whether a node is a standard operator, without bodies, that gives the same each time."""
    return is_standard(node) and not bodies(node) and node.op not in RANDOM and not node.op.startswith("Random")
