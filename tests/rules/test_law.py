"""Every rule keeps the law in every layout that it accepts, and accepts exactly those that it must."""

from dataclasses import replace
from itertools import pairwise

import pytest

import passes.rules  # noqa: F401  (fills RULES)
from passes.dialects.base import Dialect
from passes.ir import control_flow as ports
from passes.layout import perm
from passes.layout.layout import arranged, permuted
from passes.layout.vector import reordered
from passes.refusal import Refusal
from passes.rules.move import IN, OUT
from passes.rules.node import Node
from passes.rules.norm import GROUP_DOMAIN
from passes.rules.rule import RULES
from tests.rules.accepts import accepts
from tests.rules.cases import CASES, X4, Case, W, case, ops
from tests.rules.law import (
    DIALECTS,
    FUNCTIONS,
    Bench,
    asked,
    bench,
    has_orders,
    moves_of,
    rule_of,
)
from tests.support.stages import to_graph

# ports: tests/pipeline/test_control.py, groups: tests/rules/test_groups.py
OPERATORS = {key: rows for key, rows in RULES.items() if key[0] not in (ports.DOMAIN, GROUP_DOMAIN)}
# operators whose rules take no orders of the elements along an axis
UNORDERED_OPS = set(
    ops(
        """CenterCropPad ConstantOfShape ConvInteger ConvTranspose DFT DeformConv DepthToSpace FusedConv GatherElements
        GlobalAveragePool GlobalLpPool GridSample GroupNormalization InstanceNormalization LRN MaxRoiPool MaxUnpool
        NonZero Pad QLinearAveragePool QLinearConv QLinearGlobalAveragePool Resize RoiAlign Scatter ScatterElements
        SkipLayerNormalization SkipSimplifiedLayerNormalization Slice SpaceToDepth Tile Upsample"""
    )
)


@pytest.mark.no_cover  # for the time that it would take
@pytest.mark.parametrize("row", CASES, ids=lambda row: row.label)
def test_every_move_keeps_the_law(row: Case) -> None:
    at = bench(row)
    for move in moves_of(at, rule_of(row)):
        at.hold(move)


@pytest.mark.no_cover
@pytest.mark.parametrize("row", [row for row in CASES if row.sized], ids=lambda row: row.label)
def test_every_move_keeps_the_law_if_no_size_is_known(row: Case) -> None:
    """With other data: ties, zeros, denormals, infinities, NaN."""
    at = Bench(row.dynamic(), edges=True)
    for move in moves_of(at, rule_of(row)):
        at.hold(move)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: f"{dialect.name}-{dialect.weight_layout}")
@pytest.mark.parametrize("row", CASES, ids=lambda row: row.label)
def test_rules_accept_what_they_must_and_nothing_else(row: Case, dialect: Dialect) -> None:
    at, rule = bench(row), rule_of(row)
    kind = row.accepts or ("spatial" if rule.image else "all")
    answers = at.answers(rule, dialect)
    moves = {at.perms(rule, slots): moves for slots, moves in answers.items() if not has_orders(slots)}
    tried = [perms for perms in moves if any(p != perm.identity(len(p)) for p in perms)]  # any rule may refuse that
    must = {perms for perms in tried if accepts(kind, row, perms, dialect)}
    assert {perms for perms in tried if moves[perms]} == must


def test_rules_take_orders_along_axes_where_they_can() -> None:
    taking = set()
    for row in CASES:
        answers = bench(row).answers(rule_of(row), FUNCTIONS)
        if any(moves and has_orders(pivots) for pivots, moves in answers.items()):
            taking.add(row.op)
    assert taking == {op for _, op in OPERATORS} - UNORDERED_OPS


@pytest.mark.parametrize("row", [row for row in CASES if rule_of(row).inverse], ids=lambda row: row.label)
def test_the_inverse_names_the_slot(row: Case) -> None:
    """``Rule.inverse`` answers for the other end of the node what the rule itself says."""
    at, rule = bench(row), rule_of(row)
    node, (pivot,) = at.node(FUNCTIONS), rule.slots_of(at.node(FUNCTIONS))
    other = OUT(0) if pivot == IN(0) else IN(0)
    for move in moves_of(at, rule):
        assert rule.inverse is not None
        named = rule.inverse(node, move.at(other))
        assert move.at(other) in [m.at(other) for layout in named for m in asked(rule, node, (layout,))]


def test_there_is_a_case_for_every_rule_and_a_rule_for_every_case() -> None:
    assert set(OPERATORS) == {(row.domain, row.op) for row in CASES}
    assert len({row.label for row in CASES}) == len(CASES)


@pytest.mark.parametrize(("domain", "op"), list(OPERATORS))
def test_there_is_a_case_for_every_range_of_opsets(domain: str, op: str) -> None:
    starts = [row.since for row in OPERATORS[domain, op]]
    opsets = [row.opset for row in CASES if (row.domain, row.op) == (domain, op)]
    for since, until in pairwise([*starts, 99]):
        assert any(since <= opset < until for opset in opsets), f"no case from opset {since} to {until - 1}"


def test_concat_joins_axis_1_by_default_before_opset_4() -> None:
    row = replace(case("Concat", 3, X4, (2, 11, 5, 7), axis=1, out=(2, 14, 5, 7)), attrs={})
    node = Node(to_graph(row.model()).nodes[0], 3, FUNCTIONS)
    assert asked(rule_of(row), node, (permuted((0, 2, 3, 1)),))[0].attrs == {"axis": 3}


def test_a_layout_that_cannot_exist_is_refused_in_one_place() -> None:
    """Whatever its rule would make of it."""
    row = case("Gemm", 13, (2, 11), W(11, 3))
    node = Node(bench(row).graph.nodes[0], row.opset, FUNCTIONS)
    of_210 = arranged((0, 1), {1: reordered((6, 35), (1, 0))})
    with pytest.raises(Refusal, match="cannot be stored"):
        rule_of(row).moves(node, of_210, permuted((0, 1)))
    with pytest.raises(Refusal, match="cannot be stored"):
        rule_of(row).moves(node, permuted((0, 2, 1)), permuted((0, 1)))
