"""Removes what a push leaves behind: Identity nodes, and nodes and constants nobody reads."""

import onnx_graphsurgeon as gs

from passes.graph import assemble, captured, captured_names, is_standard, new_node


def tidy(graph: gs.Graph) -> gs.Graph:
    """The graph without Identity nodes (where no name that others rely on needs one) and without dead nodes."""
    return without_dead(without_identities(graph))


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
