"""The inputs that are made up or given, and outputs that are no tensors."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from rewriter import CouldNotValidate
from tests.support.validating import BOTH, FLOAT, NHWC, SWAPPED, conv, conv_nhwc, model, node, on_cpu, unary, weight

# Inputs


def test_dynamic_batch_takes_two_sizes() -> None:
    report = on_cpu(conv(n="N"), conv_nhwc(n="N"), layouts=BOTH)
    assert report.ok
    assert [shapes["x"][0] for shapes in report.providers[0].shapes] == [1, 2, 1]


def test_rewrite_that_is_right_for_batch_1_alone_is_caught() -> None:
    def flatten(n: Any, axis: int) -> ModelProto:
        return model([node("Flatten", ["x"], ["y"], axis=axis)], [n, 3, 4])

    assert on_cpu(flatten(1, 1), flatten(1, 0)).ok
    (result,) = on_cpu(flatten("N", 1), flatten("N", 0)).providers
    assert result.status == "failed"
    assert result.where is not None
    assert result.where.run == 1


def test_a_name_has_one_size_in_all_inputs() -> None:
    add = model([node("Add", ["x", "x2"], ["y"])], ["N", 3, "H"], more={"x2": ["N", 3, "H"]})
    (result,) = on_cpu(add, add, input_shapes={"x": [2, 3, 5]}).providers
    assert result.shapes == [{"x": (2, 3, 5), "x2": (2, 3, 5)}] * 3
    (result,) = on_cpu(add, add, inputs={"x2": np.ones((4, 3, 7), np.float32)}).providers
    assert result.shapes == [{"x": (4, 3, 7), "x2": (4, 3, 7)}] * 3


def image(pixels: int) -> ModelProto:
    """A net for images of this many pixels, which its input does not tell."""
    return model([node("Reshape", ["x", "to"], ["y"])], ["N", 3, "H", "W"], {"to": np.array([0, 3, pixels])})


def test_sizes_are_found_by_trying() -> None:
    (result,) = on_cpu(image(32 * 32), image(32 * 32), runs=2).providers
    assert [shapes["x"] for shapes in result.shapes] == [(1, 3, 32, 32), (2, 3, 32, 32)]


def test_sizes_that_are_not_found_must_be_given() -> None:
    with pytest.raises(CouldNotValidate, match=r"--input-shape"):
        on_cpu(image(35), image(35))
    (result,) = on_cpu(image(35), image(35), input_shapes={"x": [1, 3, 5, 7]}).providers
    assert result.status == "passed"
    assert result.shapes == [{"x": (1, 3, 5, 7)}] * 3


@pytest.mark.parametrize("argument", ["input_shapes", "inputs", "layouts"])
def test_unknown_names_are_refused(argument: str) -> None:
    value: Any = np.ones((1, 2), np.float32) if argument == "inputs" else (0, 1)
    with pytest.raises(CouldNotValidate, match=rf"{argument} names image, but the original's inputs .*x"):
        on_cpu(conv(), conv(), **{argument: {"image": value}})


def test_layout_of_another_rank_is_refused() -> None:
    with pytest.raises(CouldNotValidate, match=r"\[0, 2, 1\] of x does not fit its 4 axes"):
        on_cpu(conv(), conv_nhwc(), layouts={"x": (0, 2, 1)})


def test_given_inputs_are_used_in_the_original_layout() -> None:
    x = np.zeros((1, 3, 5, 7), np.float32)
    x[0, 1] = 3
    (result,) = on_cpu(conv(), conv_nhwc(), layouts=BOTH, inputs={"x": x}).providers
    assert result.status == "passed"
    assert len(result.shapes) == 1  # nothing random: the other runs would be the same
    changed = weight()
    changed[:, 0] += 1  # meets zeros only
    assert on_cpu(conv(), conv_nhwc(changed), layouts=BOTH, inputs={"x": x}).ok
    assert not on_cpu(conv(), conv_nhwc(changed), layouts=BOTH).ok
    with pytest.raises(CouldNotValidate, match="is float64: convert it to float32"):
        on_cpu(conv(), conv(), inputs={"x": x.astype(np.float64)})


def test_rows_beyond_a_fixed_batch_are_more_runs() -> None:
    """As many as are asked for; all are one run where the batch is open, or where they fill no batch."""
    rows = np.ones((8, 3, 5, 7), np.float32)
    (result,) = on_cpu(conv(n=2), conv_nhwc(n=2), layouts=BOTH, inputs={"x": rows}).providers
    assert result.shapes == [{"x": (2, 3, 5, 7)}] * 3
    rows[4:6] = 0  # the last run alone sees that another rewrite is wrong
    rows[:4] = 0
    assert not on_cpu(conv(n=2), conv(weight() * 2, n=2), inputs={"x": rows}, runs=4).ok
    (result,) = on_cpu(conv(n="N"), conv_nhwc(n="N"), layouts=BOTH, inputs={"x": rows}).providers
    assert result.shapes == [{"x": (8, 3, 5, 7)}]
    with pytest.raises(CouldNotValidate):
        on_cpu(conv(n=2), conv_nhwc(n=2), layouts=BOTH, inputs={"x": rows[:7]})


def test_same_seed_same_inputs() -> None:
    def error(seed: int) -> float | None:
        return on_cpu(conv(), conv(weight() * np.float32(1.01)), seed=seed).providers[0].max_abs

    assert error(3) == error(3) != error(4)


def test_random_integers_are_safe_indices() -> None:
    gather = model(
        [node("Gather", ["table", "x"], ["y"])],
        [4, 5],
        {"table": np.array([1.0, 2.0], np.float32)},
        dtype=TensorProto.INT64,
        out=FLOAT,
    )
    swapped = onnx.ModelProto.FromString(gather.SerializeToString())
    swapped.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array([2.0, 1.0], np.float32), "table"))
    assert on_cpu(gather, gather).ok
    assert not on_cpu(gather, swapped).ok


def test_strings_must_be_given() -> None:
    strings = unary("Identity", dtype=TensorProto.STRING)
    with pytest.raises(CouldNotValidate, match="cannot be made up"):
        on_cpu(strings, strings)
    words = {"x": np.array([["a", "b", "c"], ["d", "e", "f"]], object)}
    assert on_cpu(strings, unary("Identity", "Identity", dtype=TensorProto.STRING), inputs=words).ok


FOREIGN = [TensorProto.BFLOAT16, TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2]


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT8, *FOREIGN])
def test_other_types_go_in_and_out(kind: int) -> None:
    original = unary("Identity", x=[1, 3, 5, 5], dtype=kind)
    rewritten = unary("Identity", "Identity", x=[1, 5, 5, 3], dtype=kind)
    assert on_cpu(original, rewritten, layouts=BOTH).ok
    report = on_cpu(original, rewritten, layouts={"x": NHWC, "y": SWAPPED})
    assert report.providers[0].max_abs is not None
    assert not report.ok


# Other outputs


def test_sequences_are_compared_item_by_item() -> None:
    def sequence(*items: str) -> ModelProto:
        nodes = [node("Neg", ["x"], ["minus"]), node("SequenceConstruct", list(items), ["y"])]
        made = model(nodes, [2, 3])
        made.graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("y", FLOAT, None))
        return made

    assert on_cpu(sequence("x", "minus"), sequence("x", "minus")).ok
    report = on_cpu(sequence("x", "minus"), sequence("x", "x"))
    assert report.providers[0].where is not None
    assert report.providers[0].where.output == "y[1]"
    assert (
        "a sequence of 1 instead of a sequence of 2"
        in on_cpu(sequence("x", "minus"), sequence("x")).providers[0].reason
    )


def test_empty_optional_outputs_are_equal() -> None:
    kind = helper.make_tensor_type_proto(FLOAT, [2, 3])
    empty = model([node("Optional", [], ["z"], type=kind), node("Neg", ["x"], ["y"])], [2, 3])
    empty.graph.output.append(helper.make_value_info("z", helper.make_optional_type_proto(kind)))
    assert on_cpu(empty, empty).ok
