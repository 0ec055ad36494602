"""Names of values, unique in all of a model: in the main graph and in all bodies of If, Loop and Scan.

ONNX lets two branches of an If use one name, each for a value of its own; passes know values by their names.
"""

from collections.abc import Iterator

import onnx_graphsurgeon as gs

from passes.ir.graph import bodies, every_graph, unused


def unique_names(graph: gs.Graph) -> gs.Graph:
    """The graph as it is or, if names repeat, with values of bodies renamed."""
    names = [t.name for each in every_graph(graph) for t in defined(each)]
    if len(set(names)) < len(names):
        taken = {t.name for t in defined(graph)}
        for node in graph.nodes:
            for body in bodies(node):
                _rename(body, taken)
    return graph


def defined(graph: gs.Graph) -> Iterator[gs.Tensor]:
    """The values that a graph itself defines."""
    yield from graph.inputs
    yield from graph.origin.constants.values()
    yield from (t for node in graph.nodes for t in node.outputs if t.name)


def _rename(body: gs.Graph, taken: set[str]) -> None:
    """Give the values of a body names that are not ``taken``: all that read them, in inner bodies too, see these."""
    for tensor in {id(tensor): tensor for tensor in defined(body)}.values():
        name = unused(tensor.name, taken)
        body.origin.renamed[tensor.name] = name
        tensor.name = name
    for node in body.nodes:
        for inner in bodies(node):
            _rename(inner, taken)
