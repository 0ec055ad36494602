"""Bodies of SequenceMap, which onnxruntime loads with standard operators only."""

import pytest
from onnx import ModelProto

from tests.support.graphs import DIRECTIONS, conv, converted, graph, model, node, op_types, random

IMAGE = [1, 3, 5, 7]


def mapped() -> ModelProto:
    """A Conv, then a Conv in an operator with a body of each item of a sequence."""
    item = graph([conv("item", "out", "v")], {"item": IMAGE}, {"out": IMAGE})
    nodes = [
        conv("x", "c"),
        node("SequenceConstruct", ["c", "x"], ["images"]),
        node("SequenceMap", ["images"], ["outs"], body=item),
        node("ConcatFromSequence", ["outs"], ["y"], axis=0),
    ]
    constants = {"w": random(3, 3, 3, 3), "v": random(3, 3, 3, 3) + 1}
    return model(nodes, {"x": IMAGE}, {"y": [2, *IMAGE[1:]]}, constants)


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
def test_no_function_is_called_in_the_body_of_a_sequence_map(to: str, dialect: str) -> None:
    result = converted(mapped(), to, dialect).model
    (mapping,) = (n for n in result.graph.node if n.op_type == "SequenceMap")
    domains = {n.domain for n in mapping.attribute[0].g.node}
    assert domains <= {""}
    assert (to == "nhwc" and dialect == "function") == ("ConvNoBias_NHWC" in op_types(result))
