"""Names of values, unique in all of a model: in the main graph and in all bodies of If, Loop and Scan.

ONNX lets two branches of an If use one name, each for a value of its own; passes know values by their names.
"""

from collections.abc import Iterator

import onnx_graphsurgeon as gs

from passes.ir.graph import every_graph, unused


def unique_names(graph: gs.Graph) -> gs.Graph:
    """The graph, with values renamed whose names others have: all that read them, in inner bodies too, see that."""
    taken: set[str] = set()
    for each in every_graph(graph):
        for tensor in {id(tensor): tensor for tensor in defined(each)}.values():
            name = unused(tensor.name, taken)
            each.origin.renamed[tensor.name] = name
            tensor.name = name
    return graph


def defined(graph: gs.Graph) -> Iterator[gs.Tensor]:
    """The values that a graph itself defines."""
    yield from graph.inputs
    yield from graph.origin.constants.values()
    yield from (t for node in graph.nodes for t in node.outputs if t.name)
