"""Types and shapes of all values."""

import onnx_graphsurgeon as gs

from passes.ir.exporter import export_skeleton
from passes.ir.importer import set_types
from passes.normalize.engines import Engines


def infer_shapes(graph: gs.Graph, engines: Engines) -> gs.Graph:
    """The graph with the types and shapes that inference finds, in bodies too; what it does not find is not known."""
    set_types(graph, engines.infer(export_skeleton(graph)))
    return graph
