"""What protobufs say of a model: its opset, the shapes of values, the bodies of nodes."""

from collections.abc import Iterator, Sequence
from typing import Any

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

MICROSOFT = "com.microsoft"  # onnxruntime's own operators
SMALL = 4096  # elements; larger constants are weights: no inference and no rule reads them

Shape = list[Any]  # sizes, symbols, None


def standard(domain: str | None) -> str:
    """The domain under the one name that passes know it by: the standard one has two."""
    return "" if domain in (None, "ai.onnx") else str(domain)


def standard_opset(model: ModelProto) -> int:
    """The version of the standard operators that a model imports, 0 if it uses none."""
    return next((int(opset.version) for opset in model.opset_import if not standard(opset.domain)), 0)


def opset_of(model: ModelProto) -> int:
    """The version of the standard operators that the model, or one of its functions, imports; if it uses none, one that
    every runtime knows."""
    return imports_of(model).get("", 17)


def imports_of(model: ModelProto) -> dict[str, int]:
    """The versions of operators by domain; what only functions import is as the first of them does."""
    imports: dict[str, int] = {}
    for opset in (opset for part in (model, *model.functions) for opset in part.opset_import):
        imports.setdefault(standard(opset.domain), int(opset.version))
    return imports


def body_protos(node: NodeProto) -> list[GraphProto]:
    """The graphs that an If, Loop or Scan (or another operator) runs."""
    return [attr.g for attr in node.attribute if attr.type == AttributeProto.GRAPH]


def every_node_proto(graph: GraphProto | FunctionProto) -> Iterator[NodeProto]:
    """The nodes of the graph (or function) and of all bodies in it."""
    for node in graph.node:
        yield node
        for body in body_protos(node):
            yield from every_node_proto(body)


def every_graph_proto(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph and all bodies in it, the innermost first."""
    for node in graph.node:
        for body in body_protos(node):
            yield from every_graph_proto(body)
    yield graph


def values_of(graph: GraphProto) -> dict[str, ValueInfoProto]:
    """All that a graph declares of its values, by name."""
    return {value.name: value for value in (*graph.value_info, *graph.output, *graph.input)}


def held_tensors(graph: GraphProto) -> dict[str, TensorProto]:
    """What a graph holds by name as an initializer or the tensor of a Constant."""
    nodes = (node for node in graph.node if node.op_type == "Constant")
    told = {node.output[0]: attr.t for node in nodes for attr in node.attribute if attr.name == "value"}
    return {tensor.name: tensor for tensor in graph.initializer} | told


def shape_of(value: ValueInfoProto | None) -> Shape | None:
    """Dims of a declared value: sizes, symbols, ``None``; ``None`` if not even the rank is known.

    A negative size is none: some writers mean any by it.
    """
    if value is None or not value.type.tensor_type.HasField("shape"):
        return None
    sizes = ((d, d.dim_value if d.HasField("dim_value") else -1) for d in value.type.tensor_type.shape.dim)
    return [size if size >= 0 else d.dim_param or None for d, size in sizes]


def is_static(shape: Sequence[Any]) -> bool:
    """Whether all sizes are numbers."""
    return all(isinstance(size, int) for size in shape)
