"""What the Transposes of a graph move, before anything is planned."""

from collections.abc import Mapping, Sequence

import onnx_graphsurgeon as gs

from passes.ir.control_flow import executions_per_inference
from passes.ir.graph import every_node, is_standard
from passes.plan.cost import ONNXRUNTIME_CPU, CostModel


def hints(graph: gs.Graph, input_shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Sizes of symbolic dims, from the shapes given for graph inputs."""
    sizes: dict[str, int] = {}
    for tensor in graph.inputs:
        given = input_shapes.get(tensor.name, ())
        sizes.update({d: n for d, n in zip(tensor.shape or (), given, strict=False) if isinstance(d, str)})
    return sizes


def transposed_bytes(graph: gs.Graph, sizes: Mapping[str, int], cost: CostModel = ONNXRUNTIME_CPU) -> int:
    """What the Transposes of a graph move per inference, in bodies too."""
    times = executions_per_inference(graph, cost.unknown_trips)
    results = [n.outputs[0] for n in every_node(graph) if n.op == "Transpose" and is_standard(n)]
    return sum(cost.bytes_of(t, sizes) * times.get(t.name, 1) for t in results if not isinstance(t, gs.Constant))
