"""What lies in the middle of two steps of a QuantizeLinear may be rounded to either; nothing else may."""

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from rewriter import validate
from rewriter.validation.ties import MOVES, with_moved_ties

ODD = np.arange(-9, 10, 2, dtype=np.int32)  # halves of them are ties
RIGHT = float(np.nextafter(np.float32(0.5), np.float32(1)))


def quantised(factor: float, scale: float = 1.0, bias: float = 0.0) -> ModelProto:
    """int32 x, which has no last bits, times ``factor``, to steps of ``scale``, plus ``bias``."""
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "factor"], ["m"]),
        helper.make_node("QuantizeLinear", ["m", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node("Add", ["d", "bias"], ["y"]),
    ]
    numbers = {"factor": factor, "scale": scale, "bias": bias}
    held = [numpy_helper.from_array(np.array(number, np.float32), name) for name, number in numbers.items()]
    held.append(numpy_helper.from_array(np.array(0, np.int8), "zero"))
    x = helper.make_tensor_value_info("x", TensorProto.INT32, [10])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [10])
    graph = helper.make_graph(nodes, "quantised", [x], [y], held)
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])


def test_a_tie_may_go_either_way() -> None:
    (found,) = validate(quantised(0.5), quantised(RIGHT), inputs={"x": ODD}, providers=["cpu"]).providers
    assert found.status == "passed"
    assert "each time to what the original, too, gives there" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("wrong", "inputs"),
    [
        (quantised(0.5, bias=1.0), ODD),  # a step too much, at ties also where they are rounded up
        (quantised(0.5, bias=-1.0), ODD),
        (quantised(0.53), ODD * 11),  # beyond ties
        (quantised(RIGHT, bias=1e-3), ODD),
        (quantised(0.55), ODD - 1),  # nothing is a tie
    ],
)
def test_nothing_else_may_differ(wrong: ModelProto, inputs: np.ndarray) -> None:
    (found,) = validate(quantised(0.5), wrong, inputs={"x": inputs}, providers=["cpu"]).providers
    assert found.status == "failed"


def test_what_is_moved() -> None:
    """Names that are taken are left alone; a scale that is computed, or none at all, moves nothing."""
    model = quantised(0.5)
    model.graph.node[2].output[0] = model.graph.node[3].input[0] = "most"
    moved = with_moved_ties(model)
    assert moved is not None
    assert [list(feed) for feed in moved[1]] == [["most_1", "all"]] * len(MOVES)
    del model.graph.initializer[1]
    assert with_moved_ties(model) is None
