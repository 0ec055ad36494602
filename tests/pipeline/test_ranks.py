"""Values of unknown rank: ranks are told where operators tell them; a false one is the model's fault."""

import numpy as np
import pytest
from onnx import ModelProto, NodeProto

from rewriter import UsageError, rewrite
from rewriter.shapes.infer import infer
from tests.support.graphs import BOOL, DIRECTIONS, INT64, conv, graph, model, node, random, value

KERNEL = {"w": random(3, 3, 3, 3)}
IMAGE = [1, 3, 5, 7]
LAST = [conv("u", "c"), node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1])]
QUANTISED = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["d"])]


def of_unknown_rank(nodes: list[NodeProto]) -> ModelProto:
    constants = {**KERNEL, "s": np.asarray(0.1, np.float32), "z": np.asarray(3, np.uint8)}
    return model(nodes, [value("x", None)], [value("y", None)], constants, domains=["odd"])


NODES = {
    "perm": [node("Transpose", ["x"], ["u"], perm=[0, 3, 1, 2]), *LAST],
    "scales": [*QUANTISED, node("Transpose", ["d"], ["u"], perm=[0, 3, 1, 2]), *LAST],
    "elementwise": [node("Relu", ["x"], ["r"]), node("Transpose", ["r"], ["u"], perm=[0, 3, 1, 2]), *LAST],
    "custom": [node("Odd", ["x"], ["o"], domain="odd"), node("Transpose", ["o"], ["u"], perm=[0, 3, 1, 2]), *LAST],
}


@pytest.mark.parametrize("nodes", NODES.values(), ids=NODES)
def test_transposes_vanish(nodes: list[NodeProto]) -> None:
    report = rewrite(of_unknown_rank(nodes), "nhwc").report
    assert report.transposes == (2, 0)
    assert report.remaining == []


def test_a_kernel_tells_the_rank_of_what_a_conv_reads_and_makes() -> None:
    report = rewrite(of_unknown_rank([conv("x", "y")]), "nhwc").report
    assert [(port.old_layout, port.new_layout) for port in (*report.inputs, *report.outputs)] == [("NCHW", "NHWC")] * 2


def test_pools_tell_ranks() -> None:
    pool = node("MaxPool", ["x"], ["m"], kernel_shape=[2, 2])
    report = rewrite(of_unknown_rank([pool, node("Softmax", ["m"], ["y"], axis=1)]), "nhwc").report
    assert report.inputs[0].new_layout == "NHWC"


def test_what_a_body_captures_may_have_another_rank_while_it_does_not_run() -> None:
    bodies = {
        "then_branch": graph([conv("x", "a")], {}, {"a": None}),
        "else_branch": graph([node("Relu", ["x"], ["r"]), node("Identity", ["r"], ["b"])], {}, {"b": None}),
    }
    a_model = model([node("If", ["flag"], ["y"], **bodies)], [value("x", None), value("flag", [], BOOL)],
                    [value("y", None)], KERNEL)  # fmt: skip
    values = infer(a_model)
    assert not values["x"].type.tensor_type.HasField("shape")
    assert not values["r"].type.tensor_type.HasField("shape")
    assert len(values["a"].type.tensor_type.shape.dim) == 4


def cases_of_other_ranks() -> dict[str, list[NodeProto]]:
    """An If, and a Loop that may make no trip, whose results have four axes or three."""
    squeeze = [node("ReduceMax", ["x"], ["b"], axes=[0], keepdims=0)]
    branches = {
        "then_branch": graph([node("Relu", ["x"], ["a"])], {}, {"a": None}),
        "else_branch": graph(squeeze, {}, {"b": None}),
    }
    trip = [node("Identity", ["go"], ["on"]), *squeeze]
    inputs = [value("i", [], INT64), value("go", [], BOOL), value("s", None)]
    body = graph(trip, inputs, [value("on", [], BOOL), value("b", None)])
    return {
        "If": [node("If", ["flag"], ["y"], **branches)],
        "Loop": [node("Cast", ["flag"], ["n"], to=INT64), node("Loop", ["n", "", "x"], ["y"], body=body)],
    }


@pytest.mark.parametrize("nodes", cases_of_other_ranks().values(), ids=cases_of_other_ranks())
@pytest.mark.parametrize("declared", [[5, 3, 7], [1, 5, 3, 7]])
def test_a_declared_rank_that_is_true_of_one_case_only(nodes: list[NodeProto], declared: list[int]) -> None:
    a_model = model(nodes, [value("x", [1, 5, 3, 7]), value("flag", [], BOOL)], {"y": declared})
    result = rewrite(a_model, "nhwc")
    assert [port.new_shape for port in result.outputs] == [None]
    assert [dim.dim_value for dim in result.model.graph.output[0].type.tensor_type.shape.dim] == declared
    with pytest.raises(UsageError, match="how many axes 'y' has is not known"):
        rewrite(a_model, "nhwc", layouts={"y": "nhwc"})


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
def test_a_declared_rank_that_is_false(to: str, dialect: str) -> None:
    """onnx has no inference for GroupNormalization; the false rank behind it is found all the same."""
    nodes = [
        conv("x", "c"),
        node("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]),
        node("Transpose", ["t"], ["u"], perm=[0, 3, 1, 2]),
        node("GroupNormalization", ["u", "s", "b"], ["y"], num_groups=3),
    ]
    constants = {**KERNEL, "s": random(3), "b": random(3)}
    a_model = model(nodes, {"x": IMAGE}, {"y": [1, 3, 5]}, constants, opset=21, ir=10)
    with pytest.raises(UsageError, match="output 'y' is declared with 3 axes, its operators give 4"):
        rewrite(a_model, to, dialect=dialect)
