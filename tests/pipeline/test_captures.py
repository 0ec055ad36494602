"""Bodies that read values from outside, and operators without a rule."""

from typing import Any

import numpy as np
from onnx import NodeProto, numpy_helper

from tests.support.graphs import (
    BOOL,
    INT64,
    conv,
    converted,
    dims,
    graph,
    model,
    node,
    random,
    value,
    weights,
)
from tests.support.small import IMAGE, KERNEL, every_direction

# Control flow


def relu_or_neg(captured: str) -> dict[str, Any]:
    """The branches of an If; both read a value of the graph around them."""
    bodies = {}
    for name, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        bodies[name] = graph([node(op, [captured], [f"{op}_out"])], {}, {f"{op}_out": IMAGE})
    return bodies


@every_direction
def test_an_if_that_reads_a_value_from_outside(to: str, dialect: str) -> None:
    """Its bodies see the value as it was; all around is channels-last."""
    nodes = [
        conv("x", "c"),
        node("Relu", ["c"], ["r"]),
        node("If", ["flag"], ["i"], **relu_or_neg("r")),
        node("Add", ["i", "r"], ["a"]),
        conv("a", "y"),
    ]
    inputs = [value("x", IMAGE), value("flag", [], BOOL)]
    result = converted(model(nodes, inputs, {"y": IMAGE}, KERNEL), to, dialect)
    assert dims(result.model.graph.output)["y"] == ([1, 5, 7, 3] if to == "nhwc" else IMAGE)


@every_direction
def test_an_if_that_reads_a_graph_input(to: str, dialect: str) -> None:
    nodes = [conv("x", "c"), node("If", ["flag"], ["i"], **relu_or_neg("x")), node("Add", ["i", "c"], ["y"])]
    inputs = [value("x", IMAGE), value("flag", [], BOOL)]
    converted(model(nodes, inputs, {"y": IMAGE}, KERNEL), to, dialect)


@every_direction
def test_an_if_that_reads_an_output(to: str, dialect: str) -> None:
    nodes = [conv("x", "y"), node("If", ["flag"], ["i"], **relu_or_neg("y"))]
    inputs = [value("x", IMAGE), value("flag", [], BOOL)]
    converted(model(nodes, inputs, {"y": IMAGE, "i": IMAGE}, KERNEL), to, dialect)


@every_direction
def test_an_if_inside_an_if(to: str, dialect: str) -> None:
    inner = node("If", ["flag"], ["inner_out"], **relu_or_neg("c"))
    outer = {
        "then_branch": graph([inner], {}, {"inner_out": IMAGE}),
        "else_branch": graph([node("Abs", ["c"], ["abs_out"])], {}, {"abs_out": IMAGE}),
    }
    nodes = [conv("x", "c"), node("If", ["flag"], ["i"], **outer), conv("i", "y")]
    converted(model(nodes, [value("x", IMAGE), value("flag", [], BOOL)], {"y": IMAGE}, KERNEL), to, dialect)


def adding_loop(captured: str) -> NodeProto:
    """Adds a value from outside to its state three times."""
    body = graph(
        [node("Add", ["state", captured], ["next"]), node("Identity", ["go"], ["go_on"])],
        [value("i", [], INT64), value("go", [], BOOL), value("state", IMAGE)],
        [value("go_on", [], BOOL), value("next", IMAGE)],
    )
    return node("Loop", ["times", "", "c"], ["l"], body=body)


@every_direction
def test_a_loop_that_reads_a_value_from_outside(to: str, dialect: str) -> None:
    nodes = [conv("x", "c"), node("Relu", ["c"], ["r"]), adding_loop("r"), conv("l", "y")]
    constants = {**KERNEL, "times": np.asarray(3, dtype=np.int64)}
    converted(model(nodes, {"x": IMAGE}, {"y": IMAGE}, constants), to, dialect)


@every_direction
def test_a_constant_that_only_a_body_reads(to: str, dialect: str) -> None:
    constants = {**KERNEL, "times": np.asarray(3, dtype=np.int64), "k": random(1, 3, 5, 7)}
    original = model([conv("x", "c"), adding_loop("k"), conv("l", "y")], {"x": IMAGE}, {"y": IMAGE}, constants)
    result = converted(original, to, dialect)
    k = constants["k"].transpose(0, 2, 3, 1) if (to, dialect) == ("nhwc", "function") else constants["k"]
    np.testing.assert_array_equal(weights(result.model)["k"], k)


@every_direction
def test_a_constant_of_a_body_stays_there(to: str, dialect: str) -> None:
    bodies = relu_or_neg("c")
    adding = graph([node("Add", ["c", "k"], ["sum"])], {}, {"sum": IMAGE}, {"k": random(1, 3, 5, 7)})
    nodes = [conv("x", "c"), node("If", ["flag"], ["i"], **{**bodies, "else_branch": adding}), conv("i", "y")]
    inputs = [value("x", IMAGE), value("flag", [], BOOL)]
    result = converted(model(nodes, inputs, {"y": IMAGE}, KERNEL), to, dialect).model
    assert "k" not in weights(result)


@every_direction
def test_a_kernel_that_a_body_reads_too(to: str, dialect: str) -> None:
    branches = {}
    for name, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        branches[name] = graph([node(op, ["w"], [f"{op}_out"])], {}, {f"{op}_out": [3, 3, 3, 3]})
    nodes = [conv("x", "y"), node("If", ["flag"], ["k"], **branches)]
    inputs = [value("x", IMAGE), value("flag", [], BOOL)]
    converted(model(nodes, inputs, {"y": IMAGE, "k": [3, 3, 3, 3]}, KERNEL), to, dialect)


@every_direction
def test_a_constant_node_that_a_body_reads(to: str, dialect: str) -> None:
    held = node("Constant", [], ["k"], value=numpy_helper.from_array(random(1, 3, 5, 7)))
    constants = {**KERNEL, "times": np.asarray(3, dtype=np.int64)}
    original = model([held, conv("x", "c"), adding_loop("k"), conv("l", "y")], {"x": IMAGE}, {"y": IMAGE}, constants)
    converted(original, to, dialect)


# Operators without a rule


@every_direction
def test_a_custom_operator_is_a_barrier(to: str, dialect: str) -> None:
    nodes = [conv("x", "c"), node("Trilu", ["c"], ["n"], "odd one", domain="com.microsoft"), conv("n", "y")]
    original = model(nodes, {"x": IMAGE}, {"y": IMAGE}, KERNEL, domains=["com.microsoft"])
    original.graph.value_info.append(value("n", IMAGE))
    result = converted(original, to, dialect)
    assert result.report.barriers == {"com.microsoft::Trilu": 1}
    blamed = {change.blocked_by for change in result.report.remaining if "odd one" in change.blocked_by}
    assert bool(blamed) == ((to, dialect) == ("nhwc", "function"))
