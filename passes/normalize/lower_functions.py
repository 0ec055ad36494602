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
