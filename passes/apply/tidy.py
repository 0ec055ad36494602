"""Removes what a push leaves behind: chains of Gathers, Identity nodes, and nodes and constants nobody reads."""

from functools import partial

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir import constants
from passes.ir.graph import all_names, assemble, every_node, is_standard, new_node, unused, with_bodies, with_nodes
from passes.layout.edit import Array
from passes.normalize.dead_code import dead_code


def tidy(graph: gs.Graph) -> gs.Graph:
    """The graph without chains of Gathers, Identity nodes (but those that interface names need), and dead nodes."""
    return dead_code(without_identities(without_gather_chains(graph)))


def without_gather_chains(graph: gs.Graph) -> gs.Graph:
    """A vector reordered twice is reordered once, one reordered back is not at all: moved Shapes leave such chains."""
    if not any(taken_indices(node) is not None for node in every_node(graph)):
        return graph
    return _joined_gathers(graph, all_names(graph), {})


def _joined_gathers(graph: gs.Graph, names: set[str], takes: dict[str, tuple[gs.Tensor, Array]]) -> gs.Graph:
    nodes = []
    for node in graph.nodes:
        indices = taken_indices(node)
        if indices is None:
            nodes.append(with_bodies(node, partial(_joined_gathers, names=names, takes=takes)))
            continue
        source = node.inputs[0]
        if source.name in takes:
            source, first = takes[source.name]
            indices = np.asarray(first[indices])
            inputs = [source, constants.of_array(unused(f"{node.inputs[1].name}_joined", names), indices)]
            node = new_node(node, inputs, node.outputs)
        if indices.ndim == 1:
            takes[node.outputs[0].name] = source, indices
        if source.shape == [indices.size] and indices.tolist() == list(range(indices.size)):
            node = new_node(node, [source], node.outputs, op="Identity", attrs={}, changed=frozenset({"axis"}))
        nodes.append(node)
    return assemble(graph, nodes, graph.inputs, graph.outputs)


def taken_indices(node: gs.Node) -> Array | None:
    """The indices if the node gathers constant positions of a vector, else ``None``."""
    if node.op != "Gather" or not is_standard(node) or not isinstance(node.inputs[1], gs.Constant):
        return None
    if isinstance(node.inputs[0], gs.Constant) or node.inputs[0].shape is None or len(node.inputs[0].shape) != 1:
        return None
    return np.asarray(node.inputs[1].values)


def without_identities(graph: gs.Graph) -> gs.Graph:
    """An Identity's output and input become one value, under the name that others rely on."""
    same: dict[str, gs.Tensor] = {}
    renamed: dict[str, gs.Tensor] = {}
    others = _without_identities(graph, same, renamed)

    def new(tensor: gs.Tensor) -> gs.Tensor:
        tensor = same.get(tensor.name, tensor)
        return renamed.get(tensor.name, tensor)

    return assemble(others, others.nodes, graph.inputs, graph.outputs, new)


def _without_identities(graph: gs.Graph, same: dict[str, gs.Tensor], renamed: dict[str, gs.Tensor]) -> gs.Graph:
    relied_on = {t.name for t in (*graph.inputs, *graph.outputs)}
    produced = {t.name for node in graph.nodes for t in node.outputs}
    nodes = []
    for node in graph.nodes:
        source = same.get(node.inputs[0].name, node.inputs[0]) if node.inputs else None
        if node.op != "Identity" or not is_standard(node) or source is None:
            nodes.append(with_bodies(node, partial(_without_identities, same=same, renamed=renamed)))
        elif node.outputs[0].name not in relied_on:
            same[node.outputs[0].name] = source
        elif source.name in produced - relied_on and source.name not in renamed:
            renamed[source.name] = node.outputs[0]
        else:
            nodes.append(node)
    return with_nodes(graph, nodes, graph.inputs, graph.outputs)
