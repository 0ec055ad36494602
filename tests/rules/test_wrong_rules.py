"""The law catches wrong rules."""

from dataclasses import replace

import pytest

import passes.rules  # noqa: F401  (fills RULES)
from passes.layout import perm
from passes.layout.edit import Lookup, Take
from passes.layout.layout import Layout, permuted
from passes.refusal import Refusal
from passes.rules.move import IN, Move
from passes.rules.node import Node
from passes.rules.rule import RuleFn
from tests.rules.cases import TOLERANCE, X4, Case, P, W, case
from tests.rules.law import (
    Bench,
    LawBroken,
    has_orders,
    moves_of,
    rule_of,
)


def keeps_axis(node: Node, layout: Layout) -> Move:
    return node.move(dict.fromkeys(range(node.arity[0]), layout), {0: layout})


def moved_axis(node: Node, layout: Layout) -> Move:
    return replace(keeps_axis(node, layout), attrs={"axis": layout.perm[node.attr("axis")]})


def inverted_pads(node: Node, layout: Layout) -> Move:
    return node.move({0: layout}, {0: layout}, edits={1: Take(perm.reorder_pairs(perm.inverse(layout.perm)))})


def inverted_slice_axes(node: Node, layout: Layout) -> Move:
    return node.move({0: layout}, {0: layout}, edits={3: Lookup(layout.perm)})


def orderless_flatten(node: Node, layout: Layout) -> Move:
    return node.move({0: layout})


def orderless_gemm(node: Node, left: Layout, result: Layout) -> Move:
    return node.move({0: left}, {0: result})


def unaligned_operand(node: Node, layout: Layout) -> Move:
    small = permuted(perm.suffix(layout.perm, node.rank(IN(1))))
    return node.move({0: layout, 1: small}, {0: layout})


def wrong_kernel(node: Node, layout: Layout, result: Layout) -> Move:
    if {layout, result} != {permuted(perm.channels_last(4))}:
        raise Refusal("not of interest")
    return node.move({0: layout, 1: permuted((2, 3, 1, 0))}, {0: layout}, op="Conv_NHWC", domain="rewriter.nhwc")


def orderless_parameters(node: Node, layout: Layout) -> Move:
    return node.move({0: layout}, {0: layout}) if layout.axis_perm == (0, 1, 2, 3) else node.move()


def transposed_twice(node: Node, layout: Layout) -> Move:
    stored = perm.then(node.attr("perm"), layout.perm)
    return node.move({0: layout}, {0: permuted(stored)}, op="Identity", attrs={"perm": None})


def unsorted_shape(node: Node, layout: Layout) -> Move:
    return node.move({0: layout})


def inverted_shape(node: Node, layout: Layout) -> Move:
    return node.move({0: layout}, results={0: Take(layout.perm)})


def positions_in_another_order(node: Node, layout: Layout) -> Move:
    if not has_orders([layout]):
        raise Refusal("not of interest")
    return node.move({0: layout}, {0: replace_order(layout)}, attrs={"axis": layout.place(-1)})


def replace_order(layout: Layout) -> Layout:
    return layout.natural_along([layout.rank - 1])


WRONG = [
    (keeps_axis, case("Concat", 13, X4, (2, 11, 5, 7), axis=1)),
    (keeps_axis, case("ReduceMax", 11, X4, axes=[1, 2])),
    (moved_axis, case("Softmax", 13, X4, axis=1, data="unit", tolerance=TOLERANCE)),
    (inverted_pads, case("Pad", 11, X4, [0, 1, 2, 3, 4, 5, 6, 7])),
    (inverted_slice_axes, case("Slice", 13, X4, [1, 0], [2, 4], [1, 3])),
    (orderless_flatten, case("Flatten", 13, X4)),
    (orderless_gemm, case("Gemm", 13, (3, 30), W(30, 5))),
    (unaligned_operand, case("Add", 13, X4, (5, 7))),
    (wrong_kernel, case("Conv", 13, (1, 3, 7, 11), W(2, 3, 2, 3))),
    (wrong_kernel, case("Conv", 13, (1, 3, 7, 11), W(3, 3, 3, 3))),
    (orderless_parameters, case("BatchNormalization", 15, (2, 6, 5, 7), P(6), W(6), W(6), P(6))),
    (transposed_twice, case("Transpose", 13, X4, perm=[0, 2, 3, 1])),
    (unsorted_shape, case("Shape", 13, X4)),
    (inverted_shape, case("Shape", 13, X4)),
    (positions_in_another_order, case("ArgMax", 13, (2, 3, 6), axis=-1)),
]


@pytest.mark.parametrize(("wrong", "row"), WRONG, ids=lambda value: getattr(value, "__name__", None))
def test_a_wrong_rule_is_caught(wrong: RuleFn, row: Case) -> None:
    at, broken = Bench(row), 0
    for move in moves_of(at, replace(rule_of(row), fn=wrong)):
        try:
            at.hold(move)
        except LawBroken:
            broken += 1
    assert broken
