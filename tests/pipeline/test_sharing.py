"""Values that more than one reads, and several inputs and outputs."""

import numpy as np

from tests.support.graphs import (
    INT64,
    conv,
    converted,
    dims,
    ints,
    model,
    node,
    random,
    value,
    weights,
)
from tests.support.small import IMAGE, KERNEL, every_direction

# Sharing


@every_direction
def test_a_kernel_shared_by_two_convs(to: str, dialect: str) -> None:
    nodes = [conv("x", "a"), conv("a", "b"), node("Relu", ["b"], ["y"])]
    result = converted(model(nodes, {"x": IMAGE}, {"y": IMAGE}, KERNEL), to, dialect)
    assert list(weights(result.model)) == ["w"]


@every_direction
def test_a_kernel_that_another_operator_reads_too(to: str, dialect: str) -> None:
    """The Conv wants it permuted, the output ``k`` as it is."""
    nodes = [conv("x", "y"), node("Mul", ["w", "w"], ["k"])]
    result = converted(model(nodes, {"x": IMAGE}, {"y": IMAGE, "k": [3, 3, 3, 3]}, KERNEL), to, dialect)
    np.testing.assert_array_equal(weights(result.model)["w"], KERNEL["w"])


@every_direction
def test_a_constant_as_operand_of_both_layouts(to: str, dialect: str) -> None:
    nodes = [conv("x", "c"), node("Add", ["c", "k"], ["y"]), node("Add", ["z", "k"], ["u"])]
    constants = {**KERNEL, "k": random(1, 3, 5, 7)}
    converted(model(nodes, {"x": IMAGE, "z": IMAGE}, {"y": IMAGE, "u": IMAGE}, constants), to, dialect)


@every_direction
def test_a_constant_that_is_an_output(to: str, dialect: str) -> None:
    nodes = [conv("x", "c"), node("Add", ["c", "k"], ["y"])]
    constants = {**KERNEL, "k": random(1, 3, 5, 7)}
    converted(model(nodes, {"x": IMAGE}, {"y": IMAGE, "k": IMAGE}, constants), to, dialect)


# Outputs


@every_direction
def test_an_output_that_is_read_inside(to: str, dialect: str) -> None:
    nodes = [conv("x", "y"), node("Relu", ["y"], ["r"]), conv("r", "z")]
    converted(model(nodes, {"x": IMAGE}, {"y": IMAGE, "z": IMAGE}, KERNEL), to, dialect)


@every_direction
def test_an_input_that_is_an_output(to: str, dialect: str) -> None:
    original = model([conv("x", "y")], {"x": IMAGE}, {"x": IMAGE, "y": IMAGE}, KERNEL)
    result = converted(original, to, dialect)
    assert dims(result.model.graph.output)["x"] == dims(result.model.graph.input)["x"]


@every_direction
def test_one_value_under_two_output_names(to: str, dialect: str) -> None:
    nodes = [conv("x", "c"), node("Identity", ["c"], ["y"]), node("Identity", ["c"], ["z"])]
    converted(model(nodes, {"x": IMAGE}, {"y": IMAGE, "z": IMAGE}, KERNEL), to, dialect)


@every_direction
def test_outputs_of_one_value_in_two_layouts(to: str, dialect: str) -> None:
    nodes = [conv("x", "c"), node("Identity", ["c"], ["y"]), node("Identity", ["c"], ["z"])]
    original = model(nodes, {"x": IMAGE}, {"y": IMAGE, "z": IMAGE}, KERNEL)
    result = converted(original, to, dialect, layouts={"y": "nhwc", "z": "nchw"})
    assert dims(result.model.graph.output) == {"y": [1, 5, 7, 3], "z": IMAGE}


# Inputs


@every_direction
def test_an_image_and_token_ids(to: str, dialect: str) -> None:
    """Three axes are no image if no spatial operator ever sees them."""
    nodes = [
        conv("x", "c"),
        node("GlobalAveragePool", ["c"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gather", ["table", "tokens"], ["e"], axis=0),
        node("ReduceMean", ["e"], ["t"], axes=[1, 2], keepdims=0),
        node("Add", ["f", "t"], ["y"]),
    ]
    inputs = [value("x", IMAGE), value("tokens", [1, 4, 6], INT64)]
    result = converted(model(nodes, inputs, {"y": [1, 3]}, {**KERNEL, "table": random(5, 3)}), to, dialect)
    assert dims(result.model.graph.input) == {"x": [1, 5, 7, 3] if to == "nhwc" else IMAGE, "tokens": [1, 4, 6]}


@every_direction
def test_an_image_and_a_vector(to: str, dialect: str) -> None:
    """The vector has one entry per channel."""
    nodes = [
        conv("x", "c"),
        node("Unsqueeze", ["v", "last"], ["u"]),
        node("Mul", ["c", "u"], ["y"]),
    ]
    original = model(nodes, {"x": IMAGE, "v": [1, 3]}, {"y": IMAGE}, {**KERNEL, "last": ints(2, 3)})
    result = converted(original, to, dialect)
    assert dims(result.model.graph.input)["v"] == [1, 3]
    assert result.report.transposes[1] == (2 if (to, dialect) == ("nhwc", "onnx") else 0)
