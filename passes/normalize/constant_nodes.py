"""Constant nodes as constants, so that there is one kind of these."""

from collections.abc import Callable

import numpy as np
import onnx_graphsurgeon as gs
from onnx import AttributeProto

from passes.ir.constants import Stored
from passes.ir.graph import all_names, every_graph, is_standard, unused
from passes.layout.edit import Array

HELD: dict[str, Callable[[AttributeProto], Stored | Array]] = {
    "value": lambda attr: Stored(attr.t),
    "value_float": lambda attr: np.asarray(attr.f, dtype=np.float32),
    "value_floats": lambda attr: np.asarray(attr.floats, dtype=np.float32),
    "value_int": lambda attr: np.asarray(attr.i, dtype=np.int64),
    "value_ints": lambda attr: np.asarray(attr.ints, dtype=np.int64),
}


def constant_nodes(graph: gs.Graph) -> gs.Graph:
    """What Constant nodes hold, dense tensors and numbers, as constants that all readers see; Shapes of constants, too.

    A graph output becomes a copy of such a constant or, if it has no axes to speak of, stays as it is.
    """
    names = all_names(graph)
    for each in every_graph(graph):
        results = {t.name for t in each.outputs}
        nodes = []
        for node in each.nodes:
            value = held_by(node)
            if value is None or (node.outputs[0].name in results and len(value.shape) < 2):
                nodes.append(node)
            elif node.outputs[0].name in results:
                copy = gs.Constant(unused(f"{node.outputs[0].name}_value", names), value)
                nodes.append(gs.Node("Identity", node.name, {}, [copy], [node.outputs[0]]))
            else:
                node.outputs.pop().to_constant(value)
        each.nodes = nodes
    return graph


def held_by(node: gs.Node) -> Stored | Array | None:
    """What a node always gives, ``None`` if that is not known here."""
    if not is_standard(node):
        return None
    if node.op == "Shape" and isinstance(node.inputs[0], gs.Constant):
        return np.asarray(node.inputs[0].shape, dtype=np.int64)[node.attrs.get("start") : node.attrs.get("end")]
    if node.op != "Constant":
        return None
    return next((HELD[attr.name](attr) for attr in node.origin.attribute if attr.name in HELD), None)
