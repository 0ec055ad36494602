"""Structural verification catches planted faults, and names the pass and the node."""

from collections.abc import Callable
from typing import Any

import onnx_graphsurgeon as gs
import pytest
from onnx import ModelProto

from passes.ir.graph import assemble
from passes.ir.lint import LintError, lint
from passes.pipeline import PASSES, Pass, Work
from rewriter import VerificationError, pipeline, rewrite
from rewriter.shapes.check import onnx_fault, verify_model
from tests.support.graphs import COMMITTED, conv, dims, model, node, random, value
from tests.support.stages import to_graph

IMAGE = [1, 3, 5, 7]


def net() -> ModelProto:
    nodes = [conv("x", "c"), node("Relu", ["c"], ["r"], "act"), node("Add", ["r", "k"], ["y"], "sum")]
    return model(nodes, {"x": IMAGE}, {"y": IMAGE}, {"w": random(3, 3, 3, 3), "k": random(3, 1, 1)})


def dangling(g: gs.Graph) -> None:
    g.nodes[1].inputs[0] = gs.Variable("nowhere")


def made_twice(g: gs.Graph) -> None:
    g.nodes[2].outputs[0].name = "r"


def makes_an_input(g: gs.Graph) -> None:
    g.nodes[1].outputs[0].name = "x"


def unsorted(g: gs.Graph) -> None:
    g.nodes[1], g.nodes[2] = g.nodes[2], g.nodes[1]


def constant_and_computed(g: gs.Graph) -> None:
    g.nodes[2].inputs[1].name = "c"


FAULTS = [
    (dangling, "Relu 'act' reads 'nowhere' before any node makes it"),
    (made_twice, "'r' is made twice, again by Add 'sum'"),
    (makes_an_input, "'x' is made twice, again by Relu 'act'"),
    (unsorted, "Add 'sum' reads 'r' before any node makes it"),
    (constant_and_computed, "'c' is both a constant and computed"),
]


@pytest.mark.parametrize(("fault", "message"), FAULTS, ids=lambda item: getattr(item, "__name__", ""))
def test_a_faulty_graph_is_named(fault: Callable[[gs.Graph], None], message: str) -> None:
    graph = to_graph(net())
    lint(graph)
    fault(graph)
    with pytest.raises(LintError) as caught:
        lint(graph)
    assert str(caught.value) == message


def wrong_shape(m: ModelProto) -> None:
    m.graph.value_info.append(value("r", [1, 5, 7, 3]))


def wrong_perm(m: ModelProto) -> None:
    """What a forgotten Transpose leaves: the Conv reads NHWC."""
    m.graph.input[0].CopyFrom(value("x", [1, 5, 7, 3]))


def unknown_operator(m: ModelProto) -> None:
    m.graph.node[1].op_type = "Rolu"


def missing_function(m: ModelProto) -> None:
    m.graph.node[1].domain = "rewriter.nhwc"


def renamed_output(m: ModelProto) -> None:
    m.graph.node[2].output[0] = m.graph.output[0].name = "z"


def lost_output(m: ModelProto) -> None:
    del m.graph.output[:]
    m.graph.output.append(value("r", IMAGE))


def symbolic_input(m: ModelProto) -> None:
    m.graph.input[0].CopyFrom(value("x", ["N", 3, 5, 7]))


MODEL_FAULTS = [
    (wrong_shape, "node name: act"),
    (wrong_perm, "not valid"),
    (unknown_operator, "Rolu"),
    (missing_function, "rewriter.nhwc"),
    (renamed_output, r"the rewritten model's outputs are \['z'\], not \['y'\]"),
    (lost_output, r"the rewritten model's outputs are \['r'\], not \['y'\]"),
    (symbolic_input, r"input 'x' has shape \['N', 3, 5, 7\], the contract says \[1, 3, 5, 7\]"),
]


@pytest.mark.parametrize(("fault", "message"), MODEL_FAULTS, ids=lambda item: getattr(item, "__name__", ""))
def test_a_faulty_model_is_named(fault: Callable[[ModelProto], None], message: str) -> None:
    faulty = net()
    contract = dims(faulty.graph.input), dims(faulty.graph.output)
    verify_model(faulty, *contract)
    fault(faulty)
    with pytest.raises(VerificationError, match=message):
        verify_model(faulty, *contract)


def test_faults_of_the_original_are_not_held_against_the_result() -> None:
    faulty = net()
    wrong_shape(faulty)
    assert onnx_fault(faulty)
    verify_model(faulty, {"x": IMAGE}, {"y": IMAGE}, original=faulty)


def test_faults_are_seen_behind_outputs_without_shapes() -> None:
    """Which onnx's checker calls a fault itself: the original's would excuse all of the result's."""
    original, faulty = net(), net()
    unknown_operator(faulty)
    for one in (original, faulty):
        one.graph.output[0].CopyFrom(value("y", None))
    verify_model(original, {"x": IMAGE}, {"y": None})
    with pytest.raises(VerificationError, match="Rolu"):
        verify_model(faulty, {"x": IMAGE}, {"y": None}, original=original)


def forgets_a_node(graph: gs.Graph) -> gs.Graph:
    return assemble(graph, graph.nodes[:3] + graph.nodes[4:], graph.inputs, graph.outputs)


def turns_around(graph: gs.Graph) -> gs.Graph:
    return assemble(graph, graph.nodes[::-1], graph.inputs, graph.outputs)


def wrong(culprit: str, breaks: Callable[[gs.Graph], gs.Graph]) -> tuple[Pass, ...]:
    """The passes, one of which leaves a graph broken."""

    def broken(right: Pass) -> Pass:
        def run(work: Work) -> Any:
            given = right.run(work)
            if right.gives == "graph":
                return breaks(given)
            if right.gives in ("with_frames", "planned", "pushed"):
                return given._replace(graph=breaks(given.graph))
            work.graph = breaks(work.graph)
            return given

        return right._replace(run=run)

    return tuple(broken(one) if one.name == culprit else one for one in PASSES)


@pytest.mark.parametrize("breaks", [forgets_a_node, turns_around])
@pytest.mark.parametrize("culprit", [one.name for one in PASSES[1:]])
def test_the_culprit_pass_is_named(
    culprit: str, breaks: Callable[[gs.Graph], gs.Graph], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "PASSES", wrong(culprit, breaks))
    with pytest.raises(VerificationError, match=f"after pass {culprit}: .* reads .* before any node makes it"):
        rewrite(COMMITTED["torch_resnet"])


def test_names_that_a_pass_gives_twice_are_blamed_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def same_name(graph: gs.Graph) -> gs.Graph:
        graph.nodes[2].outputs[0].name = graph.nodes[1].outputs[0].name
        return graph

    monkeypatch.setattr(pipeline, "PASSES", wrong("unique_names", same_name))
    with pytest.raises(VerificationError, match=r"after pass unique_names: .* is made twice"):
        rewrite(COMMITTED["torch_resnet"])


def test_a_push_that_does_nothing_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = tuple(one for one in PASSES if one.name != "push_transposes")
    monkeypatch.setattr(pipeline, "PASSES", passes)
    with pytest.raises(VerificationError, match=r"input 'input' has shape .* the contract says"):
        rewrite(COMMITTED["torch_resnet"])


def test_every_pass_is_timed() -> None:
    seconds = rewrite(COMMITTED["torch_resnet"]).report.seconds
    assert [f"{one.stage}/{one.name}" for one in PASSES] == [name for name in seconds if "/" in name][1:]
