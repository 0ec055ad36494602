"""Models that compute in float16, in float32: without rounding, and with all of it."""

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from rewriter import rewrite, validate
from rewriter.errors import RunFailed
from rewriter.validation.constants import shaken
from rewriter.validation.inputs import InputRequest
from rewriter.validation.nudge import nudged
from rewriter.validation.reference import make_reference
from rewriter.validation.session import Session
from rewriter.validation.wider import coarse_inputs, coarse_types, widened
from tests.support.float16 import in_float16
from tests.support.graphs import BOOL, COMMITTED, FLOAT, FLOAT16, INT64, Array, conv, graph, model, node, random, value
from tests.support.validating import NHWC, on_cpu

HALF = np.float16
SHAPE, IMAGE = [3, 5], [1, 3, 5, 7]


def halves(name: str) -> onnx.ValueInfoProto:
    return value(name, SHAPE, FLOAT16)


def branching() -> ModelProto:
    """float16 in both branches of an If, which read from outside, and have constants and results."""
    third = numpy_helper.from_array(np.array(1 / 3, HALF), "third")
    then = graph([node("Mul", ["x", "third"], ["a"]), node("Add", ["a", "outer"], ["b"])], [], [halves("b")])
    then.initializer.append(third)
    nodes = [
        node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(0.1, HALF))),
        node("Mul", ["x", "c"], ["d"]),
        node("Cast", ["d"], ["e"], to=FLOAT),
        node("Cast", ["e"], ["f"], to=FLOAT16),
    ]
    otherwise = graph(nodes, [], [halves("f")])
    main = [
        node("Exp", ["x"], ["outer"]),
        node("If", ["condition"], ["y"], then_branch=then, else_branch=otherwise),
    ]
    return model(main, [halves("x"), value("condition", [], BOOL)], [halves("y")])


def looping() -> ModelProto:
    """float16 as the state of a Loop, and as what it collects."""
    state = [value("i", [], INT64), value("go", [], BOOL), halves("s")]
    nodes = [
        node("Identity", ["go"], ["on"]),
        node("Mul", ["s", "factor"], ["t"]),
        node("Sqrt", ["t"], ["u"]),
    ]
    body = graph(nodes, state, [value("on", [], BOOL), halves("t"), halves("u")])
    main = [node("Abs", ["x"], ["start"]), node("Loop", ["trips", "", "start"], ["y", "all"], body=body)]
    outputs = [halves("y"), value("all", [3, *SHAPE], FLOAT16)]
    return model(main, [halves("x")], outputs, {"trips": np.array(3), "factor": np.array(1.1, HALF)})


def in_a_sequence() -> ModelProto:
    nodes = [
        node("ConstantOfShape", ["size"], ["ones"], value=numpy_helper.from_array(np.array([0.1], HALF))),
        node("Mul", ["x", "ones"], ["small"]),
        node("SequenceConstruct", ["x", "small"], ["y"]),
    ]
    outputs = [helper.make_tensor_sequence_value_info("y", FLOAT16, None)]
    return model(nodes, [halves("x")], outputs, {"size": np.array(SHAPE)})


def of_a_conv() -> ModelProto:
    return model([conv("x", "y")], {"x": IMAGE}, {"y": IMAGE}, {"w": random(3, 3, 3, 3)})


def in_a_function() -> ModelProto:
    return rewrite(in_float16(of_a_conv(), keep_io=False), "nhwc").model


FEEDS = {
    branching: {"x": random(*SHAPE, dtype=HALF), "condition": np.array(True)},
    looping: {"x": random(*SHAPE, dtype=HALF)},
    in_a_sequence: {"x": random(*SHAPE, dtype=HALF)},
    in_a_function: {"x": random(1, 5, 7, 3, dtype=HALF)},
}  # fmt: skip


def results(a_model: ModelProto, feed: dict[str, Array]) -> list[Array]:
    """All that it gives, items of sequences too."""
    out: list[Array] = []
    for result in Session(a_model.SerializeToString(), "cpu", "disabled").run(feed):
        out += result if isinstance(result, list) else [result]
    return out


@pytest.mark.parametrize("make", FEEDS)
def test_without_rounding_and_with_all_of_it(make: type) -> None:
    half: ModelProto = make()
    feed = {name: x.astype(np.float32) if x.dtype == HALF else x for name, x in FEEDS[make].items()}
    assert coarse_types(half) == {FLOAT16}
    fine, rounded = (results(widened(half, rounded=rounded), feed) for rounded in (False, True))
    assert coarse_types(widened(half, rounded=False)) == set()
    assert any((one != one.astype(HALF)).any() for one in fine)
    for one, other, original in zip(fine, rounded, results(half, FEEDS[make]), strict=True):
        assert one.dtype == other.dtype == np.float32
        np.testing.assert_array_equal(other, other.astype(HALF))
        np.testing.assert_allclose(one, original, rtol=3e-3, atol=1e-3)
        np.testing.assert_allclose(other, original, rtol=3e-3, atol=1e-3)


def test_bfloat16_which_the_cpu_does_not_run() -> None:
    w = random(3, 3, 3, 3).astype(ml_dtypes.bfloat16)
    x, y = (value(name, IMAGE, TensorProto.BFLOAT16) for name in "xy")
    coarse = model([conv("x", "y")], [x], [y], {"w": w})
    assert coarse_types(coarse) == {TensorProto.BFLOAT16}
    with pytest.raises(RunFailed):
        Session(coarse.SerializeToString(), "cpu", "disabled")
    (rounded,) = results(widened(coarse, rounded=True), {"x": random(1, 3, 5, 7)})
    np.testing.assert_array_equal(rounded, rounded.astype(ml_dtypes.bfloat16).astype(np.float32))


def test_the_model_is_left_as_it_is() -> None:
    half = branching()
    before = half.SerializeToString()
    widened(half, rounded=True)
    assert half.SerializeToString() == before
    assert coarse_types(onnx.load(COMMITTED["torch_resnet"])) == set()


def test_inputs_are_nudged_in_the_type_that_they_are_cast_to() -> None:
    nodes = [
        node("Cast", ["x"], ["a"], to=FLOAT16),
        node("Cast", ["z"], ["b"], to=FLOAT16),
        node("Sqrt", ["z"], ["c"]),
        node("Add", ["a", "b"], ["y"]),
    ]
    types = coarse_inputs(model(nodes, {"x": SHAPE, "z": SHAPE}, [halves("y")]))
    assert types == {"x": HALF}
    feed = {name: random(*SHAPE) + 3 for name in "xz"}
    moved = nudged(feed, np.random.default_rng(0), types=types)
    assert moved["x"].dtype == np.float32
    assert (moved["x"].astype(HALF) != feed["x"].astype(HALF)).all()
    assert (moved["z"].astype(HALF) == feed["z"].astype(HALF)).mean() > 0.9
    net = in_float16(of_a_conv(), keep_io=True)
    reference = make_reference(net.SerializeToString(), "cpu", InputRequest(1, 0, {}, {}))
    (around,) = reference.nudged(np.random.default_rng(0))
    assert (around["x"].astype(HALF) != reference.feeds[0]["x"].astype(HALF)).all()


def test_the_tolerance_is_that_of_float16_on_the_way_to_a_float32_output() -> None:
    net = of_a_conv()
    (plain,), (half,) = (on_cpu(m, m).providers for m in (net, in_float16(net, keep_io=True)))
    assert plain.rtol == 1e-5
    assert half.rtol > 1e-4
    wrong = in_float16(net, keep_io=True)
    wrong.graph.initializer[0].CopyFrom(numpy_helper.from_array((random(3, 3, 3, 3) * 1.001).astype(HALF), "w"))
    (found,) = on_cpu(in_float16(net, keep_io=True), wrong).providers
    assert found.fault == "differs from the original"  # though by less than float16 allows
    assert found.max_rel is not None
    assert found.max_rel < half.rtol


def test_where_float32_cannot_be_run_the_tolerance_of_the_type_stands_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    net = in_float16(of_a_conv(), keep_io=True)
    broken = model([node("NoSuchOp", ["x"], ["y"])], {"x": IMAGE}, {"y": IMAGE})
    monkeypatch.setattr("rewriter.validation.reference.widened", lambda *_, **__: broken)
    monkeypatch.setattr("rewriter.validation.reference.NUDGES", 0)
    (result,) = on_cpu(net, rewrite(net, "nhwc").model).providers
    assert result.status == "passed"
    assert result.rtol == 2e-3
    assert result.notes == []


def test_layouts_are_read_from_the_metadata_of_models_with_functions() -> None:
    net = in_float16(onnx.load(COMMITTED["torch_superres"]), keep_io=False)
    assert validate(net, rewrite(net, "nhwc").model, providers=["cpu"], runs=1).ok


def test_given_data_and_models_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = in_float16(of_a_conv(), keep_io=False)
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for path, each in zip(paths, (net, rewrite(net, "nhwc").model), strict=True):
        onnx.save(each, path, save_as_external_data=True, location=f"{path.stem}.bin", size_threshold=0)
    monkeypatch.setattr("rewriter.files.writer.TWO_GIB", 0)
    (result,) = on_cpu(*paths, inputs={"x": random(*IMAGE, dtype=HALF)}).providers
    assert result.status == "passed"
    assert any("float32" in note for note in result.notes)


def test_own_constants_are_vectors_of_other_elements() -> None:
    vector, kernel = random(6, dtype=HALF), random(6, 3, 3, 3, dtype=HALF)

    def holding(v: Array, w: Array) -> ModelProto:
        return model([node("Identity", ["x"], ["y"])], [halves("x")], [halves("y")], {"v": v, "w": w})

    original = holding(vector, kernel)
    assert shaken(original, holding(vector[::-1].reshape(1, 6, 1, 1), kernel.transpose(NHWC)), 0) is None
    assert shaken(original, holding(vector, kernel * HALF(1.1)), 0) is None
    moved = shaken(original, holding(vector * HALF(1.1), kernel), 0)
    assert moved is not None
    now = numpy_helper.to_array(moved.graph.initializer[0]).astype(np.float64)
    assert (now != vector * HALF(1.1)).all()
    np.testing.assert_allclose(now, vector * HALF(1.1), rtol=1e-3)
