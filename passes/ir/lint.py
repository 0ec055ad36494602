"""Structural invariants of a graph that every pass must keep: a failure is a bug of a pass."""

import onnx_graphsurgeon as gs

from passes.ir.graph import bodies, every_graph, every_node


class LintError(Exception):
    """A graph that breaks an invariant; the message says where."""


def lint(graph: gs.Graph) -> None:
    """Names are unique, nodes sorted, and nothing is read that nobody makes; in bodies too. Else raises LintError."""
    lint_names(graph)
    _lint_order(graph, set())


def lint_names(graph: gs.Graph) -> None:
    """No two values have one name; in bodies too. Else raises LintError."""
    made = {t.name for each in every_graph(graph) for t in each.inputs}
    for node in every_node(graph):
        for tensor in node.outputs:
            if tensor.name and tensor.name in made:
                raise LintError(f"{tensor.name!r} is made twice, again by {node.op} {node.name!r}")
            made.add(tensor.name)
    held = {t.name for node in every_node(graph) for t in node.inputs if isinstance(t, gs.Constant)}
    if held & made:
        raise LintError(f"{sorted(held & made)[0]!r} is both a constant and computed")


def _lint_order(graph: gs.Graph, around: set[str]) -> None:
    """``around`` are the values that can be read, from around the graph."""
    readable = around | {t.name for t in graph.inputs} | {""}
    for node in graph.nodes:
        for tensor in node.inputs:
            if tensor.name not in readable and not isinstance(tensor, gs.Constant):
                raise LintError(f"{node.op} {node.name!r} reads {tensor.name!r} before any node makes it")
        for body in bodies(node):
            _lint_order(body, readable)
        readable.update(t.name for t in node.outputs)
