"""Names of nodes and values, and the order of nodes."""

import onnx
import pytest

from rewriter import rewrite
from tests.support.graphs import (
    conv,
    converted,
    dims,
    model,
    node,
    op_types,
    random,
)
from tests.support.small import IMAGE, KERNEL, NEGATION, every_direction


@every_direction
def test_nodes_without_names(to: str, dialect: str) -> None:
    nodes = [conv("x", "a"), node("Relu", ["a"], ["b"]), node("Neg", ["b"], ["c"]), conv("c", "y")]
    converted(model(nodes, {"x": IMAGE}, {"y": IMAGE}, KERNEL), to, dialect)


def test_nodes_of_the_same_name() -> None:
    """onnxruntime refuses the original, but it is valid."""
    nodes = [conv("x", "a", name="n"), node("Relu", ["a"], ["b"], "n"), conv("b", "y", name="n")]
    result = rewrite(model(nodes, {"x": IMAGE}, {"y": IMAGE}, KERNEL))
    onnx.checker.check_model(result.model, full_check=True)


def test_unsorted_nodes() -> None:
    """No runtime takes the original, but it is clear what it says."""
    nodes = [node("Relu", ["c"], ["y"]), conv("x", "c")]
    unsorted = model(nodes, {"x": IMAGE}, {"y": IMAGE}, KERNEL)
    result = rewrite(unsorted).model
    onnx.checker.check_model(result, full_check=True)
    assert op_types(result) == ["ConvNoBias_NHWC", "Relu"]


@every_direction
@pytest.mark.parametrize("name", ["/a/b", "a:0", "two words", "größe/图", "x_p0231", "%1", "a\"b'"])
def test_odd_names(to: str, dialect: str, name: str) -> None:
    ins, mid, out = f"{name}.in", f"{name}.mid", name
    nodes = [conv(ins, mid, f"{name}.w"), node("Odd op", [mid], [out], name, domain="my.domain")]
    nodes[1].op_type = "Negation"
    original = model(nodes, {ins: IMAGE}, {out: IMAGE}, {f"{name}.w": KERNEL["w"]}, domains=["my.domain"],
                     functions=[NEGATION])  # fmt: skip
    result = converted(original, to, dialect)
    assert {*dims(result.model.graph.input), *dims(result.model.graph.output)} == {ins, out}


@every_direction
def test_names_that_the_tool_would_choose_are_taken(to: str, dialect: str) -> None:
    """New values must not take the names of old ones."""
    nodes = [
        conv("x", "c"),
        node("Neg", ["c"], ["c_p0231"]),
        node("Abs", ["c_p0231"], ["x_p0231"]),
        node("Add", ["x_p0231", "x"], ["x_original"]),
        conv("x_original", "y", "w_p0231"),
        node("Mul", ["w", "w_p0231"], ["k"]),
    ]
    constants = {**KERNEL, "w_p0231": random(3, 3, 3, 3) + 1}
    converted(model(nodes, {"x": IMAGE}, {"y": IMAGE, "k": [3, 3, 3, 3]}, constants), to, dialect)
