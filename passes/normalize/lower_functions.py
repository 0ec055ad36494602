"""Channels-last functions of this tool, as files written by it hold them, as standard operators."""

from collections import Counter

import numpy as np
import onnx_graphsurgeon as gs

from passes import dialects
from passes.dialects.base import Spelling
from passes.ir import constants
from passes.ir.graph import all_names, assemble, every_node, new_node, unused, with_bodies
from passes.layout import perm
from passes.layout.perm import Perm


def lower_functions(graph: gs.Graph) -> gs.Graph:
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
                nodes.append(with_bodies(new_node(node, operands, node.outputs), self.run))
            else:
                nodes += self._lowered(node, operands, spelling, kept)
        return assemble(graph, nodes, graph.inputs, graph.outputs)

    def _lowered(self, node: gs.Node, operands: list[gs.Tensor], spelling: Spelling, kept: set[str]) -> list[gs.Node]:
        form, perms = spelling.form, {"x": perm.channels_first(spelling.rank), "w": perm.inverse(spelling.kernel)}
        nodes: list[gs.Node] = []
        pairs = zip(operands, form.inputs, strict=False)
        inputs = [self._first(nodes, tensor, kind, perms, kept) for tensor, kind in pairs]
        results, after = [], []
        for tensor, kind in zip(node.outputs, form.outputs, strict=False):
            if kind == "-":
                results.append(tensor)
                continue
            seen = tensor
            if tensor.name in kept:
                result = _like(tensor, unused(f"{tensor.name}_first", self.names), perms["x"])
            else:
                result = _like(tensor, tensor.name, perms["x"])
                seen = gs.Variable(unused(f"{tensor.name}_last", self.names), tensor.dtype, tensor.shape)
                self.last[tensor.name] = seen
            results.append(result)
            after.append(gs.Node("Transpose", "", {"perm": list(perm.inverse(perms["x"]))}, [result], [seen]))
        attrs = {key: value for key, value in node.attrs.items() if key not in spelling.attrs}
        made = new_node(node, inputs, results, op=form.op, domain=None, attrs=attrs, changed=frozenset(spelling.attrs))
        return [*nodes, *(self._in_groups(made) if form.grouped else [made]), *after]

    def _first(
        self, nodes: list[gs.Node], tensor: gs.Tensor, kind: str, perms: dict[str, Perm], kept: set[str]
    ) -> gs.Tensor:
        """What the operator reads for a function's input of this ``kind`` (see ``dialects.base.Form``)."""
        name = f"{tensor.name}_first"
        if kind == "-" or not tensor.name:
            return tensor
        if kind in perms:
            result = _like(tensor, unused(name, self.names), perms[kind])
            nodes.append(gs.Node("Transpose", "", {"perm": list(perms[kind])}, [tensor], [result]))
            return result
        order = np.asarray(perms["x"], dtype=np.int64)
        if isinstance(tensor, gs.Constant):
            free = tensor.name not in self.shared | kept
            return constants.of_array(tensor.name if free else unused(name, self.names), tensor.values[order])
        result = gs.Variable(unused(name, self.names), tensor.dtype, tensor.shape)
        indices = constants.of_array(unused(f"{tensor.name}_order", self.names), order)
        nodes.append(gs.Node("Gather", "", {"axis": 0}, [tensor, indices], [result]))
        return result

    def _in_groups(self, norm: gs.Node) -> list[gs.Node]:
        """The operator between two Reshapes, as exporters write it."""
        data, result, shape = norm.inputs[0], norm.outputs[0], norm.attrs["group_shape"]
        sizes = None if data.shape is None else [data.shape[0], shape[1], None]
        parts = [gs.Variable(unused(f"{t.name}_groups", self.names), t.dtype, sizes) for t in (data, result)]
        target = constants.of_array(unused(f"{data.name}_group_shape", self.names), np.asarray(shape, dtype=np.int64))
        back: gs.Tensor = gs.Variable(unused(f"{data.name}_shape", self.names), np.int64, [len(data.shape)])
        attrs = {key: value for key, value in norm.attrs.items() if key != "group_shape"}
        return [
            gs.Node("Reshape", "", {}, [data, target], [parts[0]]),
            new_node(norm, [parts[0], *norm.inputs[1:]], [parts[1]], attrs=attrs, changed=frozenset({"group_shape"})),
            gs.Node("Shape", "", {}, [data], [back]),
            gs.Node("Reshape", "", {}, [parts[1], back], [result]),
        ]


def _like(tensor: gs.Tensor, name: str, p: Perm) -> gs.Variable:
    return gs.Variable(name, tensor.dtype, None if tensor.shape is None else perm.reorder(p, list(tensor.shape)))
