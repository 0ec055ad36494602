"""What onnxruntime leaves of a model, and what Transposes move."""

from typing import NamedTuple

from onnx import GraphProto, ModelProto, helper

from passes.ir.declared import every_graph_proto
from tests.support.engines import Feeds, Level, by_name, optimised


class Left(NamedTuple):
    """Transposes, those in bodies too, and the bytes that those of the main graph move."""

    transposes: int
    bytes: int


def left_by_onnxruntime(model: ModelProto, level: Level, feeds: Feeds) -> Left:
    """What its optimiser leaves."""
    return left_in(optimised(model, level), feeds)


def left_in(model: ModelProto, feeds: Feeds) -> Left:
    """What there is in a model as it stands, by running it."""
    everywhere = sum(len(transposed(graph)) for graph in every_graph_proto(model.graph))
    moved = transposed(model.graph)
    if not moved:
        return Left(everywhere, 0)
    shown = ModelProto()
    shown.CopyFrom(model)
    ends = {value.name for value in model.graph.output}
    shown.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in moved if name not in ends)
    values = by_name(shown, {value.name: feeds[value.name] for value in model.graph.input})
    return Left(everywhere, sum(values[name].nbytes for name in moved))


def transposed(graph: GraphProto) -> list[str]:
    """What the Transposes of a graph make."""
    return [node.output[0] for node in graph.node if node.op_type == "Transpose" and node.domain in ("", "ai.onnx")]
