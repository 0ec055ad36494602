"""Operators that onnx infers no, or wrong, shapes of, as others that have their shapes and types."""

from collections.abc import Sequence
from copy import deepcopy

import onnx
from onnx import ModelProto, NodeProto, helper

from passes.ir.declared import MICROSOFT, standard_opset
from passes.ir.graph import is_standard
from rewriter.shapes.disputed import disputed_sizes

DOMAIN, SAME_RANK = "rewriter.stand_in", "SameRank"
# which standard operator, on which of the inputs
STAND_INS: dict[str, tuple[str, Sequence[int]]] = {
    **dict.fromkeys(("Gelu", "FastGelu", "QuickGelu", "BiasGelu", "QLinearLeakyRelu", "QLinearSigmoid"), ("Relu", [0])),
    **dict.fromkeys(("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), ("Relu", [0])),
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearWhere": ("Where", (0, 1, 4)),
    "QLinearSoftmax": ("Relu", [0]),
    "QLinearConcat": ("Concat", range(2, 3000, 3)),
    "QLinearAveragePool": ("AveragePool", [0]),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", [0]),
    "QLinearConv": ("QLinearConv", range(9)),
    "FusedConv": ("Conv", range(3)),
    "FusedGemm": ("Gemm", range(3)),
    "FusedMatMul": ("MatMul", range(2)),
    "QGemm": ("Gemm", (0, 3, 6)),
    "DynamicQuantizeMatMul": ("MatMul", range(2)),
    "QuantizeLinear": ("QuantizeLinear", range(3)),
    "DequantizeLinear": ("DequantizeLinear", range(3)),
}
OTHER_SHAPES = {"channels_last", "transA", "transB", "transBatchA", "transBatchB"}  # unless the stand-in has them


def stand_in(node: NodeProto, opset: int) -> NodeProto:
    """A node with the shapes of ``node``, which is itself if onnx infers these."""
    if is_standard(node):
        return STANDARD[node.op_type](node) if node.op_type in STANDARD else node
    op, data = STAND_INS.get(node.op_type, ("", ()))
    if node.domain != MICROSOFT or not onnx.defs.has(op, opset):
        return node
    known = onnx.defs.get_schema(op, opset).attributes
    if any(attr.i and attr.name in OTHER_SHAPES - set(known) for attr in node.attribute):
        return node
    if node.op_type == "QGemm" and len(node.input) < 9:
        return node  # its result is no integer
    inputs = [node.input[i] for i in data if i < len(node.input)]
    proto = NodeProto(op_type=op, name=node.name, input=inputs, output=node.output[:1])
    proto.attribute.extend(attr for attr in node.attribute if attr.name in known)
    return proto


def of_unknown_size(node: NodeProto) -> NodeProto:
    """Of ConvTranspose with padding ``SAME`` and output_padding, onnx, onnxruntime and the specification each have
    other sizes: none is told."""
    attrs = {attr.name: attr for attr in node.attribute}
    if "output_padding" not in attrs or "auto_pad" not in attrs or not attrs["auto_pad"].s.startswith(b"SAME"):
        return node
    return same_rank(node, [0])


def same_rank(node: NodeProto, kept: Sequence[int]) -> NodeProto:
    """One whose result has the rank of its first input, and its sizes along the axes ``kept``."""
    return helper.make_node(SAME_RANK, node.input[:1], node.output, node.name, domain=DOMAIN, kept=kept)


def of_same_shape(node: NodeProto) -> NodeProto:
    """onnx has no inference for GroupNormalization, and says so of its readers."""
    return NodeProto(op_type="Relu", name=node.name, input=node.input[:1], output=node.output)


STANDARD = {"ConvTranspose": of_unknown_size, "GroupNormalization": of_same_shape}


def with_stand_ins(bare: ModelProto) -> ModelProto:
    """The model with a stand-in for each node that has one, in its place: for shape inference only."""
    disputed = disputed_sizes(bare)
    if not disputed and not any(n.domain == MICROSOFT or n.op_type in STANDARD for n in bare.graph.node):
        return bare
    model = deepcopy(bare)
    opset = standard_opset(bare)
    if opset:
        model.opset_import.add(domain=DOMAIN, version=1)
        del model.graph.node[:]
        for node in bare.graph.node:
            kept = disputed.get(node.output[0]) if node.output else None
            model.graph.node.append(stand_in(node, opset) if kept is None else same_rank(node, kept))
    return model
