"""Attributes of functions in files: their calls have them all, so that onnx's evaluator runs such files as they are."""

from collections.abc import Callable
from copy import deepcopy
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import FunctionProto, ModelProto, NodeProto
from onnx.reference import ReferenceEvaluator

from passes import dialects
from passes.dialects.attributes import names_of, put
from passes.dialects.respell import unspell
from passes.ir.declared import every_node_proto
from rewriter import UsageError, rewrite
from rewriter.dialect_file import dialect_of
from tests.support.engines import disabled
from tests.support.graphs import COMMITTED, KINDS, conv, converted, model, node, op_types, random, weights
from tests.support.own_functions import own

Spoil = Callable[[ModelProto], None]
NETS = (
    *(COMMITTED[name] for name in ("keras_mobilenet_v2", "keras_conv3d", "torch_densenet", "torch_superres_legacy")),
    *(KINDS[name] for name in ("own_functions", "torch_dynamic", "torch_groupnorm", "torch_if", "torch_dcgan")),
)
IMAGE = {"x": (1, 3, 11, 7)}
KERNELS = {"w": random(5, 3, 3, 3), "v": random(5, 5, 3, 3), "u": random(5, 5, 1, 1)}


def calls(a_model: ModelProto, function: FunctionProto) -> list[NodeProto]:
    parts = (a_model.graph, *a_model.functions)
    every = (one for part in parts for one in every_node_proto(part))
    return [one for one in every if (one.domain, one.op_type) == (function.domain, function.name)]


def attributes(a_model: ModelProto) -> list[list[str]]:
    """Of the calls of functions, by name."""
    return [sorted(names_of([one])) for one in a_model.graph.node if one.domain]


def in_a_row(*nodes: NodeProto) -> ModelProto:
    """From x to y, by way of the names that nodes have there."""
    return model(list(nodes), IMAGE, {"y": None}, KERNELS)


@pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)
def test_onnx_runs_the_file(path: Path) -> None:
    """Without inlining its functions."""
    result = rewrite(path, "nhwc").model
    assert result.functions
    held = weights(result).keys()
    given = {v.name: v.type.tensor_type for v in result.graph.input if v.name not in held}
    shapes = {name: [dim.dim_value or 2 for dim in kind.shape.dim] for name, kind in given.items()}
    feeds = {name: random(*shape).astype(np.float32) for name, shape in shapes.items()}
    with np.errstate(all="ignore"):
        found = ReferenceEvaluator(result).run(None, feeds)
    for got, wanted in zip(found, disabled(result, feeds), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    for function in result.functions:
        assert all({*function.attribute} <= names_of([call]) for call in calls(result, function))
        assert {one.name for one in function.node} == {one.output[0] for one in function.node}


def test_calls_of_one_function_say_the_same() -> None:
    """The kernel's shape by the kernel, which is stored otherwise."""
    original = in_a_row(
        conv("x", "a", pads=[0, 1, 2, 3], kernel_shape=[3, 3]),
        conv("a", "b", "v", pads=None, strides=[2, 1], dilations=[1, 2]),
        conv("b", "y", "u", pads=None, group=1),
    )
    result = converted(original, "nhwc", "function").model
    assert attributes(result) == [["dilations", "group", "kernel_shape", "pads", "strides"]] * 3
    assert [*result.functions[0].attribute] == attributes(result)[0]
    last = {attr.name: onnx.helper.get_attribute_value(attr) for attr in result.graph.node[-1].attribute}
    assert last == {"dilations": [1, 1], "group": 1, "kernel_shape": [1, 1], "pads": [0] * 4, "strides": [1, 1]}
    assert not rewrite(result, "nhwc").report.changed
    back = converted(result, "nchw", "onnx").model
    assert op_types(back) == op_types(original)
    for name, kernel in KERNELS.items():
        np.testing.assert_array_equal(weights(back)[name], kernel)


def test_beside_auto_pad_no_pads_are_said() -> None:
    """Both of them onnxruntime and onnx refuse: the one reference stays that only onnxruntime drops."""
    nodes = [conv("x", "a"), conv("a", "b", "v", pads=None, auto_pad="SAME_UPPER"), node("MaxPool", ["b"], ["y"])]
    nodes[2].attribute.extend([onnx.helper.make_attribute("kernel_shape", [2, 3])])
    result = converted(in_a_row(*nodes), "nhwc", "function").model
    assert attributes(result) == [["auto_pad", "pads"], ["auto_pad"], ["kernel_shape"]]


def test_a_value_inside_a_function_is_no_other_of_that_name() -> None:
    """Inside, w is of a kernel of 1x1."""
    body = [node("Conv_NHWC", ["x", "w", "b"], ["y"], domain="rewriter.nhwc")]
    function = own("Inside", "xwb", "y", body, domains=["rewriter.nhwc"])
    nodes = [node("Conv_NHWC", ["x", "w", "b"], ["a"], domain="rewriter.nhwc", kernel_shape=[3, 3])]
    nodes += [node("Inside", ["a", "u", "b"], ["y"], domain=function.domain)]
    made = model(nodes, {"x": (1, 11, 7, 3)}, {"y": None}, {"w": random(5, 3, 3, 3)}, functions=[function])
    dialects.align_calls(made)
    assert not made.functions[0].node[0].attribute
    dialects.bring_functions(made)
    assert [one.name for one in made.functions] == ["Conv_NHWC", "Inside"]  # as onnx's evaluator wants them


def whole(made: ModelProto) -> None:
    """Functions with all attributes of their operators, as earlier versions wrote them."""
    for function in made.functions:
        old = dialects.meaning(function.domain, function.name, 17)
        assert old is not None
        for one in old.node:
            one.ClearField("name")
            put(one, reversed(one.attribute))
        old.attribute.sort(reverse=True)
        function.CopyFrom(old)


def undeclared(made: ModelProto) -> None:
    """onnxruntime would ignore the strides."""
    made.graph.node[-1].attribute.append(onnx.helper.make_attribute("strides", [2, 2]))


def default(made: ModelProto) -> None:
    made.functions[0].attribute_proto.append(onnx.helper.make_attribute("strides", [2, 2]))


def fixed(made: ModelProto) -> None:
    next(one for one in made.functions[0].node if one.op_type == "Conv").attribute.append(
        onnx.helper.make_attribute("strides", [2, 2])
    )


def crossed(made: ModelProto) -> None:
    """The pads are said to be those of another name, which the call has not."""
    body = next(one for one in made.functions[0].node if one.op_type == "Conv")
    body.attribute[0].ref_attr_name = "other"


def two_convs() -> ModelProto:
    original = in_a_row(conv("x", "a"), conv("a", "y", "v", pads=None))
    return rewrite(original, "nhwc").model


def test_functions_with_all_attributes_are_read() -> None:
    made = two_convs()
    whole(made)
    assert len(made.functions[0].attribute) > 5
    assert rewrite(made, "nchw").model.graph == rewrite(two_convs(), "nchw").model.graph


@pytest.mark.parametrize("spoils", [(undeclared,), *product([default, fixed, crossed], [whole, None])])
def test_what_is_said_otherwise_is_no_function_of_ours(spoils: tuple[Spoil | None, ...]) -> None:
    made = two_convs()
    for spoil in filter(None, reversed(spoils)):
        spoil(made)
    with pytest.raises(UsageError, match="is not what is meant by that name there"):
        rewrite(made, "nchw")


def test_functions_of_a_table(tmp_path: Path) -> None:
    """One row has the calls of two functions; a function that ignores what a call has is another."""
    words = tmp_path / "words.toml"
    words.write_text('name = "acme"\ndomain = "acme.npu"\nfunctions = true\n[nhwc.Conv]\nrename = { pads = "edges" }\n')
    nodes = [conv("x", "a"), node("Conv", ["a", "v", "b"], ["y"], strides=[2, 1])]
    original = model(nodes, IMAGE, {"y": None}, {**KERNELS, "b": random(5)})
    result = converted(original, "nhwc", str(words)).model
    assert attributes(result) == [["edges", "strides"]] * 2
    assert [[*one.attribute] for one in result.functions] == [["edges", "strides"]]
    spoilt = deepcopy(result)
    spoilt.graph.node[0].attribute.append(onnx.helper.make_attribute("group", 1))
    assert not unspell(spoilt, dialect_of(words))
    assert unspell(result, dialect_of(words))
