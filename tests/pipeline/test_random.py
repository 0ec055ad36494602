"""Random graphs of all kinds of operators keep their numbers, in every direction."""

from functools import cache
from itertools import count

import onnx
import pytest

from rewriter.faults.run import run_fault
from rewriter.files.light import LightModel
from rewriter.validation.inputs import InputRequest
from tests.support.graphs import DIRECTIONS, converted
from tests.support.growing import Sample, grown
from tests.support.makers import ALL
from tests.support.outlining import outlined

APART = 10_000  # seeds of other tests are below


@cache
def sample(seed: int) -> Sample:
    """A graph that is valid as a whole, too: each node of it ran, but onnx infers some shapes unlike onnxruntime."""
    return next(one for i in count(1) if is_valid((one := grown(seed + i * APART, 12, ALL)).model))


def is_valid(model: onnx.ModelProto) -> bool:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
@pytest.mark.parametrize("seed", range(100))
def test_numbers_stay(seed: int, to: str, dialect: str) -> None:
    converted(sample(seed).model, to, dialect, inputs=sample(seed).feeds)


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
@pytest.mark.parametrize("seed", range(40))
def test_numbers_stay_in_functions(seed: int, to: str, dialect: str) -> None:
    """The same with some of the nodes in functions."""
    made = outlined(sample(seed).model, seed)
    if not is_valid(made) or run_fault(LightModel(made), InputRequest(1, 0, {}, sample(seed).feeds)) is not None:
        pytest.skip("onnx or onnxruntime does not take these nodes in a function")
    converted(made, to, dialect, inputs=sample(seed).feeds)
