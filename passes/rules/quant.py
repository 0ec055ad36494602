"""Quantised operators: the rules of the plain ones on their data, and what becomes of scales and zero points.

A scale or zero point is a scalar, a vector with one entry per element of an axis, or of the rank of its data.
"""

from collections.abc import Callable
from typing import NamedTuple

from passes import layout as lay
from passes import perm
from passes.layout import Layout
from passes.rule import IN, OUT, Move, Node, Rule, RuleFn, register
from passes.rules.axis import unordered
from passes.rules.elementwise import operand
from passes.rules.matmul import matmul
from passes.rules.spatial import SPATIAL


def linear(node: Node, layout: Layout) -> Move:
    """QuantizeLinear and DequantizeLinear: per tensor, per element of an axis, or (blocked) per run along an axis."""
    if not node.shape(IN(1)):
        return node.move({0: layout}, {0: layout})
    axis = node.attr("axis", 1) % len(layout.perm)
    if node.attr("block_size", 0):
        unordered(layout, axis, f"{node.op} in blocks")
    inputs = {i: parameter(node, i, layout, axis) for i in (1, 2) if node.has(IN(i))}
    attrs = {"axis": perm.axis(layout.perm, axis)} if node.opset >= 13 else {}
    return node.move({0: layout, **inputs}, {0: layout}, attrs=attrs)


def parameter(node: Node, index: int, data: Layout, axis: int) -> Layout:
    """Layout of a scale or zero point of ``data``; a vector of several has one entry per element of ``axis``."""
    shape, order = node.shape(IN(index)), data.order(axis)
    if len(shape) > 1:
        return operand(node, index, data)[0]
    return Layout((0,), ((0, order),)) if order and shape not in ([], [1]) else lay.AS_IS


def dynamic(node: Node, layout: Layout) -> Move:
    """DynamicQuantizeLinear: the extremes of all elements give one scale and one zero point."""
    return node.move({0: layout}, {0: layout})


def on_inputs(inputs: Callable[[Node], tuple[int, ...]], rule: RuleFn) -> RuleFn:
    """``rule`` on the inputs that hold data; the others are scalars."""

    def moved(node: Node, *layouts: Layout) -> Move:
        data = [i for i in inputs(node) if node.has(IN(i))]
        move = rule(node.part(*data), *layouts)
        assert isinstance(move, Move)
        edits = {data[i]: edit for i, edit in move.edits.items()}
        ins, outs = dict(zip(data, move.inputs, strict=True)), dict(enumerate(move.outputs))
        return node.move(ins, outs, attrs=move.attrs, edits=edits)

    return moved


class Product(NamedTuple):
    """Which inputs of a quantised matrix product hold what: ``data`` and the parameters of rows and columns."""

    data: tuple[int, ...]
    rows: tuple[int, ...]  # of the left operand
    columns: tuple[int, ...]  # of the right operand
    results: tuple[int, ...] = ()  # one entry per row of the result
    bias: tuple[int, ...] = ()  # broadcast with the result


def product(roles: Product) -> Rule:
    """MatMul with quantised operands."""

    def rule(node: Node, left: Layout, result: Layout) -> Move:
        move = on_inputs(lambda _: roles.data, matmul)(node, left, result)
        inputs = dict(enumerate(move.inputs))
        rank, other = len(left.perm), node.rank(IN(roles.data[1]))
        right = lay.of_rank(inputs[roles.data[1]], other)
        inputs |= {i: parameter(node, i, left, rank - 2) for i in roles.rows if node.has(IN(i))}
        inputs |= {i: parameter(node, i, right, other - 1) for i in roles.columns if node.has(IN(i))}
        inputs |= {i: parameter(node, i, result, rank - 2) for i in roles.results if node.has(IN(i))}
        inputs |= {i: operand(node, i, result)[0] for i in roles.bias if node.has(IN(i))}
        return node.move(inputs, dict(enumerate(move.outputs)))

    return Rule(rule, (IN(0), OUT(0)), "matmul", roles=False)


register("QuantizeLinear DequantizeLinear", Rule(linear, (IN(0),), "quant"), since=10)
register("DynamicQuantizeLinear", Rule(dynamic, (IN(0),), "quant"), since=11)
register("QLinearConv ConvInteger", SPATIAL, since=10)
register("QLinearMatMul", product(Product((0, 3), (1, 2), (4, 5), results=(6, 7))), since=10)
register("MatMulInteger", product(Product((0, 1), (2,), (3,))), since=10)
