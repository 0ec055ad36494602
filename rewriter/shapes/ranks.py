"""Ranks of values of which no more is known, as the operators that make and read them tell these."""

from collections.abc import Mapping

from onnx import GraphProto, NodeProto, ValueInfoProto, helper

from passes.ir.declared import Shape, body_protos, shape_of, values_of
from passes.ir.graph import is_standard

KERNELS = {"Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "QLinearConv": 3}  # which input is the kernel
POOLS = {"AveragePool", "LpPool", "MaxPool"}
# operators whose first result has the rank of their first input
SAME = """BatchNormalization Cast Clip DequantizeLinear Dropout Elu Gelu GlobalAveragePool GlobalMaxPool HardSigmoid
HardSwish Identity InstanceNormalization LRN LeakyRelu LogSoftmax Mish QuantizeLinear Relu Selu Sigmoid Softmax
Softplus Tanh"""
SAME_RANK = set(SAME.split())

Shapes = Mapping[str, Shape | None]


def tell_ranks(graph: GraphProto, around: Shapes | None = None) -> bool:
    """Declare ranks of values that the graph and its bodies make; whether there were any.

    ``around`` are the shapes of values around a body: what it captures may have another rank while it does not run.
    """
    values = values_of(graph)
    shapes: dict[str, Shape | None] = {**(around or {}), **{name: shape_of(value) for name, value in values.items()}}
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    unknown = {name for name, v in values.items() if shapes[name] is None and v.type.HasField("tensor_type")}
    told = False
    for node in reversed(graph.node):
        for body in body_protos(node):
            told |= tell_ranks(body, shapes)
        ends = unknown.intersection((*node.input[:1], *node.output[:1]))
        rank = _rank_at(node, shapes) if ends and is_standard(node) else None
        if rank is not None:
            for name in ends:
                _declare(values[name], rank)
                shapes[name] = [None] * rank
            unknown, told = unknown - ends, True
    return told


def _rank_at(node: NodeProto, shapes: Shapes) -> int | None:
    """What a node says of its first input and its first result."""
    attrs, rank = {attr.name: attr for attr in node.attribute}, None
    if node.op_type == "Transpose" and "perm" in attrs:
        rank = len(attrs["perm"].ints)
    elif node.op_type in POOLS:
        rank = 2 + len(attrs["kernel_shape"].ints)
    elif node.op_type in KERNELS:
        rank = _rank(node.input[KERNELS[node.op_type]], shapes)
    elif node.op_type in SAME_RANK:
        ranks = (_rank(name, shapes) for name in (node.input[0], node.output[0]))
        rank = next((rank for rank in ranks if rank is not None), None)
    return rank


def _rank(name: str, shapes: Shapes) -> int | None:
    shape = shapes.get(name)
    return None if shape is None else len(shape)


def _declare(value: ValueInfoProto, rank: int) -> None:
    elem_type = value.type.tensor_type.elem_type
    value.type.CopyFrom(helper.make_tensor_type_proto(elem_type, [None] * rank))
