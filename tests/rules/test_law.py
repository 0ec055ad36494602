"""The law, for every rule and every layout: ``f'(T_p(x)) == T_q(f(x))``.

A rule is asked through a graph of one node, with every perm of its pivots (and every order along axes of composite
size). Each Move is applied by the tool's own ``push``, as a plan in which graph inputs and outputs are stored the way
the move wants them, so that no Transpose is needed; original and moved model then run side by side.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise, permutations, product

import numpy as np
import onnx_graphsurgeon as gs
import pytest

import passes.rules  # noqa: F401  (fills RULES)
from passes import dialects
from passes.apply.push_transposes import push
from passes.dialects.base import Dialect
from passes.ir import control_flow as ports
from passes.layout import perm
from passes.layout.edit import Lookup, Take
from passes.layout.layout import ANY, VECTOR, Layout, arranged, permuted
from passes.layout.perm import Perm
from passes.layout.vector import joined, reordered
from passes.normalize import group_norm as groups
from passes.plan.plan import Plan
from passes.refusal import Refusal
from passes.rules.move import IN, OUT, Move
from passes.rules.node import Node
from passes.rules.registry import RULES, lookup
from passes.rules.rule import Rule, RuleFn
from rewriter.files.model_io import to_graph, to_model
from tests.rules.accepts import accepts
from tests.rules.cases import CASES, TOLERANCE, X4, Array, Case, P, W, case, ops
from tests.support.engines import Engine, disabled, reference

# ports: tests/pipeline/test_control.py, groups: tests/rules/test_groups.py
OPERATORS = {key: rows for key, rows in RULES.items() if key[0] not in (ports.DOMAIN, groups.DOMAIN)}
FUNCTIONS = dialects.make("function")
DIALECTS = (FUNCTIONS, dialects.make("function", weight_layout="hwio"), dialects.make("onnx"))

# Two oracles, each but for what it lacks or gets wrong (before the opset named)
EVER = 99
REFERENCE_LACKS = {
    "Softmax": 13, "LogSoftmax": 13, "Hardmax": 13,  # works along one axis as from opset 13 on
    "BatchNormalization": 14,  # opset 9: other numbers; opset 7: no result
    "Upsample": 9,  # does not know the attribute scales
    "Pad": EVER,  # no negative pads
    "ConvTranspose": EVER,  # fails with groups and dilations
    "MaxUnpool": EVER,  # indices are not those of output_shape
    "GlobalMaxPool": EVER,  # loses an axis of 1-D data
    "GlobalLpPool": EVER,  # missing
    "Resize": EVER,  # fails at opset 10; nearest_mode floor gives other numbers
    "GatherElements": EVER,  # wants as many indices as elements along the other axes
    "MaxRoiPool": EVER,  # missing
    "Scatter": EVER,  # missing
    "GridSample": EVER,  # loses attributes in a function
    "RoiAlign": EVER,  # fails in a function
    "Unique": EVER,  # with sorted=0 always joins slices along axis 0
    "LRN": EVER,  # other numbers
    "GroupNormalization": EVER,  # has no function without types
    "DequantizeLinear": 19,  # missing
    "QLinearConv": EVER,  # fails in a function
    "ConvInteger": EVER,  # fails in a function
}  # fmt: skip
RUNTIME_LACKS = {
    "Concat": 4,
    "QLinearMatMul": 21, "MatMulInteger": 13,  # no scale per row: those cases have an earlier opset
}  # fmt: skip

# operators whose rules take no orders of the elements along an axis
UNORDERED_OPS = set(
    ops(
        """CenterCropPad ConstantOfShape ConvInteger ConvTranspose DFT DeformConv DepthToSpace FusedConv GatherElements
        GlobalAveragePool GlobalLpPool GridSample GroupNormalization InstanceNormalization LRN MaxRoiPool MaxUnpool
        NonZero Pad QLinearAveragePool QLinearConv QLinearGlobalAveragePool Resize RoiAlign Scatter ScatterElements
        SkipLayerNormalization SkipSimplifiedLayerNormalization Slice SpaceToDepth Tile Unique Upsample"""
    )
)


class LawBroken(AssertionError):
    """A moved model does not give the moved result."""


def perms(rank: int) -> list[Perm]:
    """All, up to rank 4; then every sixth and the ones that matter."""
    every = list(permutations(range(rank)))
    usual = [perm.identity(rank), perm.channels_last(rank), perm.channels_first(rank)] if rank > 1 else []
    return every if rank < 5 else list(dict.fromkeys([*usual, *every[:: len(every) // 20]]))


def factors(size: int) -> tuple[int, ...]:
    least = next((d for d in range(2, size) if size % d == 0), 0)
    return (least, *factors(size // least)) if least else (size,)


def orders(dim: int | str | None) -> list[Layout]:
    """The original's order and, along an axis of composite size, others: of three factors no swap, one that keeps the
    outermost, one of two parts."""
    sizes = factors(dim) if isinstance(dim, int) and dim > 1 else ()
    if len(sizes) < 2:
        return [VECTOR]
    rotated = reordered(sizes, (*range(1, len(sizes)), 0))
    if len(sizes) < 3:
        return [VECTOR, rotated]
    part = dim // sizes[-2]
    parts = joined([(dim - part, reordered((sizes[0], (dim - part) // sizes[0]), (1, 0))), (part, VECTOR)])
    return [VECTOR, rotated, reordered(sizes, (0, *range(len(sizes) - 1, 0, -1))), parts]


def layouts(shape: list[int | str | None]) -> Iterator[Layout]:
    for p, along in product(perms(len(shape)), product(*map(orders, shape))):
        yield arranged(p, dict(enumerate(along)))


def asked(rule: Rule, node: Node, pivots: tuple[Layout, ...]) -> list[Move]:
    return rule.moves(node, *pivots)


class Bench:
    """One case: its model, graph and results; what its rule answers; and whether a Move keeps the law."""

    def __init__(self, row: Case) -> None:
        self.case, self.model = row, row.model()
        self.graph = to_graph(self.model)
        self.feeds = row.feeds()
        self.results = {oracle: oracle(self.model, self.feeds) for oracle in oracles(row)}

    def node(self, dialect: Dialect) -> Node:
        return Node(self.graph.nodes[0], self.graph.opset, dialect)

    def answers(self, rule: Rule, dialect: Dialect) -> dict[tuple[Layout, ...], list[Move]]:
        """The rule's moves for every layout of its pivots; an empty list is a refusal."""
        node = self.node(dialect)
        found: dict[tuple[Layout, ...], list[Move]] = {}
        for pivots in product(*(list(layouts(node.shape(slot))) for slot in rule.slots_of(node))):
            try:
                found[pivots] = asked(rule, node, pivots)
            except Refusal:
                found[pivots] = []
        return found

    def perms(self, rule: Rule, given: tuple[Layout, ...]) -> tuple[Perm, ...]:
        """The perms of the independent slots, without orders."""
        return tuple(layout.axis_perm for layout in given)

    def hold(self, move: Move) -> None:
        """Raise LawBroken unless the moved model gives the moved results for the moved inputs."""
        node = self.graph.nodes[0]
        stored = {t.name: at for t, at in zip(node.inputs, move.inputs, strict=False) if isinstance(t, gs.Variable)}
        stored = {name: at if at != ANY else some_layout(self.feeds[name]) for name, at in stored.items() if name}
        wanted = {t.name: at for t, at in zip(node.outputs, move.outputs, strict=True)}
        plan = Plan([move], {**stored, **wanted}, [], 0, 0.0, True)
        try:
            graph = push(self.graph, plan, {**stored, **wanted})
            model = to_model(graph, self.model)
            feeds = {name: stored[name].apply(value) for name, value in self.feeds.items()}
            results = {oracle: oracle(model, feeds) for oracle in self.results}
        except Exception as error:
            raise LawBroken(f"{move}\ndoes not run: {error}") from error
        assert results
        assert "Transpose" not in {n.op for n in graph.nodes}, "a move must not need Transposes"
        for oracle, found in results.items():
            for tensor, original, result in zip(graph.outputs, self.results[oracle], found, strict=True):
                expected = wanted[tensor.name].apply(original)
                self.equal(result, expected, move)
                self.declared(tensor, expected.shape)

    def equal(self, result: Array, expected: Array, move: Move) -> None:
        if result.shape != expected.shape or result.dtype != expected.dtype:
            raise LawBroken(f"{move}\ngives {result.dtype}{result.shape}, not {expected.dtype}{expected.shape}")
        if expected.dtype.kind in "fc":
            finite = np.abs(expected[np.isfinite(expected)])
            allowed = self.case.tolerance * finite.max(initial=0.0)
            same = np.allclose(result, expected, rtol=0.0, atol=allowed, equal_nan=True)
        else:
            same = np.array_equal(result, expected)
        if not same:
            raise LawBroken(f"{move}\ngives other numbers")

    @staticmethod
    def declared(tensor: gs.Tensor, shape: tuple[int, ...]) -> None:
        """The shape that the moved graph gives its output must be true."""
        said = shape if tensor.shape is None else tensor.shape
        known = [(a, b) for a, b in zip(said, shape, strict=False) if isinstance(a, int)]
        if len(said) != len(shape) or any(a != b for a, b in known):
            raise LawBroken(f"the shape is declared {said}, it is {shape}")


def some_layout(array: Array) -> Layout:
    return permuted(tuple(reversed(range(array.ndim))))


def oracles(row: Case) -> list[Engine]:
    known = not row.domain and row.opset >= REFERENCE_LACKS.get(row.op, 0)
    found: list[Engine] = [reference] if known else []
    return [*found, disabled] if row.opset >= RUNTIME_LACKS.get(row.op, 0) else found


def rule_of(row: Case) -> Rule:
    rule = lookup(row.domain, row.op, row.opset)
    assert rule is not None, f"there is no rule for {row.op} at opset {row.opset}"
    return rule


@cache
def bench(row: Case) -> Bench:
    return Bench(row)


def moves_of(at: Bench, rule: Rule) -> list[Move]:
    """Every different move in any dialect."""
    answers = (at.answers(rule, dialect).values() for dialect in DIALECTS)
    return list({repr(move): move for found in answers for moves in found for move in moves}.values())


def has_orders(layouts: Iterable[Layout]) -> bool:
    return any(layout.is_divided for layout in layouts)


@pytest.mark.parametrize("row", CASES, ids=lambda row: row.label)
def test_every_move_keeps_the_law(row: Case) -> None:
    at = bench(row)
    for move in moves_of(at, rule_of(row)):
        at.hold(move)


@pytest.mark.parametrize("row", [row for row in CASES if row.sized], ids=lambda row: row.label)
def test_every_move_keeps_the_law_if_no_size_is_known(row: Case) -> None:
    at = Bench(row.dynamic())
    for move in moves_of(at, rule_of(row)):
        at.hold(move)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: f"{dialect.name}-{dialect.weight_layout}")
@pytest.mark.parametrize("row", CASES, ids=lambda row: row.label)
def test_rules_accept_what_they_must_and_nothing_else(row: Case, dialect: Dialect) -> None:
    at, rule = bench(row), rule_of(row)
    kind = row.accepts or ("spatial" if rule.image or (row.op in ("Resize", "Upsample") and row.opset > 8) else "all")
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
    row = replace(case("Concat", 3, X4, (2, 11, 5, 7), axis=1), attrs={})
    node = Node(to_graph(row.model()).nodes[0], 3, FUNCTIONS)
    assert asked(rule_of(row), node, (permuted((0, 2, 3, 1)),))[0].attrs == {"axis": 3}


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
    return node.move({0: layout, 1: permuted((2, 3, 1, 0))}, {0: layout}, op="Conv", domain="rewriter.nhwc")


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
