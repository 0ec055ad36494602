"""Quantised operators: the rules of the plain ones on their data, and what becomes of scales and zero points.

A scale or zero point is a scalar, a vector with one entry per element of an axis, or of the rank of its data.
"""

from collections.abc import Sequence
from typing import NamedTuple

from passes.rules.api import IN, OUT, VECTOR, Layout, Move, Node, Refusal, Rule, RuleFn, no_axes, register
from passes.rules.contraction import matmul_in_order
from passes.rules.elementwise import operand
from passes.rules.image import IMAGE

AXIS_SINCE = 13  # of QuantizeLinear and DequantizeLinear; before, these have one scale


def linear(node: Node, layout: Layout) -> Move:
    """QuantizeLinear and DequantizeLinear: per tensor, per element of an axis, or per block of elements along an axis.

    Blocks of what is computed stay: onnxruntime 1.31 fails on them next to a Transpose, such as a function may hold.
    Without blocks, a scale or zero point of unknown rank is a scalar or a vector along the axis.
    """
    if node.tensor(IN(1)).shape in ([], [1]) or not (node.domain or node.opset >= AXIS_SINCE):
        return node.move({0: layout}, {0: layout})
    axis, blocks = node.attr("axis", 1) % layout.rank, node.attr("block_size", 0)
    if blocks and not node.is_constant(0):
        raise Refusal(f"{node.op} in blocks next to a Transpose fails in onnxruntime")
    parameters = [IN(i) for i in (1, 2) if node.has(IN(i))]
    told = [slot for slot in parameters if blocks or node.known_rank(slot) is not None]
    if blocks or len(told) < len(parameters):
        layout.require_natural(axis)
    inputs = {slot.number: parameter(node, slot.number, layout, axis) for slot in told}
    return node.move({0: layout, **inputs}, {0: layout}, attrs={"axis": layout.place(axis)})


def parameter(node: Node, index: int, data: Layout, axis: int) -> Layout:
    """Layout of a scale or zero point of ``data``; a vector of several has one entry per element of ``axis``."""
    shape = node.shape(IN(index))
    if len(shape) == 1:
        return VECTOR if shape == [1] else data.along(axis)
    layout, missing = operand(node, index, data)
    if missing:
        raise Refusal(f"{node.op} has parameters of another rank than their data")
    return layout


def dynamic(node: Node, layout: Layout) -> Move:
    """DynamicQuantizeLinear: the extremes of all elements give one scale and one zero point."""
    return node.move({0: layout}, {0: layout})


def on(node: Node, data: Sequence[int], rule: RuleFn, *layouts: Layout) -> list[Move]:
    """``rule`` for the operator that reads the inputs ``data`` only; the others are scalars."""
    given = [i for i in data if node.has(IN(i))]
    moves = rule(node.part(*given), *layouts)
    return [
        node.move(
            dict(zip(given, move.inputs, strict=True)),
            dict(enumerate(move.outputs)),
            attrs=move.attrs,
            edits={given[i]: edit for i, edit in move.edits.items()},
        )
        for move in (moves if isinstance(moves, list) else [moves])
    ]


class Product(NamedTuple):
    """A matrix product with quantised operands: which of its inputs are what."""

    data: tuple[int, ...]
    rows: tuple[int, ...]  # parameters of the left operand
    columns: tuple[int, ...]  # parameters of the right operand
    results: tuple[int, ...] = ()  # parameters of the result
    bias: tuple[int, ...] = ()

    def rule(self, node: Node, left: Layout, result: Layout) -> Move:
        """MatMul; parameters follow the axis they have one entry per element of, a bias broadcasts."""
        (move,) = on(node, self.data, matmul_in_order, left, result)
        inputs, rank, other = dict(enumerate(move.inputs)), left.rank, node.rank(IN(self.data[1]))
        right = inputs[self.data[1]]
        for indices, data, axis in (
            (self.rows, left, rank - 2),
            (self.columns, right, other - 1),
            (self.results, result, rank - 2),
            (self.bias, result, rank - 1),
        ):
            inputs |= {i: parameter(node, i, data, axis) for i in indices if node.has(IN(i))}
        return node.move(inputs, dict(enumerate(move.outputs)))


def product(roles: Product) -> Rule:
    return Rule(roles.rule, (IN(0), OUT(0)), labels=no_axes)


LINEAR = Rule(linear)

register("QuantizeLinear DequantizeLinear", LINEAR, since=10)
register("DynamicQuantizeLinear", Rule(dynamic), since=11)
register("QLinearConv ConvInteger", IMAGE, since=10)
register("QLinearMatMul", product(Product((0, 3), (1, 2), (4, 5), (6, 7))), since=10)
register("MatMulInteger", product(Product((0, 1), (2,), (3,))), since=10)
