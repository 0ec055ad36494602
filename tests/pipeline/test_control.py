"""If, Loop and Scan: layouts pass into, through and out of their bodies."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import GraphProto, ModelProto, NodeProto, numpy_helper

import passes.rules  # noqa: F401  (fills the registry)
from passes import dialects
from passes.apply.push_transposes import push
from passes.apply.tidy import tidy
from passes.ir.declared import body_protos as bodies
from passes.ir.lint import lint
from passes.layout.layout import Layout, natural, permuted
from passes.plan.plan import make_plan
from passes.plan.program import Program
from rewriter import rewrite, validate
from tests.support.control import MODELS, ODD, Feeds, if_reads_outside, if_with_convs, loop_of_convs, odd_in_loop
from tests.support.engines import by_name
from tests.support.graphs import DIRECTIONS, Array
from tests.support.stages import normalized, to_model

Make = Callable[[], ModelProto]
RUNS = [
    pytest.param(make, feeds, to, dialect, expected, id=f"{make.__name__}-{to}-{dialect}")
    for make, feeds, counts in MODELS
    for (to, dialect), expected in zip(DIRECTIONS, counts, strict=True)
]
EVERY = pytest.mark.parametrize(
    ("make", "feeds"), [(make, feeds) for make, feeds, _ in MODELS], ids=lambda v: getattr(v, "__name__", "")
)


def graphs(graph: GraphProto) -> list[GraphProto]:
    return [graph, *(inner for node in graph.node for body in bodies(node) for inner in graphs(body))]


def nodes(model: ModelProto, *ops: str) -> list[NodeProto]:
    """Nodes of the main graph and of all bodies."""
    return [node for graph in graphs(model.graph) for node in graph.node if not ops or node.op_type in ops]


def constants(model: ModelProto) -> list[Array]:
    held = [numpy_helper.to_array(t) for graph in graphs(model.graph) for t in graph.initializer]
    return held + [numpy_helper.to_array(node.attribute[0].t) for node in nodes(model, "Constant")]


def weights(model: ModelProto) -> list[bytes]:
    return sorted({array.tobytes() for array in constants(model) if array.dtype == np.float32})


def runs(original: ModelProto, result: ModelProto, feeds: Feeds) -> None:
    if whole(original):
        onnx.checker.check_model(result, full_check=True)
    for inputs in feeds:
        verdict = validate(original, result, runs=2, providers=["cpu"], inputs=inputs)
        assert verdict.ok, verdict.providers[0].reason


@pytest.mark.parametrize(("make", "feeds", "to", "dialect", "expected"), RUNS)
def test_conversion(make: Make, feeds: Feeds, to: str, dialect: str, expected: int) -> None:
    original = make()
    before = original.SerializeToString(deterministic=True)
    result = rewrite(original, to, dialect=dialect)
    assert original.SerializeToString(deterministic=True) == before
    runs(original, result.model, feeds)
    assert len(nodes(result.model, "Transpose")) == expected
    again = rewrite(result.model, to, dialect=dialect)
    assert not again.report.changed


@EVERY
def test_there_and_back(make: Make, feeds: Feeds) -> None:
    original = make()
    back = rewrite(rewrite(original, "nhwc").model, "nchw")
    runs(original, back.model, feeds)
    assert weights(back.model) == weights(original)
    assert not back.model.functions


@EVERY
@pytest.mark.parametrize("dialect", dialects.DIALECTS)
@pytest.mark.parametrize("seed", range(6))
def test_any_layout_at_the_ends(make: Make, feeds: Feeds, dialect: str, seed: int) -> None:
    """As if the interface were stored in random layouts."""
    original, rng = make(), random.Random(seed)
    graph = normalized(original)
    pins = {t.name: some_layout(t.shape, rng) for t in graph.inputs}
    ends = {t.name: some_layout(t.shape, rng) for t in graph.outputs}
    plan = make_plan(Program(graph, {**pins, **ends}, dialects.make(dialect)))
    moved = push(graph, plan, {**pins, **ends}).graph
    lint(moved)
    tidied = tidy(moved)
    lint(tidied)
    result = to_model(tidied)
    for inputs in feeds:
        fed = {t.name: inputs.get(t.name, sample(t.shape)) for t in graph.inputs}
        expected = by_name(original, fed)
        found = by_name(result, {name: pins[name].apply(array) for name, array in fed.items()})
        for name, array in expected.items():
            wanted: Any = ends[name].apply(array)
            np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-4, err_msg=name)


def some_layout(shape: list[int] | None, rng: random.Random) -> Layout:
    return natural(None) if shape is None else permuted(tuple(rng.sample(range(len(shape)), len(shape))))


def sample(shape: list[int]) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_convs_in_branches_are_functions() -> None:
    result = rewrite(if_with_convs(), "nhwc").model
    assert [node.domain for node in nodes(result, "ConvNoBias_NHWC")] == ["rewriter.nhwc"] * 2
    assert [function.name for function in result.functions] == ["ConvNoBias_NHWC"]


def test_a_transpose_that_a_body_needs_is_made_outside() -> None:
    """Once, for all readers: the branch reads the image as the Conv outside does."""
    result = rewrite(if_reads_outside(), "nhwc", dialect="onnx").model
    assert not [node for graph in graphs(result.graph)[1:] for node in graph.node if node.op_type == "Transpose"]


def test_a_loop_is_kept_free_of_transposes() -> None:
    """One before and one behind it cost less than two in each turn."""
    result = rewrite(loop_of_convs(), "nhwc", dialect="onnx")
    assert [node.op_type for node in result.model.graph.node].count("Transpose") == len(
        nodes(result.model, "Transpose")
    )


def test_a_barrier_in_a_body_is_reported() -> None:
    report = rewrite(odd_in_loop(), "nhwc").report
    assert report.barriers == {ODD: 1}
    assert any("culprit" in change.blocked_by for change in report.remaining)


def test_what_no_pass_changed_is_as_in_the_file() -> None:
    """Names, doc strings and declared shapes in bodies; constants stay in the graph that held them."""
    original = loop_of_convs()
    original.graph.node[0].doc_string = "a loop"
    body = bodies(original.graph.node[0])[0]
    body.doc_string, body.node[1].doc_string, body.input[2].doc_string = "a body", "a node", "a state"
    result = rewrite(original, "nchw").model
    found = bodies(result.graph.node[0])[0]
    assert result.graph.node[0].doc_string == "a loop"
    assert (found.name, found.doc_string) == (body.name, "a body")
    assert (list(found.input), list(found.output)) == (list(body.input), list(body.output))
    assert list(map(outline, found.node)) == list(map(outline, body.node))
    assert list(found.initializer) == list(body.initializer)
    assert not result.graph.initializer


def outline(node: NodeProto) -> tuple[object, ...]:
    return node.op_type, node.doc_string, list(node.input), list(node.output), list(node.attribute)


def whole(model: ModelProto) -> bool:
    """Whether onnx's checker takes the model; it does not where a rank is unknown."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.checker.ValidationError:
        return False
    return True
