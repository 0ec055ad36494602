"""Prices: where a Transpose goes because of what the runtime does besides moving its bytes."""

import numpy as np
import pytest

from rewriter import rewrite
from tests.support.graphs import FLOAT, FLOAT16, conv, model, node, op_types, random, value

IMAGE, ELEMENTS = [1, 4, 10, 6], 4 * 10 * 6


@pytest.mark.parametrize(
    ("interface", "inside", "written"),
    [
        (FLOAT, FLOAT16, ["Transpose", "Cast", "Conv", "Cast", "Transpose"]),
        (FLOAT16, FLOAT, ["Cast", "Transpose", "Conv", "Transpose", "Cast"]),
    ],
)
def test_a_transpose_stands_on_the_float32_side_of_a_cast(interface: int, inside: int, written: list[str]) -> None:
    nodes = [node("Cast", ["x"], ["a"], to=inside), conv("a", "c"), node("Cast", ["c"], ["y"], to=interface)]
    ends = [value("x", IMAGE, interface)], [value("y", IMAGE, interface)]
    kernel = random(4, 4, 3, 3, dtype=np.float16 if inside == FLOAT16 else np.float32)
    result = rewrite(model(nodes, *ends, {"w": kernel}), "nhwc", dialect="onnx")
    assert op_types(result.model) == written
    assert (result.plan.bytes, result.plan.cost) == (2 * 4 * ELEMENTS, 2 * 4 * ELEMENTS)


def test_transposes_of_float16_are_told_with_their_own_bytes() -> None:
    """What they cost besides is told apart, and both together are proven least."""
    nodes = [conv("x", "y")]
    ends = [value("x", IMAGE, FLOAT16)], [value("y", IMAGE, FLOAT16)]
    net = model(nodes, *ends, {"w": random(4, 4, 3, 3, dtype=np.float16)})
    plan = rewrite(net, "nhwc", dialect="onnx").plan
    moved = 2 * 2 * ELEMENTS
    assert (plan.bytes, plan.cost, plan.bound) == (moved, 3 * moved, 3 * moved)
