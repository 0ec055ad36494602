"""Old and new files: opsets, forms of constants, element types, documentation."""

import numpy as np
import pytest
from onnx import ModelProto, SparseTensorProto, helper, numpy_helper

from rewriter import rewrite
from tests.support.graphs import (
    FLOAT,
    FLOAT16,
    INT64,
    Array,
    conv,
    converted,
    count,
    dims,
    ints,
    model,
    node,
    proven,
    random,
    value,
    weights,
)
from tests.support.small import IMAGE, KERNEL, every_direction

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


@pytest.mark.parametrize(
    ("ir", "constants", "dialect", "expected"),
    [(3, {}, "onnx", 3), (3, KERNEL, "onnx", 4), (3, KERNEL, "function", 8), (9, KERNEL, "function", 9)],
)
def test_the_ir_version_is_raised_only_where_it_must_be(
    ir: int, constants: dict[str, Array], dialect: str, expected: int
) -> None:
    """From 4 on constants need not be inputs as well; from 8 on there are functions."""
    original = model([conv("x", "y")], {"x": IMAGE, "w": [3, 3, 3, 3]}, {"y": IMAGE}, constants, ir=ir)
    assert converted(original, "nhwc", dialect).model.ir_version == expected


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
        one, other = numpy_helper.from_array(values, name), numpy_helper.from_array(indices, "at")
        return helper.make_sparse_tensor(one, other, array.shape)
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


def test_a_model_that_imports_no_standard_operators_gets_some_for_its_transposes() -> None:
    original = model([node("Gelu", ["x"], ["y"], domain="com.microsoft")], {"x": IMAGE}, {"y": IMAGE}, ir=10)
    del original.opset_import[:]
    original.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    result = converted(original, "nhwc", "onnx", layouts={"x": "nhwc", "y": "keep"})
    assert count(result.model) == 1
    assert {opset.domain: opset.version for opset in result.model.opset_import} == {"com.microsoft": 1, "": 17}


@every_direction
def test_what_is_noted_of_quantisation_stays(to: str, dialect: str) -> None:
    original = model([conv("x", "c"), node("Relu", ["c"], ["y"])], {"x": IMAGE}, {"y": IMAGE}, KERNEL)
    for name in ("x", "y"):
        note = original.graph.quantization_annotation.add(tensor_name=name)
        note.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="w")
    result = converted(original, to, dialect).model
    assert list(result.graph.quantization_annotation) == list(original.graph.quantization_annotation)
