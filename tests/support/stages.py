"""A model part of its way through the passes."""

import onnx_graphsurgeon as gs
from onnx import ModelProto

from passes import dialects
from passes.ir.exporter import export_model
from passes.pipeline import NORMALIZE, READ, Request
from rewriter.files.source import Source
from rewriter.pipeline import run_passes, start


def to_graph(model: ModelProto) -> gs.Graph:
    """The model's graph with shapes, sorted."""
    return _after(model, READ)


def normalized(model: ModelProto) -> gs.Graph:
    """The model's graph as it is planned, but for operators that only some dialects know."""
    return _after(model, READ, NORMALIZE)


def _after(model: ModelProto, *stages: str) -> gs.Graph:
    work = start(Source(model), Request("nchw", dialects.make("onnx")))
    run_passes(work, *stages)
    return work.graph


def to_model(graph: gs.Graph) -> ModelProto:
    """The model that a graph is written as."""
    model = export_model(graph)
    dialects.bring_functions(model)
    return model
