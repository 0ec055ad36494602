"""What tf2onnx's optimiser leaves, asked of it: the numbers of ``tests/peers/tf2onnx_*.py``."""

import pytest
from tf2onnx.graph import GraphUtil

from tests.peers import tf2onnx_axes, tf2onnx_elementwise
from tests.peers.case import Case
from tests.peers.in_onnxruntime import left_in


@pytest.mark.parametrize("case", [*tf2onnx_axes.CASES, *tf2onnx_elementwise.CASES], ids=lambda case: case.id)
def test_tf2onnx_leaves_what_its_tests_say(case: Case) -> None:
    assert left_in(GraphUtil.optimize_model_proto(case.model, catch_errors=False), case.inputs) == case.left
