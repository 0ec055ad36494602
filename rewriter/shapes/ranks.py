"""Ranks of values of which no more is known, as the operators that make and read them tell these."""

from typing import Any

from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper

from passes.ir.declared import body_protos, shape_of, values_of
from passes.ir.graph import is_standard

KERNELS = {"Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "QLinearConv": 3}  # which input is the kernel
POOLS = {"AveragePool", "LpPool", "MaxPool"}
# operators whose first result has the rank of their first input
SAME = """BatchNormalization Cast Clip DequantizeLinear Dropout Elu Gelu GlobalAveragePool GlobalMaxPool HardSigmoid
HardSwish Identity InstanceNormalization LRN LeakyRelu LogSoftmax Mish QuantizeLinear Relu Selu Sigmoid Softmax
Softplus Tanh"""
SAME_RANK = set(SAME.split())

Declared = dict[str, Any]  # what a graph says of its values: ValueInfoProto or TensorProto


def tell_ranks(graph: GraphProto, around: Declared | None = None) -> bool:
    """Declare ranks of values that the graph and its bodies make; whether there were any.

    ``around`` are the values around a body: what it captures may have another rank while it does not run.
    """
    values, told = values_of(graph), False
    declared = {**(around or {}), **values, **{tensor.name: tensor for tensor in graph.initializer}}
    tensors = {name: value.type.tensor_type for name, value in values.items() if value.type.HasField("tensor_type")}
    unknown = {name for name, tensor in tensors.items() if not tensor.HasField("shape")}
    unknown |= {name for node in graph.node for name in node.output if name} - values.keys()  # not even their types
    for node in reversed(graph.node):
        for body in body_protos(node):
            told |= tell_ranks(body, declared)
        ends = unknown.intersection((*node.input[:1], *node.output[:1])) if unknown else ()
        rank = _rank_at(node, declared) if ends and is_standard(node) else None
        if rank is not None:
            for name in ends:
                value = declared[name] = values[name] if name in values else graph.value_info.add(name=name)
                elem_type = value.type.tensor_type.elem_type
                value.type.CopyFrom(helper.make_tensor_type_proto(elem_type, [None] * rank))
            unknown, told = unknown - set(ends), True
    return told


def _rank_at(node: NodeProto, declared: Declared) -> int | None:
    """What a node says of its first input and its first result."""
    attrs = {attr.name: attr for attr in node.attribute}
    if node.op_type == "Transpose" and "perm" in attrs:
        return len(attrs["perm"].ints)
    if node.op_type in POOLS:
        return 2 + len(attrs["kernel_shape"].ints)
    if node.op_type in KERNELS:
        return _rank(declared.get(node.input[KERNELS[node.op_type]]))
    ends = (node.input[0], node.output[0]) if node.op_type in SAME_RANK else ()
    return next((rank for name in ends if (rank := _rank(declared.get(name))) is not None), None)


def _rank(declared: ValueInfoProto | TensorProto | None) -> int | None:
    if isinstance(declared, TensorProto):
        return len(declared.dims)
    shape = shape_of(declared)
    return None if shape is None else len(shape)
