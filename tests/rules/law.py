"""The law: ``f'(T_p(x)) == T_q(f(x))``, for any case, rule and layout.

A rule is asked through a graph of one node, with every perm of its independent slots (and every order along axes of
composite size). Each Move is applied by the tool's own ``push``, as a plan in which graph inputs and outputs are stored
the way the move wants them, so that no Transpose is needed; original and moved model then run side by side.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import permutations, product

import numpy as np
import onnx_graphsurgeon as gs

import passes.rules  # noqa: F401  (fills RULES)
from passes import dialects
from passes.apply.push_transposes import push
from passes.dialects.base import Dialect
from passes.layout import perm
from passes.layout.layout import ANY, VECTOR, Layout, arranged, permuted
from passes.layout.perm import Perm
from passes.layout.vector import joined, reordered
from passes.plan.plan import Plan
from passes.refusal import Refusal
from passes.rules.move import Move
from passes.rules.node import Node
from passes.rules.rule import Rule, lookup
from tests.rules.cases import Array, Case
from tests.support.edges import NUMBERS_ONLY
from tests.support.engines import Engine, disabled, reference
from tests.support.stages import to_graph, to_model
from tests.support.words import words

FUNCTIONS = dialects.make("function")
HWIO = dialects.make("function", weight_layout="hwio")
DIALECTS = (FUNCTIONS, HWIO, dialects.make("onnx"), words("ihwo")())

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
    "Unique": EVER,  # with sorted=0 always joins slices along axis 0
    "LRN": EVER,  # other numbers
    "DequantizeLinear": 19,  # missing
}  # fmt: skip
RUNTIME_LACKS = {
    "Concat": 4,
    "QLinearMatMul": 21, "MatMulInteger": 13,  # no scale per row: those cases have an earlier opset
}  # fmt: skip

NAN_IS_PADDING = {"AveragePool"}  # to the reference, which leaves out the data's NaN, too; onnxruntime does not
DISTINCT_ONLY = {"Det"}  # with ties it is 0, and what an engine gives is rounding


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
    if not isinstance(dim, int) or len(sizes) < 2:
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

    def __init__(self, row: Case, edges: bool = False) -> None:
        self.case, self.model = row, row.model()
        self.graph = to_graph(self.model)
        edges = edges and row.op not in DISTINCT_ONLY
        self.feeds = row.at_edges(endless=row.op not in NUMBERS_ONLY) if edges else row.feeds()
        self.results = {oracle: oracle(self.model, self.feeds) for oracle in oracles(row, edges)}

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
        plan = Plan([move], {**stored, **wanted}, [], 0, 0.0, 0.0, True)
        try:
            graph = push(self.graph, plan, {**stored, **wanted}).graph
            model = to_model(graph)
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
        if expected.dtype.kind == "V":  # float8 and others that numpy lacks
            result, expected = result.astype(np.float32), expected.astype(np.float32)
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


def oracles(row: Case, edges: bool = False) -> list[Engine]:
    """The engines that are right about a case, or about its data at the edges."""
    known = not row.domain and row.opset >= REFERENCE_LACKS.get(row.op, 0)
    known &= not (edges and row.op in NAN_IS_PADDING)
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
