"""A change of layout that moves axes of size 1 only moves no byte, whatever is unknown of the other sizes."""

import numpy as np
import pytest

from rewriter import rewrite
from tests.support.engines import LEVELS, session
from tests.support.graphs import model, node, op_types, random

SHAPE: list[int | str | None] = ["n", 1, "h", "w"]  # of x, in the tests two images of 3 x 5


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize(
    ("perm", "ops"),
    [
        ([0, 2, 3, 1], ["Neg", "Squeeze", "Unsqueeze"]),
        ([1, 0, 2, 3], ["Neg", "Reshape"]),
        ([0, 2, 1, 3], ["Neg", "Reshape"]),
        ([1, 2, 0, 3], ["Neg", "Transpose"]),
        ([0, 1, 3, 2], ["Neg", "Transpose"]),
    ],
)
def test_a_transpose_of_the_models_own(perm: list[int], ops: list[str], opset: int) -> None:
    """A Reshape copies sizes in their places and leaves one open; more are moved around."""
    nodes = [node("Neg", ["x"], ["m"]), node("Transpose", ["m"], ["y"], perm=perm)]
    original = model(nodes, {"x": SHAPE}, {"y": [SHAPE[a] for a in perm]}, opset=opset)
    result = rewrite(original, "nchw", dialect="onnx", keep_io=True)
    assert op_types(result.model) == ops
    assert (result.plan.bytes == 0) == ("Transpose" not in ops)
    x = random(2, 1, 3, 5)
    for level in LEVELS:
        (found,) = session(result.model, level).run(None, {"x": x})
        np.testing.assert_array_equal(found, -x.transpose(perm))
