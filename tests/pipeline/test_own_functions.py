"""The model's own functions: taken apart to be planned, and called as before where nothing inside has moved."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from onnx import FunctionProto, GraphProto, ModelProto

from passes.ir.constants import Stored
from passes.ir.declared import every_node_proto
from passes.ir.graph import every_node
from rewriter import rewrite
from rewriter.faults.find import refuse_broken
from tests.support.graphs import DIRECTIONS, conv, converted, node, proven, weights
from tests.support.own_functions import (
    MODELS,
    OWN,
    call,
    called_twice,
    constants_inside,
    conv_inside,
    dialect_inside,
    group_norm_inside,
    half_nested,
    needed_transpose,
    nested,
    net,
    overloads,
    own,
)
from tests.support.stages import to_graph

Make = Callable[[], ModelProto]
EVERY = pytest.mark.parametrize("make", [make for make, _ in MODELS])
RUNS = [(make, *mode, left) for make, row in MODELS for mode, left in zip(DIRECTIONS, row, strict=True)]


def own_functions(a_model: ModelProto) -> list[FunctionProto]:
    return [function for function in a_model.functions if function.domain == OWN]


def transposes(a_model: ModelProto) -> int:
    """In the main graph, in bodies, and once in each function of the model's own."""
    graphs: list[GraphProto | FunctionProto] = [a_model.graph, *own_functions(a_model)]
    return sum(n.op_type == "Transpose" for each in graphs for n in every_node_proto(each))


def calls(a_model: ModelProto) -> list[str]:
    return [n.op_type for n in every_node_proto(a_model.graph) if n.domain == OWN]


@pytest.mark.parametrize(("make", "to", "dialect", "left"), RUNS)
def test_conversion(make: Make, to: str, dialect: str, left: tuple[int, str]) -> None:
    original = make()
    result = converted(original, to, dialect).model
    assert (transposes(result), " ".join(calls(result))) == left
    before = [function.SerializeToString() for function in original.functions]
    assert all(function.SerializeToString() in before for function in own_functions(result))
    again = rewrite(result, to, dialect=dialect)
    assert not again.report.changed


@EVERY
def test_there_and_back(make: Make) -> None:
    original = make()
    there = rewrite(original, "nhwc").model
    back = converted(there, "nchw", "onnx").model
    if make is not dialect_inside:
        for name, array in weights(original).items():
            np.testing.assert_array_equal(weights(back).get(name, array), array)
    assert own_functions(back) == own_functions(there)
    assert transposes(back) == transposes(original) * (make is needed_transpose)


@EVERY
@pytest.mark.parametrize("seed", range(4))
def test_any_layout_at_the_ends(make: Make, seed: int) -> None:
    """As if the interface were stored in random layouts: some calls stay, some do not."""
    original, rng = make(), random.Random(seed)
    graph = to_graph(original)
    ranks = {t.name: len(t.shape) for t in (*graph.inputs, *graph.outputs)}
    axes = {name: [*"abcd"[:rank]] for name, rank in ranks.items() if rng.random() < 0.7}
    layouts = {name: f"{' '.join(a)} -> {' '.join(rng.sample(a, len(a)))}" for name, a in axes.items() if a}
    proven(original, *DIRECTIONS[seed % 3], layouts=layouts)


def test_a_model_in_which_nothing_moves_is_as_it_was() -> None:
    """Calls and functions byte for byte."""
    for make in (conv_inside, nested, half_nested, overloads, called_twice, group_norm_inside):
        original = make()
        result = rewrite(original, "nchw")
        assert not result.report.changed
        before, after = (
            [n.SerializeToString() for n in each.graph.node if n.domain == OWN] for each in (original, result.model)
        )
        assert before == after
        assert list(result.model.functions) == list(original.functions)


def test_functions_that_are_no_longer_called_go() -> None:
    """One that others, and one that nobody ever called, stay."""
    original = half_nested()
    unused = own("Unused", "xw", "y", [call("ConvRelu", ["x", "w"], ["y"])])
    assert [f.name for f in own_functions(rewrite(original, "nhwc").model)] == ["Rows"]
    original.functions.append(unused)
    assert [f.name for f in own_functions(rewrite(original, "nhwc").model)] == ["ConvRelu", "Rows", "Unused"]


def test_nodes_are_named_after_their_calls() -> None:
    result = rewrite(nested(), "nhwc", dialect="onnx", layouts={"y": "nhwc", "x": "nhwc"}, explain=["twice_y/t"])
    assert result.report.explained[0].made_by == "Relu 'twice_y/convrelu_t/Relu'"
    names = [n.name for n in rewrite(nested(), "nhwc").model.graph.node]
    assert names == [f"twice_y/convrelu_{value}/{op}" for value in "ty" for op in ("Conv", "Relu")]
    made = rewrite(needed_transpose(), "nhwc").report.remaining
    assert [one.value.partition("/")[0] for one in made] == ["turned_y"]


def test_a_function_in_another_version_is_a_barrier() -> None:
    """A Softmax before opset 13 is another operator than the model's. onnx finds that invalid, onnxruntime runs it."""
    function = own("Old", "x", "y", [node("Softmax", ["x"], ["y"], axis=1)], opset=12)
    made = net([conv(), call("Old", ["c"], ["y"])], [function])
    result = proven(made, "nhwc", "function")
    assert result.report.barriers == {"own::Old": 1}
    reason = "Old is written for version 12 of ai.onnx::Softmax, the model for 17"
    assert [one.blocked_by for one in result.report.remaining if reason in one.blocked_by]
    assert calls(result.model) == ["Old"]


def test_overloads_that_call_each_other_do_not_call_themselves() -> None:
    one = own("Act", "x", "y", [node("Relu", ["x"], ["y"])], overload="one")
    two = own("Act", "x", "y", [call("Act", ["x"], ["y"], "one")], overload="two")
    refuse_broken(net([call("Act", ["x"], ["y"], "two")], [one, two], ir=10))


def test_weights_are_not_copied() -> None:
    """Nodes inside read the file's own."""
    original = nested()
    held = [t._values for n in every_node(to_graph(original)) for t in n.inputs if t.name == "w"]
    assert len(held) == 2
    assert all(isinstance(values, Stored) and values.tensor is original.graph.initializer[0] for values in held)
    result = rewrite(constants_inside(), "nhwc").model
    assert [*weights(result)] == ["Held/k"]
