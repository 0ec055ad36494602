"""Types and shapes of all values."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import onnx_graphsurgeon as gs
from onnx import ModelProto, ValueInfoProto

from passes.ir.exporter import export_skeleton
from passes.ir.importer import set_types
from passes.layout.edit import Array


class Engines(NamedTuple):
    """What passes need of the world outside: it is handed in.

    ``infer``: the types and shapes of all values of a skeleton, by name. ``evaluate``: what a model without inputs
    gives, ``None`` if it cannot be run. ``measure``: the shapes of values of the file's main graph in a run, by
    name, as far as they are found.
    """

    infer: Callable[[ModelProto], Mapping[str, ValueInfoProto]]
    evaluate: Callable[[ModelProto], Sequence[Array] | None]
    measure: Callable[[Sequence[str]], Mapping[str, Sequence[int]]] = lambda names: {}


def infer_shapes(graph: gs.Graph, engines: Engines) -> gs.Graph:
    """The graph with the types and shapes that inference finds, in bodies too; what it does not find is not known."""
    set_types(graph, engines.infer(export_skeleton(graph)))
    return graph
