"""Operators of com.microsoft, which onnxruntime and its quantiser leave in files: the rules of their standard kin."""

from functools import wraps

from passes.dialects.base import Form
from passes.ir.declared import MICROSOFT
from passes.rules.api import (
    IN,
    OUT,
    LabelsFn,
    Layout,
    Move,
    Node,
    Refusal,
    Rule,
    RuleFn,
    Slot,
    image_axes,
    no_axes,
    perm,
    permuted,
    register,
    same_axes,
)
from passes.rules.axis import along_axis, flattening
from passes.rules.contraction import fused_matmul, gemm, gemm_in_order
from passes.rules.elementwise import SAME, broadcast
from passes.rules.image import channels_first, spatial_attrs
from passes.rules.quant import LINEAR, Product, on, parameter, product

SOFTMAX, FLAT_SOFTMAX = along_axis(-1, symmetric=True), flattening(symmetric=True)


def of_inputs(rule: RuleFn, *data: int) -> RuleFn:
    """``rule`` for an operator that has these inputs, and scales and zero points that are scalars."""
    return wraps(rule)(lambda node, *layouts: on(node, data, rule, *layouts))


def concat(node: Node, layout: Layout) -> list[Move]:
    """QLinearConcat: the result's scale and zero point, then each input with its own."""
    return on(node, range(2, node.arity[0], 3), along_axis(1), layout)


def softmax(node: Node, layout: Layout) -> list[Move]:
    """QLinearSoftmax: the attribute ``opset`` says which Softmax is meant."""
    return on(node, (0,), SOFTMAX if node.attr("opset") >= 13 else FLAT_SOFTMAX, layout)


def biased(node: Node, layout: Layout) -> Move:
    """An elementwise operator whose bias, a vector, is along the last axis."""
    move = broadcast(node, layout)
    if move.edits:
        raise Refusal(f"{node.op} adds its bias along the last axis")
    return move


def fused_conv(node: Node, layout: Layout) -> Move:
    """FusedConv: Conv, the sum with input 3 and an activation."""
    move = channels_first(node, layout.perm, Form("FusedConv", "Conv", "xw-x"))
    if move is None:
        raise Refusal("FusedConv is channels-first only: convert the model before onnxruntime fuses it")
    return move


def either(node: Node, layout: Layout) -> Move:
    """Operators with the attribute ``channels_last``, which leaves kernels as they are."""
    rank = layout.rank
    p = perm.then(perm.channels_last(rank), layout.perm) if node.attr("channels_last", 0) else layout.perm
    last = p[1] != 1
    first = (0, 1, *(p[1:-1] if last else p[2:]))
    if p[0] != 0 or sorted(first) != list(range(rank)):
        raise Refusal(f"{node.op} needs its channels first or last")
    kernel = {3: permuted(first)} if node.op == "QLinearConv" else {}
    attrs = {"channels_last": int(last), **spatial_attrs(node, first)}
    return node.move({0: layout, **kernel}, {0: layout}, attrs=attrs)


def quantised_gemm(node: Node, left: Layout, result: Layout) -> list[Move]:
    """QGemm: scale and zero point of the right operand may have one entry per column."""
    columns, moves = 0 if node.attr("transB", 0) else 1, []
    for move in on(node, (0, 3, 6), gemm_in_order, left, result):
        vectors = {i: parameter(node, i, move.inputs[3], columns) for i in (4, 5) if node.has(IN(i))}
        moves.append(node.move({**dict(enumerate(move.inputs)), **vectors}, {0: result}, attrs=move.attrs))
    return moves


def rows(node: Node, layout: Layout) -> Move:
    """Transformers' operators: no layout of an image comes this far."""
    raise Refusal(f"{node.op} works on rows of tokens, which are no images")


def contrib(ops: str, fn: RuleFn, *slots: Slot, image: bool = False, labels: LabelsFn = same_axes) -> None:
    rule = Rule(fn, slots or (IN(0),), image=image, labels=labels)
    register(ops, rule, domain=MICROSOFT)


contrib("Gelu QuickGelu QLinearLeakyRelu QLinearSigmoid", SAME.fn)
contrib("BiasGelu FastGelu", biased)
contrib("QLinearAdd QLinearMul", of_inputs(broadcast, 0, 3), OUT(0))
contrib("QLinearWhere", of_inputs(broadcast, 0, 1, 4), OUT(0))
contrib("QLinearSoftmax", softmax)
contrib("QLinearConcat", concat, IN(2))
contrib("QLinearConv QLinearAveragePool QLinearGlobalAveragePool", either, labels=image_axes)
contrib("FusedConv", fused_conv, image=True, labels=image_axes)
contrib("FusedGemm", gemm, IN(0), OUT(0), labels=no_axes)
contrib("FusedMatMul", fused_matmul, IN(0), OUT(0), labels=no_axes)
contrib("QGemm", quantised_gemm, IN(0), OUT(0), labels=no_axes)
contrib("SkipLayerNormalization SkipSimplifiedLayerNormalization", rows)
contrib("QuantizeLinear DequantizeLinear", LINEAR.fn)
register("DynamicQuantizeMatMul", product(Product((0, 1), (), (2, 3), bias=(4,))), domain=MICROSOFT)
register("MatMulIntegerToFloat", product(Product((0, 1), (2, 4), (3, 5), bias=(6,))), domain=MICROSOFT)
