"""Where two models part: the first value that differs though what it is made of agrees."""

from itertools import pairwise
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper

from passes.layout.layout import permuted
from rewriter import CouldNotValidate, rewrite
from rewriter.validation import locate as module
from rewriter.validation.inputs import InputRequest
from rewriter.validation.layouts import of_perms
from rewriter.validation.locate import ELSEWHERE, IN_ANOTHER_ORDER, IN_FLOAT32, TRIED, locate
from rewriter.validation.located import Search
from tests.support.float16 import in_float16
from tests.support.graphs import COMMITTED, KINDS, conv, ints, model, node, random, value
from tests.support.planting import Plant, changed, exchanged, missing, nodes, upside_down, with_attribute, with_operands

ONE = InputRequest(1, 0, {}, {})


def planted(original: ModelProto, *plants: Plant, **options: Any) -> tuple[Search, Search]:
    """Rewritten, spoilt and searched: by what the rewrite tells of layouts, and by trying."""
    result = rewrite(original, **options)
    for plant in plants:
        plant(result.model)
    layouts = of_perms(result.layouts)
    told = locate(original, result.model, ONE, layouts=layouts, values=result.stored)
    return told, locate(original, result.model, ONE)


def place(search: Search) -> tuple[str, ...]:
    return search.located.nodes if search.located else ()


PLANTED: dict[str, tuple[str, str, str, Plant, str]] = {
    "a kernel": ("torch_resnet", "nhwc", "function", changed("Conv", 3, 1, exchanged(0)), "Conv 'node_Conv_172'"),
    "a deep bias": ("torch_mobilenet_v3", "nhwc", "onnx", changed("Conv", -1, 2, missing), "Conv"),
    "rows behind a Flatten": ("torch_flatten", "nhwc", "onnx", changed("Gemm", 0, 1, upside_down), "Gemm"),
    "a Concat": ("torch_unet_dynamo", "nhwc", "onnx", with_operands("Concat", 0, lambda n: n[::-1]), "Concat"),
    "a Conv's pads": ("torch_resnet", "nhwc", "onnx", with_attribute("Conv", 1, "pads", [0, 1, 2, 1]), "Conv"),
}  # fmt: skip


@pytest.mark.parametrize("what", PLANTED)
def test_the_node_is_found(what: str) -> None:
    name, to, dialect, plant, at = PLANTED[what]
    told, tried = planted(onnx.load(COMMITTED[name]), plant, to=to, dialect=dialect)
    assert place(told)[-1].startswith(at)
    assert len(place(told)) == 1
    assert told.notes == ()
    assert place(told)[-1] in place(tried)  # behind it where its elements are only in another order
    assert TRIED in tried.notes


@pytest.mark.parametrize("name", ["torch_resnet", "keras_mobilenet_v3_transposes", "torch_unet_dynamo"])
def test_of_a_right_rewrite_every_value_agrees(name: str) -> None:
    original = onnx.load(COMMITTED[name])
    made = {out for one in original.graph.node for out in one.output}
    for search in planted(original, to="nhwc"):
        assert search.located is None
        assert search.compared + sum(search.skipped.values()) == len(made)
        assert search.compared > 0.6 * len(made)


def test_orders_along_an_axis_are_told_and_not_guessed() -> None:
    told, tried = planted(onnx.load(KINDS["torch_shuffle"]), to="nhwc", dialect="onnx")
    assert IN_ANOTHER_ORDER not in told.skipped
    assert told.located is None
    assert tried.located is None
    flatten = onnx.load(COMMITTED["torch_flatten"])
    told, tried = planted(flatten, to="nhwc", dialect="function")
    assert told.compared > tried.compared
    assert tried.skipped[IN_ANOTHER_ORDER]


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    original = onnx.load(COMMITTED["torch_resnet"])
    result = rewrite(original)
    changed("Conv", -1, 1, exchanged(0))(result.model)
    sizes: list[int] = []
    compare = module._Pair._compare

    def spy(self: Any, batch: list[str], seen: Any) -> None:
        sizes.append(len(batch))
        compare(self, batch, seen)

    monkeypatch.setattr(module._Pair, "_compare", spy)
    whole = locate(original, result.model, ONE, layouts=of_perms(result.layouts), values=result.stored)
    monkeypatch.setattr(module, "BATCH_BYTES", 20_000)
    few = locate(original, result.model, ONE, layouts=of_perms(result.layouts), values=result.stored)
    assert len(sizes) > 4
    assert max(sizes[1:]) < sizes[0]
    assert few.located == whole.located


def relus(*names: str) -> list[onnx.NodeProto]:
    return [node("Relu", [a], [b], f"relu_{b}") for a, b in pairwise(names)]


def net(*more: onnx.NodeProto, ops: int = 3, w: int = 0) -> ModelProto:
    """Images through a Conv and Relus to y."""
    names = ["c", *(f"r{i}" for i in range(ops - 1)), "y"]
    made = [conv(), *relus(*names), *more]
    return model(made, {"x": [1, 3, 5, 7]}, {"y": None}, {"w": random(3, 3, 3, 3) + np.float32(w)})


def test_what_others_than_the_node_made_wrong_is_not_its_fault() -> None:
    """The first wrong one alone is named, though all behind it differ."""
    search = locate(net(), net(w=1), ONE)
    assert search.located is not None
    assert search.located.value == "c"
    assert search.located.rewritten_nodes == ("Conv of 'c'",)
    assert search.located.error is not None
    assert search.located.error > 0.1
    assert search.located.original.shape == (1, 3, 5, 7)


def test_nodes_between_values_that_both_have_are_named() -> None:
    one, other = net(), net()
    for number, name in enumerate(["other0", "other1"]):  # the second model calls them otherwise, and one is wrong
        nodes(other, "Relu")[number].output[0] = name
        nodes(other, "Relu")[number + 1].input[0] = name
    nodes(other, "Relu")[1].op_type = "Neg"
    search = locate(one, other, ONE)
    assert search.located is not None
    assert search.located.nodes == ("Relu 'relu_r0'", "Relu 'relu_r1'", "Relu 'relu_y'")
    assert search.located.rewritten_nodes[1] == "Neg 'relu_r1'"
    assert search.skipped == {}


def test_a_value_of_another_shape_or_type() -> None:
    other = net()
    other.graph.node.insert(1, node("Slice", ["c", "a", "b", "d"], ["cut"], "cut"))
    other.graph.initializer.extend(
        onnx.numpy_helper.from_array(ints(n), name) for n, name in ((0, "a"), (2, "b"), (3, "d"))
    )
    other.graph.node[2].input[0] = "cut"
    search = locate(net(), other, ONE)
    assert search.located is not None
    assert "has shape" in search.located.text
    assert search.located.error is None


def test_bodies_are_parts_of_their_nodes() -> None:
    original = onnx.load(KINDS["torch_if"])
    told, _ = planted(original, to="nhwc")
    assert told.located is None
    assert ELSEWHERE not in told.skipped


def test_float16_is_searched_in_float32() -> None:
    original = in_float16(onnx.load(COMMITTED["torch_resnet"]), keep_io=False)
    told, _ = planted(original, changed("Conv", 2, 1, exchanged(0)), to="nhwc", dialect="onnx")
    assert IN_FLOAT32 in told.notes
    assert told.located is not None
    assert told.located.nodes[-1].startswith("Conv")


def test_unsorted_graphs_are_searched_in_order() -> None:
    one, other = net(), net(w=1)
    for each in (one, other):
        turned = [*each.graph.node][::-1]
        del each.graph.node[:]
        each.graph.node.extend(turned)
    assert place(locate(one, other, ONE)) == ("Conv of 'c'",)


def test_integers_and_ties() -> None:
    """Labels jump where scores tie: no fault of the ArgMax."""
    nodes_of = [node("Mul", ["x", "one"], ["m"]), node("ArgMax", ["m"], ["y"], axis=1)]
    made = model(nodes_of, {"x": [1, 4]}, [value("y", None, onnx.TensorProto.INT64)], {"one": np.ones(1, np.float32)})
    other = model(
        nodes_of, {"x": [1, 4]}, [value("y", None, onnx.TensorProto.INT64)], {"one": np.full(1, 1.0000001, np.float32)}
    )
    tied = {"x": np.asarray([[1, 1, 0.5, 1]], np.float32)}
    assert locate(made, other, InputRequest(1, 0, {}, tied)).located is None
    nodes_of[1] = node("ArgMin", ["m"], ["y"], axis=1)
    wrong = model(nodes_of, {"x": [1, 4]}, [value("y", None, onnx.TensorProto.INT64)], {"one": np.ones(1, np.float32)})
    assert place(locate(made, wrong, ONE)) == ("ArgMax of 'y'",)


def test_a_model_that_does_not_run_is_said() -> None:
    other = net()
    other.graph.node.append(helper.make_node("Strange", ["c"], ["s"], domain="my"))
    other.opset_import.append(helper.make_opsetid("my", 1))
    with pytest.raises(CouldNotValidate, match=r"does not (run|load)"):
        locate(net(), other, ONE, layouts={}, values={"c": permuted((0, 1, 2, 3))})
