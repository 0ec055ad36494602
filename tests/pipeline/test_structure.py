"""Traps of graphs rather than of operators: sharing, names, old files, control flow, other types."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, SparseTensorProto, helper, numpy_helper

from rewriter import RewriteResult, rewrite
from tests.support.graphs import (
    BOOL,
    DIRECTIONS,
    FLOAT,
    FLOAT16,
    INT64,
    Array,
    conv,
    converted,
    count,
    dims,
    graph,
    ints,
    model,
    node,
    op_types,
    proven,
    random,
    value,
    weights,
)

IMAGE = [1, 3, 5, 7]
KERNEL = {"w": random(3, 3, 3, 3)}
NEGATION = helper.make_function(
    "my.domain", "Negation", ["x"], ["y"], [node("Neg", ["x"], ["y"])], [helper.make_opsetid("", 17)]
)

every_direction = pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)


def both(original: ModelProto, **options: Any) -> list[RewriteResult]:
    """To channels-last in both dialects."""
    return [converted(original, to, dialect, **options) for to, dialect in DIRECTIONS[:2]]


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


# Names and order


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
    assert op_types(result) == ["ConvNoBias", "Relu"]


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


# Old and new files


def classifier(opset: int) -> ModelProto:
    nodes = [
        conv("x", "a"),
        node("BatchNormalization", ["a", "scale", "bias", "mean", "var"], ["b"]),
        node("Relu", ["b"], ["c"]),
        node("MaxPool", ["c"], ["d"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["d"], ["e"]),
        node("Gemm", ["e", "gw", "gb"], ["y"]),
    ]
    constants = {
        "w": random(11, 3, 3, 3),
        **{name: random(11) for name in ("scale", "bias", "mean")},
        "var": np.abs(random(11)) + 1,
        "gw": random(11 * 2 * 3, 13),
        "gb": random(13),
    }
    return model(nodes, {"x": ["N", 3, 5, 7]}, {"y": ["N", 13]}, constants, opset=opset)


@every_direction
@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 21])
def test_opsets(opset: int, to: str, dialect: str) -> None:
    result = converted(classifier(opset), to, dialect)
    assert result.model.opset_import[0].version == opset
    assert count(result.model) == (1 if (to, dialect) == ("nhwc", "onnx") else 0)
    assert dims(result.model.graph.input) == {"x": ["N", 5, 7, 3] if to == "nhwc" else ["N", 3, 5, 7]}


@every_direction
def test_initializers_that_are_inputs_too(to: str, dialect: str) -> None:
    """IR version 3 wants it so."""
    original = classifier(9)
    original.ir_version = 3
    original.graph.input.extend(value(name, array.shape) for name, array in weights(original).items())
    result = converted(original, to, dialect)
    left = {name for name in dims(result.model.graph.input) if name not in weights(result.model)}
    assert left == {"x"}


@every_direction
def test_constant_nodes_as_weights(to: str, dialect: str) -> None:
    held = numpy_helper.from_array(KERNEL["w"], "anything")
    scale = node("Constant", [], ["k"], value_float=2.0)
    nodes = [node("Constant", [], ["w"], value=held), scale, conv("x", "c"), node("Mul", ["c", "k"], ["y"])]
    converted(model(nodes, {"x": IMAGE}, {"y": IMAGE}), to, dialect)


@every_direction
def test_dropout(to: str, dialect: str) -> None:
    nodes = [conv("x", "c"), node("Dropout", ["c"], ["d", "unread"]), conv("d", "y")]
    result = converted(model(nodes, {"x": IMAGE}, {"y": IMAGE}, KERNEL), to, dialect)
    assert count(result.model) == (2 if (to, dialect) == ("nhwc", "onnx") else 0)


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
    np.testing.assert_array_equal(weights(result.model)["k"], constants["k"])


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
    """It also is a function of the model's own, which stays."""
    nodes = [conv("x", "c"), node("Negation", ["c"], ["n"], "odd one", domain="my.domain"), conv("n", "y")]
    original = model(nodes, {"x": IMAGE}, {"y": IMAGE}, KERNEL, domains=["my.domain"], functions=[NEGATION])
    original.graph.value_info.append(value("n", IMAGE))
    result = converted(original, to, dialect)
    assert result.report.barriers == {"my.domain::Negation": 1}
    assert "Negation" in {function.name for function in result.model.functions}
    blamed = {change.blocked_by for change in result.report.remaining if "odd one" in change.blocked_by}
    assert bool(blamed) == ((to, dialect) == ("nhwc", "function"))


# Shapes


@every_direction
def test_a_value_of_unknown_rank(to: str, dialect: str) -> None:
    nodes = [conv("x", "c"), node("Reshape", ["c", "target"], ["r"]), node("Softmax", ["r"], ["s"]),
             node("Unsqueeze", ["s", "first"], ["y"])]  # fmt: skip
    target = value("target", (None,), INT64)
    constants = {**KERNEL, "first": ints(0)}
    a_model = model(nodes, [value("x", (2, 3, 5, 7)), target], [value("y", None)], constants)
    result = rewrite(a_model, to, dialect=dialect)
    assert [port.new_layout for port in result.outputs] == [None]


@every_direction
@pytest.mark.parametrize("target", [[0, -1], [-1, 3 * 35]])
def test_a_view_of_computed_sizes(target: list[int], to: str, dialect: str) -> None:
    """``x.view(x.size(0), -1)``, as exporters write it."""
    nodes = [
        conv("x", "c"),
        node("Shape", ["c"], ["s"]),
        node("Gather", ["s", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "first"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], axis=0),
        node("Reshape", ["c", "target"], ["f"]),
        node("MatMul", ["f", "m"], ["y"]),
    ]
    constants = {**KERNEL, "zero": np.asarray(0, dtype=np.int64), "first": ints(0), "rest": ints(-1),
                 "m": random(3 * 35, 4)}  # fmt: skip
    result = converted(model(nodes, {"x": ["N", 3, 5, 7]}, {"y": ["N", 4]}, constants), to, dialect)
    assert count(result.model) == (1 if (to, dialect) == ("nhwc", "onnx") else 0)


@every_direction
def test_sizes_are_read_in_the_original_order(to: str, dialect: str) -> None:
    nodes = [conv("x", "y"), node("Shape", ["y"], ["s"])]
    original = model(nodes, [value("x", ["N", 3, "H", "W"])], [value("y", None), value("s", [4], INT64)], KERNEL)
    converted(original, to, dialect)


@every_direction
@pytest.mark.parametrize("shape", [["N", 3, 5, 7], [1, 3, "H", "W"], ["N", 3, "H", "W"], [None, 3, None, None]])
def test_dynamic_dims(shape: list[int | str | None], to: str, dialect: str) -> None:
    nodes = [
        conv("x", "c"),
        node("GlobalAveragePool", ["c"], ["g"]),
        node("Mul", ["c", "g"], ["m"]),
        node("Concat", ["m", "x"], ["y"], axis=1),
    ]
    original = model(nodes, {"x": shape}, {"y": [shape[0], 6, *shape[2:]]}, KERNEL)
    result = converted(original, to, dialect)
    first = [shape[0], 6, *shape[2:]]
    assert dims(result.model.graph.output)["y"] == ([shape[0], *shape[2:], 6] if to == "nhwc" else first)


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


# Types


@every_direction
def test_float16(to: str, dialect: str) -> None:
    nodes = [conv("x", "c"), node("Relu", ["c"], ["r"]), node("MaxPool", ["r"], ["y"], kernel_shape=[2, 2])]
    ins, outs = [value("x", IMAGE, FLOAT16)], [value("y", [1, 3, 4, 6], FLOAT16)]
    result = converted(model(nodes, ins, outs, {"w": random(3, 3, 3, 3, dtype=np.float16)}), to, dialect)
    assert result.model.graph.initializer[0].data_type == FLOAT16


def sparse(name: str, array: Array, raw: bool, flat: bool) -> SparseTensorProto:
    """The elements that are not 0, in one of four spellings."""
    places = np.argwhere(array)
    at = np.flatnonzero(array) if flat else places
    values, indices = array[tuple(places.T)], at.astype(np.int64)
    if raw:
        return helper.make_sparse_tensor(*map(numpy_helper.from_array, (values, indices), (name, "at")), array.shape)
    return helper.make_sparse_tensor(
        helper.make_tensor(name, FLOAT, values.shape, values),
        helper.make_tensor("at", INT64, indices.shape, indices.ravel()),
        array.shape,
    )


@every_direction
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("flat", [False, True])
def test_sparse_initializers(to: str, dialect: str, raw: bool, flat: bool) -> None:
    """One that no layout touches stays sparse, one that is permuted becomes dense; onnx's checker refuses both."""
    nodes = [
        conv("x", "c"),
        node("Add", ["c", "k"], ["a"]),
        node("GlobalAveragePool", ["a"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("MatMul", ["f", "m"], ["y"]),
    ]
    original = model(nodes, {"x": IMAGE}, {"y": [1, 4]}, KERNEL)
    for name, array in (("k", random(1, 3, 5, 7)), ("m", random(3, 4))):
        original.graph.sparse_initializer.append(sparse(name, array * (array > 0), raw, flat))
    result = proven(original, to, dialect)
    left = [tensor.values.name for tensor in result.model.graph.sparse_initializer]
    assert left == (["m"] if dialect == "function" else ["k", "m"])


# What is not the graph's business


@every_direction
def test_documentation_and_metadata_stay(to: str, dialect: str) -> None:
    original = model([conv("x", "c"), node("Relu", ["c"], ["y"], "act")], {"x": IMAGE}, {"y": IMAGE}, KERNEL)
    original.producer_name, original.domain, original.model_version = "someone", "org.example", 7
    original.doc_string, original.graph.doc_string, original.graph.node[0].doc_string = "model", "graph", "node"
    original.graph.input[0].doc_string, original.graph.initializer[0].doc_string = "input", "weight"
    original.graph.node[0].name = "first"
    for holder in (original, original.graph, original.graph.node[0], original.graph.input[0]):
        holder.metadata_props.add(key="key", value="value")
    result = converted(original, to, dialect).model
    assert (result.producer_name, result.domain, result.model_version) == ("someone", "org.example", 7)
    found = {n.name: n for n in result.graph.node}["first"]
    texts = [part.doc_string for part in (result, result.graph, found, result.graph.input[0])]
    assert texts == ["model", "graph", "node", "input"]
    assert [tensor.doc_string for tensor in result.graph.initializer if tensor.name == "w"] == ["weight"]
    for holder in (result, result.graph, found, result.graph.input[0]):
        assert {"key": "value"}.items() <= {entry.key: entry.value for entry in holder.metadata_props}.items()


def test_a_sliced_dynamic_axis_has_another_size() -> None:
    """At opset 10 onnx infers the size that the axis had before."""
    nodes = [node("Slice", ["x", "one", "end"], ["s"]), node("Relu", ["s"], ["y"])]
    ends = {"one": ints(1, 1), "end": ints(99, -1)}
    a_model = model(nodes, {"x": ["n", "h", 5]}, {"y": None}, ends, opset=10)
    shape = dims(rewrite(a_model, "nchw").model.graph.value_info)["s"]
    assert shape[2] == 5
    assert not {"n", "h"} & set(shape)
