"""A model without the data of its weights: what checks need, however large the model."""

from math import prod

from onnx import ModelProto, helper

from passes.ir.constants import dense
from passes.ir.declared import SMALL
from passes.ir.exporter import FREE_INITIALIZERS_IR_VERSION


def skeleton(model: ModelProto) -> ModelProto:
    """The model without the data of its weights, which become inputs."""
    bare = ModelProto(ir_version=max(model.ir_version, FREE_INITIALIZERS_IR_VERSION))
    bare.opset_import.extend(model.opset_import)
    bare.functions.extend(model.functions)
    graph = bare.graph
    graph.name = model.graph.name or "graph"
    graph.node.extend(model.graph.node)
    graph.output.extend(model.graph.output)
    graph.value_info.extend(model.graph.value_info)
    held = {tensor.name for tensor in model.graph.initializer}
    graph.input.extend(value for value in model.graph.input if value.name not in held)
    for tensor in (*model.graph.initializer, *map(dense, model.graph.sparse_initializer)):
        if prod(tensor.dims) <= SMALL:
            graph.initializer.append(tensor)
        else:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    return bare
