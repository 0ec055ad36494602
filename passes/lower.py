"""Brings a graph into the form rules speak of: standard operators, and constants as constants."""

from collections import Counter

import numpy as np
import onnx_graphsurgeon as gs
from onnx import NodeProto

from passes import constants, perm
from passes.constants import Stored
from passes.dialect import kernel_perm, parse_domain, spec_of
from passes.graph import all_names, assemble, captured_names, is_standard, new_node, unused
from passes.perm import Perm
from passes.rule import Array


def lower(graph: gs.Graph) -> gs.Graph:
    """The graph without Constant nodes and without channels-last functions of this tool."""
    return functions_as_standard(constant_nodes_as_constants(graph))


def constant_nodes_as_constants(graph: gs.Graph) -> gs.Graph:
    """Constant nodes become initializers, where they hold a dense tensor or numbers; so do Shapes of constants."""
    values: dict[str, gs.Constant] = {}
    nodes = []
    relied_on = {t.name for t in graph.outputs} | captured_names(graph)
    for node in graph.nodes:
        value = constant_value(node) if is_standard(node) else None
        if value is None or node.outputs[0].name in relied_on:
            nodes.append(node)
        else:
            values[node.outputs[0].name] = gs.Constant(node.outputs[0].name, value)
    if not values:
        return graph
    read = [new_node(n, [values.get(t.name, t) for t in n.inputs], list(n.outputs)) for n in nodes]
    return assemble(graph, read, graph.inputs, graph.outputs)


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
    """Each channels-last function becomes Transpose, the standard operator, Transpose; plans then undo the two.

    The operator's result keeps the function's output name, except where others rely on what it names.
    """
    if not any(parse_domain(node.domain or "") for node in graph.nodes):
        return graph
    names, relied_on = all_names(graph), {t.name for t in graph.outputs} | captured_names(graph)
    reads = Counter(t.name for node in graph.nodes for t in node.inputs)
    shared = relied_on | {name for name, times in reads.items() if times > 1}
    nodes: list[gs.Node] = []
    last: dict[str, gs.Tensor] = {}
    for node in graph.nodes:
        operands = [last.get(t.name, t) for t in node.inputs]
        parsed, spec = parse_domain(node.domain or ""), spec_of(node.op, graph.opset)
        if parsed is None or spec is None:
            nodes.append(new_node(node, operands, list(node.outputs)))
            continue
        rank, weights = parsed
        perms = {"x": perm.channels_first(rank), "w": perm.inverse(kernel_perm(spec.op, rank, weights))}
        kinds = [kind if t.name else "-" for kind, t in zip(spec.inputs, operands, strict=False)]
        inputs = [_first(nodes, names, shared, t, kind, perms) for t, kind in zip(operands, kinds, strict=True)]
        results, after = [], []
        for tensor in node.outputs:
            p = perms["x"]
            if tensor.name in relied_on:
                result, seen = _like(tensor, f"{tensor.name}_first", p, names), tensor
            else:
                result = gs.Variable(tensor.name, tensor.dtype, _shape(tensor, p))
                seen = last[tensor.name] = gs.Variable(unused(f"{tensor.name}_last", names), tensor.dtype, tensor.shape)
            results.append(result)
            after.append(gs.Node("Transpose", "", {"perm": list(perm.inverse(p))}, [result], [seen]))
        nodes += [new_node(node, inputs, results, op=spec.op, domain=None), *after]
    return assemble(graph, nodes, graph.inputs, graph.outputs)


def _first(
    nodes: list[gs.Node], names: set[str], shared: set[str], tensor: gs.Tensor, kind: str, perms: dict[str, Perm]
) -> gs.Tensor:
    """What the standard operator reads in place of a function's input of this ``kind`` (see ``dialect.Spec``)."""
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
