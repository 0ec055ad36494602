"""Model-local functions as the nodes that they stand for."""

import onnx_graphsurgeon as gs
from onnx import inliner

from passes.ir.exporter import export_skeleton
from passes.ir.graph import every_node
from passes.ir.importer import import_model
from passes.normalize.infer_shapes import Engines, infer_shapes


def inline_functions(graph: gs.Graph, engines: Engines) -> gs.Graph:
    """A graph in which no node calls a function of the model, without the data of weights; names of values stay.

    It is for looking at: weights are inputs. The graph itself is given back if it calls none.
    """
    functions = {(function.domain, function.name) for function in graph.origin.model.functions}
    if not any((node.domain or "", node.op) in functions for node in every_node(graph)):
        return graph
    inlined = import_model(inliner.inline_local_functions(export_skeleton(graph)))
    return infer_shapes(inlined, engines)
