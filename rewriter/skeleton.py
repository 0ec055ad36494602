"""A model without the data of its weights: what shape inference and checks need, however large the model."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, ValueInfoProto, helper, numpy_helper

from passes.ir.graph import is_standard

SMALL = 4096  # elements; smaller initializers take part in shape inference
FREE_INITIALIZERS_IR_VERSION = 4

Shape = list[Any]  # sizes, symbols, None


def skeleton(model: ModelProto, nodes: Sequence[NodeProto] | None = None) -> ModelProto:
    """The model without the data of its weights, which become inputs.

    ``nodes`` stand for those of its graph.
    """
    bare = ModelProto(ir_version=max(model.ir_version, FREE_INITIALIZERS_IR_VERSION))
    bare.opset_import.extend(model.opset_import)
    bare.functions.extend(model.functions)
    graph = bare.graph
    graph.name = model.graph.name or "graph"
    graph.node.extend(model.graph.node if nodes is None else nodes)
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


def dense(sparse: SparseTensorProto) -> TensorProto:
    """What a sparse initializer holds, zeros and all."""
    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    array = np.zeros(sparse.dims, values.dtype)
    array[tuple(indices.T) if indices.ndim == 2 else np.unravel_index(indices, array.shape)] = values
    return numpy_helper.from_array(array, sparse.values.name)


def infer(bare: ModelProto) -> ModelProto:
    """A skeleton with shapes by onnx's inference; where declared shapes contradict the operators', without those."""
    try:
        return onnx.shape_inference.infer_shapes(bare, strict_mode=True, data_prop=True)
    except Exception:  # onnx raises several types, among them RuntimeError; the second try raises nothing
        free = ModelProto()
        free.CopyFrom(bare)
        del free.graph.value_info[:]
        return onnx.shape_inference.infer_shapes(free, strict_mode=False, data_prop=True)


def standard_opset(model: ModelProto) -> int:
    """The version of the standard operators that a model imports, 0 if it uses none."""
    return next((int(opset.version) for opset in model.opset_import if is_standard(opset)), 0)


def values_of(graph: GraphProto) -> dict[str, ValueInfoProto]:
    """All that a graph declares of its values, by name."""
    return {value.name: value for value in (*graph.input, *graph.output, *graph.value_info)}


def is_static(shape: Shape) -> bool:
    return all(isinstance(size, int) for size in shape)


def shape_of(value: ValueInfoProto | None) -> Shape | None:
    """Dims of a declared value: sizes, symbols, ``None``; ``None`` if not even the rank is known."""
    if value is None or not value.type.tensor_type.HasField("shape"):
        return None
    dims = value.type.tensor_type.shape.dim
    return [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in dims]
