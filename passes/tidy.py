"""Removes what a push leaves behind: chains of Gathers, Identity nodes, and nodes and constants nobody reads."""

import numpy as np
import onnx_graphsurgeon as gs

from passes import constants
from passes.graph import all_names, assemble, captured, captured_names, is_standard, new_node, unused
from passes.rule import Array


def tidy(graph: gs.Graph) -> gs.Graph:
    """The graph without chains of Gathers, Identity nodes (but those that interface names need), and dead nodes."""
    return without_dead(without_identities(without_gather_chains(graph)))


def without_gather_chains(graph: gs.Graph) -> gs.Graph:
    """A vector reordered twice is reordered once, one reordered back is not at all: moved Shapes leave such chains."""
    names = all_names(graph)
    takes: dict[str, tuple[gs.Tensor, Array]] = {}
    nodes = []
    for node in graph.nodes:
        indices = taken_indices(node)
        if indices is None:
            nodes.append(node)
            continue
        source = node.inputs[0]
        if source.name in takes:
            source, first = takes[source.name]
            indices = np.asarray(first[indices])
            inputs = [source, constants.of_array(unused(f"{node.inputs[1].name}_joined", names), indices)]
            node = new_node(node, inputs, list(node.outputs))
        if indices.ndim == 1:
            takes[node.outputs[0].name] = source, indices
        if source.shape == [indices.size] and indices.tolist() == list(range(indices.size)):
            node = new_node(node, [source], list(node.outputs), op="Identity", attrs={}, changed=frozenset({"axis"}))
        nodes.append(node)
    return assemble(graph, nodes, graph.inputs, graph.outputs) if takes else graph


def taken_indices(node: gs.Node) -> Array | None:
    """The indices if the node gathers constant positions of a vector, else ``None``."""
    if node.op != "Gather" or not is_standard(node) or not isinstance(node.inputs[1], gs.Constant):
        return None
    if isinstance(node.inputs[0], gs.Constant) or node.inputs[0].shape is None or len(node.inputs[0].shape) != 1:
        return None
    return np.asarray(node.inputs[1].values)


def without_identities(graph: gs.Graph) -> gs.Graph:
    """An Identity's output and input become one value, under the name that others rely on."""
    relied_on = {t.name for t in (*graph.inputs, *graph.outputs)} | captured_names(graph)
    produced = {t.name for node in graph.nodes for t in node.outputs}
    same: dict[str, gs.Tensor] = {}
    renamed: dict[str, gs.Tensor] = {}
    nodes = []
    for node in graph.nodes:
        source = same.get(node.inputs[0].name, node.inputs[0]) if node.inputs else None
        if node.op != "Identity" or not is_standard(node) or source is None:
            nodes.append(node)
        elif node.outputs[0].name not in relied_on:
            same[node.outputs[0].name] = source
        elif source.name in produced - relied_on and source.name not in renamed:
            renamed[source.name] = node.outputs[0]
        else:
            nodes.append(node)

    def new(tensor: gs.Tensor) -> gs.Tensor:
        tensor = same.get(tensor.name, tensor)
        return renamed.get(tensor.name, tensor)

    rewired = [new_node(node, [new(t) for t in node.inputs], [new(t) for t in node.outputs]) for node in nodes]
    return assemble(graph, rewired, graph.inputs, graph.outputs)


def without_dead(graph: gs.Graph) -> gs.Graph:
    """The graph without nodes whose outputs nobody reads."""
    needed = {t.name for t in graph.outputs}
    kept = []
    for node in reversed(graph.nodes):
        if any(t.name in needed for t in node.outputs):
            needed |= {t.name for t in node.inputs} | captured(node)
            kept.append(node)
    return assemble(graph, kept[::-1], graph.inputs, graph.outputs)
