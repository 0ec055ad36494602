"""Calls of the model's own functions as the nodes that these stand for: runtimes run them so.

Each such node remembers its calls, so that those in which nothing moves are written as they were (apply/keep_calls.py).
A function for which there is a rule needs none of this; where it is not certain what the nodes mean, the call stays.
"""

from collections.abc import Callable, Iterator

import onnx_graphsurgeon as gs

from passes import dialects
from passes.ir.constants import Stored
from passes.ir.declared import MICROSOFT, imports_of
from passes.ir.functions import Key, Naming, called_by, functions_of, nodes_of_call, tensors_of, why_a_call
from passes.ir.graph import all_names, assemble, calls_of, every_node, unused, with_bodies
from passes.ir.importer import import_nodes
from passes.normalize.toposort import in_order
from passes.rules.rule import lookup

OF_RUNTIMES = ("ai.onnx", MICROSOFT, "com.ms.")  # domains whose operators runtimes know better than a file


def inline_functions(graph: gs.Graph) -> gs.Graph:
    """The graph with nodes in the place of calls, in bodies too; itself if it has none."""
    inlining = _Inlining(graph)
    return inlining.run(graph) if any(map(inlining.is_call, every_node(graph))) else graph


class _Inlining:
    """Values inside are named after the call: ``block1/conv``."""

    def __init__(self, graph: gs.Graph) -> None:
        self.opset, self.imports = graph.opset, imports_of(graph.origin.model)
        self.all = functions_of(graph.origin.model)
        self.functions = {key: f for key, f in self.all.items() if not self._is_known(key)}
        self.names, self.node_names = all_names(graph), {node.name for node in every_node(graph)}
        self.held: dict[Key, dict[str, gs.Constant]] = {}

    def run(self, graph: gs.Graph) -> gs.Graph:
        nodes = [inner for node in graph.nodes for inner in self._expanded(node)]
        return assemble(graph, nodes, graph.inputs, graph.outputs)

    def is_call(self, node: gs.Node) -> bool:
        return called_by(node.origin) in self.functions

    def _is_known(self, key: Key) -> bool:
        domain, name, _ = key
        is_read = dialects.read(domain, name, self.opset) or lookup(domain, name, self.opset)
        return is_read is not None or not domain or domain.startswith(OF_RUNTIMES)

    def _expanded(self, node: gs.Node) -> Iterator[gs.Node]:
        """The node or, for a call, the nodes of its function and of those that they call."""
        pending = [node]
        while pending:
            node = pending.pop()
            if not self.is_call(node):
                yield with_bodies(node, self.run)
                continue
            node.barrier = why_a_call(node.origin, self.all, self.imports)
            if node.barrier is None:
                pending += reversed(self._inside(node))
            else:
                yield node

    def _inside(self, call: gs.Node) -> list[gs.Node]:
        def naming(taken: set[str]) -> Callable[[str], str]:
            return lambda name: unused(f"{call.name or call.op}/{name}", taken)

        key = called_by(call.origin)
        held = self._held(key)
        inputs, outputs = ([t.name for t in side] for side in (call.inputs, call.outputs))
        new = Naming(naming(self.names), naming(self.node_names))
        names = {name: tensor.name for name, tensor in held.items()}
        protos = nodes_of_call(self.functions[key], call.origin, inputs, outputs, names, new)
        around = {t.name: t for t in (*call.inputs, *call.outputs, *held.values()) if t.name}
        nodes = import_nodes(protos, self.opset, around)
        for node in nodes:
            node.calls = (*calls_of(call), call)
        return in_order(nodes)

    def _held(self, key: Key) -> dict[str, gs.Constant]:
        """The constants that a function holds: one for all its calls, as large as weights may be."""
        if key not in self.held:
            tensors = tensors_of(self.functions[key])
            new = {name: unused(f"{key[1]}/{name}", self.names) for name in tensors}
            self.held[key] = {name: gs.Constant(new[name], Stored(tensor)) for name, tensor in tensors.items()}
        return self.held[key]
