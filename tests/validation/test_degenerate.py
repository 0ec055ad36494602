"""Validation that compares nothing, or hardly anything, is none and says so."""

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from rewriter import CouldNotValidate
from tests.support.validating import FLOAT, conv, model, node, on_cpu, unary


def two_outputs(op: str, **attrs: Any) -> ModelProto:
    """An ordinary output y, and z of another operator."""
    made = model([node("Neg", ["x"], ["y"]), node(op, ["x"], ["z"], **attrs)], [2, 3])
    made.graph.output.append(helper.make_tensor_value_info("z", FLOAT, None))
    return made


def sliced(begin: int) -> ModelProto:
    """The input from a row on, of which there are two."""
    ends = {"from": np.array([begin]), "to": np.array([9])}
    return model([node("Slice", ["x", "from", "to"], ["y"])], [2, 3], ends)


def roots_of_negatives(*more: str) -> ModelProto:
    """All NaN."""
    nodes = [node("Abs", ["x"], ["a"]), node("Neg", ["a"], ["n"]), node("Sqrt", ["n"], ["y"])]
    made = model([*nodes, *(node("Neg", ["x"], [name]) for name in more)], [2, 3])
    made.graph.output.extend(helper.make_tensor_value_info(name, FLOAT, None) for name in more)
    return made


def zeros(size: int) -> ModelProto:
    """x times 0."""
    return model([node("Mul", ["x", "zero"], ["y"])], [2, size], {"zero": np.zeros(1, np.float32)})


@pytest.mark.parametrize(("made", "kind"), [(sliced(2), "empty"), (roots_of_negatives(), "NaN")])
def test_nothing_to_compare(made: ModelProto, kind: str) -> None:
    with pytest.raises(CouldNotValidate, match=f"Nothing can be compared, since output y is {kind} in every run"):
        on_cpu(made, made)


def test_an_input_without_elements() -> None:
    with pytest.raises(CouldNotValidate, match="output y is empty"):
        on_cpu(conv(n="N"), conv(n="N"), input_shapes={"x": [0, 3, 5, 7]})
    with pytest.raises(CouldNotValidate, match="output y is empty"):
        on_cpu(conv(n=0), conv(n=0))


def test_one_output_is_enough_but_the_other_is_told() -> None:
    (result,) = on_cpu(roots_of_negatives("z"), roots_of_negatives("z")).providers
    assert result.status == "passed"
    assert result.notes == ["That output y agrees proves little: in every run it is all NaN."]


def test_one_number_everywhere_is_told() -> None:
    (result,) = on_cpu(zeros(3), zeros(3)).providers
    assert result.status == "passed"
    assert [note.removeprefix("That output y agrees proves little: ") for note in result.notes] in (
        ["in every run it is all 0.0."],
        ["in every run it is all -0.0."],
    )


def test_ordinary_outputs_are_not_told_of() -> None:
    """One number in one run, too, is no constant."""
    scalar = unary("Neg", x=[1])
    for made, runs in ((two_outputs("Relu"), 3), (scalar, 1), (scalar, 3)):
        assert on_cpu(made, made, runs=runs).providers[0].notes == []


def test_data_that_is_all_nan() -> None:
    nan = np.full((1, 3, 5, 7), np.nan, np.float32)
    with pytest.raises(CouldNotValidate, match="The data for input x is all NaN"):
        on_cpu(conv(), conv(), inputs={"x": nan})
    nan[0, 0, 0, 0] = 1
    assert on_cpu(unary("Neg", x=[1, 3, 5, 7]), unary("Neg", x=[1, 3, 5, 7]), inputs={"x": nan}).ok


@pytest.mark.parametrize("size", [-1, 2**40, 2**62])
def test_sizes_that_cannot_be_made_up(size: int) -> None:
    with pytest.raises(CouldNotValidate, match=rf"Input x of shape \[1, 3, {size}, 7\] cannot be made up"):
        on_cpu(conv(h="H"), conv(h="H"), input_shapes={"x": [1, 3, size, 7]})


NUMBERS = [{"runs": 0}, {"runs": 10**9}, {"seed": -1}] + [
    {name: number} for name in ("rtol", "atol") for number in (-1.0, float("inf"), float("nan"))
]


@pytest.mark.parametrize("numbers", [*NUMBERS, {"rtol": 1.0}], ids=str)
def test_numbers_that_prove_nothing(numbers: dict[str, Any]) -> None:
    (name,) = numbers
    with pytest.raises(CouldNotValidate, match=f"The argument {name} is"):
        on_cpu(conv(), conv(), **numbers)


def test_strings_and_sequences() -> None:
    words = unary("Identity", dtype=TensorProto.STRING)
    same = np.full((2, 3), "a", object)
    (result,) = on_cpu(words, words, inputs={"x": same}).providers
    assert result.notes == ["That output y agrees proves little: in every run it is all a."]
    pair = model([node("SequenceConstruct", ["x", "x"], ["y"])], [2, 3])
    pair.graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("y", FLOAT, None))
    assert on_cpu(pair, pair).providers[0].notes == []
