"""The plan is the cheapest there is: of what is left when it is solved, nothing that can be enumerated is cheaper.

That nothing else could be cheaper is shown in ``test_oracle``.
"""

from collections.abc import Iterator, Mapping
from itertools import permutations, product
from math import inf, prod
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from onnx import ModelProto

import passes.rules  # noqa: F401  (fills the registry)
from passes import dialects
from passes.apply.push_transposes import push
from passes.dialects.base import Dialect
from passes.layout.layout import ANY, Layout, natural, permuted
from passes.plan.cost import runtime
from passes.plan.explain import explain
from passes.plan.flat_graph import FlatGraph
from passes.plan.milp import Dearer
from passes.plan.plan import Plan, Relayout, make_plan
from passes.plan.program import Program
from passes.plan.reduced import Reduced
from passes.rules.move import OUT, Move
from rewriter import rewrite
from tests.support.graphs import BOOL, conv, graph, model, node, random, value
from tests.support.growing import DOMAIN, grown, odd
from tests.support.makers import FEW
from tests.support.stages import normalized

STANDARD, FUNCTIONS = dialects.make("onnx"), dialects.make("function")
MOST = 2000  # assignments per graph
GRAPHS = 50  # per chunk
SOFTMAXES = {"Softmax", "LogSoftmax", "Hardmax"}

Layouts = Mapping[str, Layout]


def read(a_model: ModelProto) -> gs.Graph:
    return normalized(a_model)


def pinned(tensors: list[gs.Tensor], rng: np.random.Generator) -> dict[str, Layout]:
    """Every other value in a random layout."""
    every = {t.name: list(permutations(range(len(t.shape)))) for t in tensors}
    return {
        name: permuted(perms[int(rng.integers(len(perms)))]) if rng.integers(2) else natural(len(perms[0]))
        for name, perms in every.items()
    }


def bytes_moved(flat: FlatGraph, moves: tuple[Move, ...], tensors: Mapping[str, gs.Tensor], pins: Layouts,
                outputs: Layouts) -> float:  # fmt: skip
    """The price of an assignment: per value one Transpose for each order of the data that is not as it is stored."""
    stored, needed = dict(pins), {(name, layout) for name, layout in outputs.items()}
    for ruled, move in zip(flat.nodes, moves, strict=True):
        for slot in ruled.live:
            if slot.side == "out":
                stored[ruled.value(slot)] = move.at(slot)
            elif move.at(slot) != ANY:
                needed.add((ruled.value(slot), move.at(slot)))
    if any(layout.lengths() != stored[name].lengths() for name, layout in needed):
        return inf  # no Transpose changes the order of elements within an axis
    changed = {(name, axes(layout, tensors[name])) for name, layout in needed}
    changed -= {(name, axes(layout, tensors[name])) for name, layout in stored.items()}
    inside = sum(runtime("bytes").inside(ruled.node, move, {}) for ruled, move in zip(flat.nodes, moves, strict=True))
    return inside + sum(size(tensors[name]) for name, _ in changed)


def size(tensor: gs.Tensor) -> int:
    """Its bytes."""
    return int(np.dtype(tensor.dtype).itemsize * prod(tensor.shape))


def few(seed: int) -> ModelProto:
    """A graph of operators with few layouts each, of known shapes."""
    return grown(seed, 12, FEW, opset=17, style="shapes").model


def axes(layout: Layout, tensor: gs.Tensor) -> tuple[int, ...]:
    """Axes in stored order; those of size 1 may be anywhere."""
    return tuple(a for a in layout.axis_perm if tensor.shape[a] != 1)


def problems(chunk: int) -> Iterator[tuple[gs.Graph, dict[str, Layout], dict[str, Layout], Dialect]]:
    """Random graphs with random layouts at their ends."""
    for seed in range(3000 * chunk, 3000 * (chunk + 1)):
        graph, rng = read(few(seed)), np.random.default_rng(seed)
        yield graph, pinned(graph.inputs, rng), pinned(graph.outputs, rng), STANDARD if seed % 4 else FUNCTIONS


@pytest.mark.no_cover  # for the time that it would take
@pytest.mark.parametrize("chunk", range(8))
def test_the_plan_is_as_cheap_as_the_best_of_all_assignments(chunk: int) -> None:
    compared = 0
    for net, pins, outputs, dialect in problems(chunk):
        program = Program(net, {**pins, **outputs}, dialect)
        reduced = Reduced(program, {})
        if prod(map(len, reduced.rows)) > MOST:
            continue
        assignments = (tuple(reduced.chosen(keys)) for keys in product(*reduced.rows))
        least = min(bytes_moved(program.flat, moves, net.tensors(), pins, outputs) for moves in assignments)
        plan = make_plan(program)
        found_by_hand = bytes_moved(program.flat, tuple(plan.moves), net.tensors(), pins, outputs)
        assert plan.cost == plan.bound == found_by_hand == least
        compared += 1
        if compared == GRAPHS:
            return
    raise AssertionError(f"only {compared} graphs could be enumerated")


def planned(a_model: ModelProto, dialect: Any = STANDARD, **ends: Layout) -> Plan:
    """The plan where graph inputs and outputs are as they are, but for ``ends``."""
    graph = read(a_model)
    return make_plan(Program(graph, ends, dialect))


def summary(changes: list[Relayout]) -> list[tuple[str, int | None]]:
    return [(change.value, change.bytes) for change in changes]


IMAGE, NHWC = [1, 3, 5, 7], permuted((0, 2, 3, 1))
BYTES = 4 * 3 * 5 * 7


def test_a_transpose_is_paid_once_for_all_readers() -> None:
    """Three Convs, which standard ONNX defines channels-first, read one channels-last input."""
    branches = [conv("x", f"c{i}", f"w{i}") for i in range(3)]
    total = node("Sum", ["c0", "c1", "c2"], ["y"])
    kernels = {f"w{i}": random(3, 3, 3, 3) for i in range(3)}
    plan = planned(model([*branches, total], {"x": IMAGE}, {"y": IMAGE}, kernels), x=NHWC)
    assert summary(plan.relayouts) == [("x", BYTES)]
    assert len(plan.relayouts[0].readers) == 3


def test_two_layouts_of_the_same_bytes_are_paid_once() -> None:
    """``y`` and ``z`` are stored with the axis of size 1 in different places: a Transpose, and a Reshape of it."""
    nodes = [node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["z"])]
    made = model(nodes, {"x": IMAGE}, {"y": IMAGE, "z": IMAGE})
    plan = planned(made, y=permuted((0, 2, 3, 1)), z=permuted((2, 0, 3, 1)))
    assert [change.op for change in plan.relayouts].count("Transpose") == 1
    assert plan.bytes == BYTES


def test_constants_are_free() -> None:
    """A constant of any size is folded, however many layouts it is needed in."""
    nodes = [node("Add", ["x", "k"], ["a"]), node("Mul", ["a", "k"], ["y"]), node("Add", ["z", "k"], ["b"])]
    made = model(nodes, {"x": IMAGE, "z": IMAGE}, {"y": IMAGE, "b": IMAGE}, {"k": random(1, 3, 5, 7)})
    assert planned(made, x=NHWC, y=NHWC).relayouts == []


def test_an_edge_may_be_cheaper_than_the_whole() -> None:
    """A reduction makes the value small: the Transpose goes behind it."""
    nodes = [node("ReduceMax", ["x"], ["r"], axes=[2, 3]), node("Odd", ["r"], ["y"], domain=DOMAIN)]
    made = model(nodes, {"x": [2, 3, 5, 7]}, {"y": [2, 3, 1, 1]}, domains=[DOMAIN], functions=[odd(17)])
    assert summary(planned(made, x=permuted((1, 0, 2, 3))).relayouts) == [("r", 4 * 2 * 3)]


@pytest.mark.parametrize("seed", range(100))
def test_with_its_interface_kept_a_model_never_gets_worse(seed: int) -> None:
    original = few(seed)
    graph, result = read(original), rewrite(original, "nhwc", dialect="onnx", keep_io=True)
    assert result.plan.cost <= transposed_bytes(graph) + inside(graph)
    assert result.plan.bytes == transposed_bytes(push(graph, result.plan, {}).graph)


def transposed_bytes(graph: gs.Graph) -> int:
    return sum(size(node.outputs[0]) for node in graph.nodes if node.op == "Transpose")


def inside(graph: gs.Graph) -> int:
    """What the Softmaxes of the graph and their like move themselves: twice, if not along the last axis."""
    nodes = [ruled.node for ruled in FlatGraph(graph, STANDARD).nodes]
    along = [(at, at.attr("axis", -1) % at.rank(OUT(0))) for at in nodes if at.op in SOFTMAXES]
    return sum(2 * size(at.tensor(OUT(0))) for at, axis in along if axis != at.rank(OUT(0)) - 1)


def test_the_same_model_gets_the_same_plan() -> None:
    for net, pins, outputs, dialect in list(problems(0))[:20]:
        assert len({repr(make_plan(Program(net, {**pins, **outputs}, dialect))) for _ in range(3)}) == 1


def blamed(a_model: ModelProto, **ends: Layout) -> list[str]:
    """Who is said to need each of the Transposes."""
    return [change.blame.partition(":")[0] for change in planned(a_model, **ends).relayouts]


def test_the_node_without_a_rule_is_blamed() -> None:
    nodes = [node("Relu", ["x"], ["r"], "first"), node("Odd", ["r"], ["y"], "culprit", domain=DOMAIN)]
    made = model(nodes, {"x": IMAGE}, {"y": IMAGE}, domains=[DOMAIN], functions=[odd(17)])
    assert blamed(made, x=NHWC) == ["Odd 'culprit'"]


def test_the_node_behind_others_is_blamed() -> None:
    """The Conv refuses; the Relu and the Concat that stand before it would not."""
    nodes = [
        node("Concat", ["x", "x"], ["c"], "joins", axis=2),
        node("Relu", ["c"], ["r"], "passes"),
        node("Conv", ["r", "w"], ["y"], "refuses"),
    ]
    made = model(nodes, {"x": IMAGE}, {"y": [1, 3, 10, 7]}, {"w": random(3, 3, 1, 1)})
    assert blamed(made, x=NHWC) == ["Conv 'refuses'"]


def test_each_of_two_ways_is_blamed_on_who_stands_there() -> None:
    """Both begin with nodes that pass; what is found behind one value is not taken for what is behind the other."""
    nodes = [
        node("Relu", ["x"], ["r"], "passes"),
        node("Odd", ["r"], ["y"], "one", domain=DOMAIN),
        node("Neg", ["v"], ["n"], "passes_too"),
        node("Odd", ["n"], ["z"], "other", domain=DOMAIN),
    ]
    made = model(nodes, {"x": IMAGE, "v": IMAGE}, {"y": IMAGE, "z": IMAGE}, domains=[DOMAIN], functions=[odd(17)])
    assert blamed(made, x=NHWC, v=NHWC) == ["Odd 'one'", "Odd 'other'"]


def test_a_plan_that_must_not_cost_so_much_is_told_early() -> None:
    made = model([conv("x", "y")], {"x": IMAGE}, {"y": IMAGE}, {"w": random(3, 3, 3, 3)})
    program = Program(read(made), {"x": NHWC}, STANDARD)
    assert make_plan(program, at_most=BYTES).cost == BYTES
    for at_most in (BYTES - 1, BYTES / 2, 0):
        with pytest.raises(Dearer):
            make_plan(program, at_most=at_most)


def test_the_fixed_output_is_blamed() -> None:
    made = model([node("Relu", ["x"], ["y"], "passes")], {"x": IMAGE}, {"y": IMAGE})
    assert blamed(made, x=NHWC) == ["graph output 'y' has a fixed layout"]


def test_what_a_body_reads_is_paid_too() -> None:
    """The Conv's result is transposed before it doubles in size, as nobody but the bodies reads the double."""
    doubled = [2, 3, 5, 7]
    branches = {
        f"{name}_branch": graph([node(op, ["d"], [f"{op}_out"])], {}, {f"{op}_out": doubled})
        for name, op in (("then", "Relu"), ("else", "Neg"))
    }
    nodes = [conv("x", "c"), node("Concat", ["c", "c"], ["d"], axis=0), node("If", ["flag"], ["y"], **branches)]
    inputs = [value("x", IMAGE), value("flag", [], BOOL)]
    made = model(nodes, inputs, {"y": doubled}, {"w": random(3, 3, 3, 3)})
    assert summary(planned(made, FUNCTIONS, x=NHWC).relayouts) == [("c", BYTES)]


def test_an_alternative_costs_what_its_plan_would() -> None:
    """A Conv reads ``x`` channels-first anyway; a Relu that did so, too, would need a Transpose behind it."""
    nodes = [conv("x", "c"), node("Relu", ["x"], ["r"]), node("Neg", ["r"], ["y"])]
    graph = read(model(nodes, {"x": IMAGE}, {"c": None, "y": IMAGE}, {"w": random(3, 3, 3, 3)}))
    program = Program(graph, {"x": NHWC, "y": NHWC}, STANDARD)
    plan = make_plan(program)
    assert plan.bytes == BYTES
    found = explain(program, plan, "r")
    assert (found.made_by, found.stored) == ("Relu", NHWC)
    assert [(other.layout, other.cost) for other in found.alternatives] == [(natural(4), 2 * BYTES)]
    assert [(one.reader, one.needed, one.bytes) for one in found.readings] == [("Neg", NHWC, 0)]
    (conv_reads, _) = explain(program, plan, "x").readings
    assert (conv_reads.needed, conv_reads.bytes) == (natural(4), BYTES)
    assert "channels-first only" in conv_reads.reason


def test_an_alternative_that_no_rule_gives_has_its_reason() -> None:
    """The Relu would read the Conv's result channels-last; only the function dialect has a Conv that gives it so."""
    nodes = [conv("x", "c"), node("Relu", ["c"], ["y"])]
    graph = read(model(nodes, {"x": IMAGE}, {"y": IMAGE}, {"w": random(3, 3, 3, 3)}))
    program = Program(graph, {"y": NHWC}, STANDARD)
    (other,) = explain(program, make_plan(program), "c").alternatives
    assert (other.layout, other.cost) == (NHWC, None)
    assert other.reason == "standard ONNX defines Conv channels-first only"
