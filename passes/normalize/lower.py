"""Brings a graph into the form rules speak of: standard operators, and constants as constants."""

from collections import Counter
from functools import partial

import numpy as np
import onnx_graphsurgeon as gs
from onnx import NodeProto

from passes import dialects
from passes.apply.tidy import without_dead
from passes.dialects.base import Spelling
from passes.ir import constants
from passes.ir.constants import Stored
from passes.ir.graph import all_names, assemble, every_node, is_standard, new_node, unused, with_bodies
from passes.layout import perm
from passes.layout.edit import Array
from passes.layout.perm import Perm
from passes.normalize.group_norm import grouped


def lower(graph: gs.Graph, functions: bool = False) -> gs.Graph:
    """The graph without Constant nodes, nodes nobody reads and channels-last functions of this tool.

    ``functions``: it is to be written with such; then what they can say as one is one node.
    """
    graph = functions_as_standard(without_dead(constant_nodes_as_constants(graph)))
    return grouped(graph) if functions else graph


def constant_nodes_as_constants(graph: gs.Graph) -> gs.Graph:
    """Constant nodes become initializers, where they hold a dense tensor or numbers; so do Shapes of constants."""
    values: dict[str, gs.Constant] = {}
    others = _without_constant_nodes(graph, all_names(graph), values)
    if not values:
        return graph
    return assemble(others, others.nodes, graph.inputs, graph.outputs, lambda tensor: values.get(tensor.name, tensor))


def _without_constant_nodes(graph: gs.Graph, names: set[str], values: dict[str, gs.Constant]) -> gs.Graph:
    """The graph without Constant nodes; what they hold goes to ``values``. Graph outputs are copies of it, or stay if
    they have no axes to speak of."""
    nodes, results = [], {t.name for t in graph.outputs}
    inner = partial(_without_constant_nodes, names=names, values=values)
    for node in graph.nodes:
        value = constant_value(node) if is_standard(node) else None
        name = node.outputs[0].name if node.outputs else ""
        if value is None or (name in results and len(value.shape) < 2):
            nodes.append(with_bodies(node, inner))
        elif name in results:
            held = gs.Constant(unused(f"{name}_value", names), value)
            nodes.append(gs.Node("Identity", node.name, {}, [held], list(node.outputs)))
            values[held.name] = held
        else:
            values[name] = gs.Constant(name, value)
    return gs.Graph(nodes, graph.inputs, graph.outputs, graph.name, graph.doc_string, graph.opset)


def constant_value(node: gs.Node) -> "Stored | Array | None":
    if node.op == "Shape" and isinstance(node.inputs[0], gs.Constant):
        return np.asarray(node.inputs[0].shape, dtype=np.int64)[node.attrs.get("start") : node.attrs.get("end")]
    if node.op != "Constant":
        return None
    origin: NodeProto | None = getattr(node, "origin", None)
    for attr in origin.attribute if origin is not None else ():
        if attr.name == "value":
            return Stored(attr.t)
        if attr.name in ("value_float", "value_floats"):
            return np.asarray(attr.f if attr.name == "value_float" else list(attr.floats), dtype=np.float32)
        if attr.name in ("value_int", "value_ints"):
            return np.asarray(attr.i if attr.name == "value_int" else list(attr.ints), dtype=np.int64)
    return None


def functions_as_standard(graph: gs.Graph) -> gs.Graph:
    """Each channels-last function becomes Transpose, the standard operator, Transpose; plans then undo the two."""
    if not any(dialects.read(node.domain or "", node.op, graph.opset) for node in every_node(graph)):
        return graph
    reads = Counter(t.name for node in every_node(graph) for t in node.inputs)
    return _Lowering(all_names(graph), {name for name, times in reads.items() if times > 1}).run(graph)


class _Lowering:
    """The operator's result keeps the function's output name, except where that is an output of the graph."""

    def __init__(self, names: set[str], shared: set[str]) -> None:
        self.names, self.shared = names, shared
        self.last: dict[str, gs.Tensor] = {}  # what to read instead of a function's output

    def run(self, graph: gs.Graph) -> gs.Graph:
        nodes: list[gs.Node] = []
        kept = {t.name for t in graph.outputs}
        for node in graph.nodes:
            operands = [self.last.get(t.name, t) for t in node.inputs]
            spelling = dialects.read(node.domain or "", node.op, graph.opset)
            if spelling is None:
                nodes.append(with_bodies(new_node(node, operands, list(node.outputs)), self.run))
            else:
                nodes += self._lowered(node, operands, spelling, kept)
        return assemble(graph, nodes, graph.inputs, graph.outputs)

    def _lowered(self, node: gs.Node, operands: list[gs.Tensor], spelling: Spelling, kept: set[str]) -> list[gs.Node]:
        form, perms = spelling.form, {"x": perm.channels_first(spelling.rank), "w": perm.inverse(spelling.kernel)}
        kinds = [kind if t.name else "-" for kind, t in zip(form.inputs, operands, strict=False)]
        before: list[gs.Node] = []
        inputs = [
            _first(before, self.names, self.shared | kept, t, kind, perms)
            for t, kind in zip(operands, kinds, strict=True)
        ]
        results, after, p = [], [], perms["x"]
        for tensor in node.outputs:
            if tensor.name in kept:
                result, seen = _like(tensor, f"{tensor.name}_first", p, self.names), tensor
            else:
                result = gs.Variable(tensor.name, tensor.dtype, _shape(tensor, p))
                seen = gs.Variable(unused(f"{tensor.name}_last", self.names), tensor.dtype, tensor.shape)
                self.last[tensor.name] = seen
            results.append(result)
            after.append(gs.Node("Transpose", "", {"perm": list(perm.inverse(p))}, [result], [seen]))
        attrs = {key: value for key, value in node.attrs.items() if key not in spelling.attrs}
        made = new_node(node, inputs, results, op=form.op, domain=None, attrs=attrs, changed=frozenset(spelling.attrs))
        return [*before, *(self._in_groups(made) if form.grouped else [made]), *after]

    def _in_groups(self, norm: gs.Node) -> list[gs.Node]:
        """The operator between two Reshapes, as exporters write it."""
        data, result, shape = norm.inputs[0], norm.outputs[0], norm.attrs["group_shape"]
        parts = [gs.Variable(unused(f"{t.name}_groups", self.names), t.dtype) for t in (data, result)]
        target = constants.of_array(unused(f"{data.name}_group_shape", self.names), np.asarray(shape, dtype=np.int64))
        sizes: gs.Tensor = gs.Variable(unused(f"{data.name}_shape", self.names), np.int64, [len(data.shape)])
        attrs = {key: value for key, value in norm.attrs.items() if key != "group_shape"}
        return [
            gs.Node("Reshape", "", {}, [data, target], [parts[0]]),
            new_node(norm, [parts[0], *norm.inputs[1:]], [parts[1]], attrs=attrs, changed=frozenset({"group_shape"})),
            gs.Node("Shape", "", {}, [data], [sizes]),
            gs.Node("Reshape", "", {}, [parts[1], sizes], [result]),
        ]


def _first(
    nodes: list[gs.Node], names: set[str], shared: set[str], tensor: gs.Tensor, kind: str, perms: dict[str, Perm]
) -> gs.Tensor:
    """What the standard operator reads in place of a function's input of this ``kind`` (see ``dialects.base.Form``)."""
    if kind in perms:
        result = _like(tensor, f"{tensor.name}_first", perms[kind], names)
        nodes.append(gs.Node("Transpose", "", {"perm": list(perms[kind])}, [tensor], [result]))
        return result
    if kind != "v":
        return tensor
    order = np.asarray(perms["x"], dtype=np.int64)
    if isinstance(tensor, gs.Constant):
        name = unused(f"{tensor.name}_first", names) if tensor.name in shared else tensor.name
        return constants.of_array(name, np.asarray(tensor.values)[order])
    result = gs.Variable(unused(f"{tensor.name}_first", names), tensor.dtype, tensor.shape)
    indices = constants.of_array(unused(f"{tensor.name}_order", names), order)
    nodes.append(gs.Node("Gather", "", {"axis": 0}, [tensor, indices], [result]))
    return result


def _like(tensor: gs.Tensor, name: str, p: Perm, names: set[str]) -> gs.Variable:
    return gs.Variable(unused(name, names), tensor.dtype, _shape(tensor, p))


def _shape(tensor: gs.Tensor, p: Perm) -> "list[int | str | None] | None":
    return None if tensor.shape is None else perm.reorder(p, list(tensor.shape))
