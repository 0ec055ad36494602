"""Models with If, Loop and Scan: what their bodies may be, and what values outside have to do with them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from tests.support.graphs import BOOL, FLOAT, INT64, Array, conv, graph, ints, model, node, random, value

IMAGE = [2, 3, 5, 7]
SEQUENCE = [2, 11, 3, 5, 7]  # along axis 1
W, V = random(3, 3, 3, 3), random(3, 3, 3, 3) - 1
TRUE, FALSE = np.asarray(True), np.asarray(False)
CONDITION = value("c", [], BOOL)
X, Y = value("x", IMAGE), value("y", IMAGE)
ODD = "com.microsoft::Trilu"  # an operator without a rule


def body(
    nodes: list[NodeProto], outputs: list[Any], inputs: Any = (), constants: Mapping[str, Array] | None = None
) -> GraphProto:
    return graph(nodes, list(inputs), outputs, constants)


def chosen(then: GraphProto, other: GraphProto, *outputs: str) -> NodeProto:
    return node("If", ["c"], list(outputs or ["o"]), "choice", then_branch=then, else_branch=other)


def looped(
    nodes: list[NodeProto],
    states: list[str],
    slices: Sequence[Any] = (),
    constants: Mapping[str, Array] | None = None,
    dims: Any = IMAGE,
) -> GraphProto:
    """The body of a Loop that goes on: states ``s...`` become ``states``."""
    inputs = [value("i", [], INT64), value("go", [], BOOL), *(value(f"s{k}", dims) for k in range(len(states)))]
    outputs = [value("on", [], BOOL), *(value(name, dims) for name in states), *slices]
    return body([node("Identity", ["go"], ["on"]), *nodes], outputs, inputs, constants)


def if_with_convs() -> ModelProto:
    """Both branches use the same names, for values and constants of their own."""
    branches = [body([conv(y="t"), node("Relu", ["t"], ["o"])], [value("o", IMAGE)], (), {"w": w}) for w in (W, V)]
    return model([chosen(*branches, "y")], [CONDITION, X], [Y])


def if_reads_outside() -> ModelProto:
    """Captured image that is a graph output, too; captured kernel that the main graph reads, too."""
    then = body([conv("m", "t"), node("Relu", ["t"], ["a"])], [value("a", IMAGE)])
    other = body([node("Add", ["m", "k"], ["b"])], [value("b", IMAGE)])
    nodes = [conv(y="r"), node("Sigmoid", ["r"], ["m"]), chosen(then, other, "o"), conv("o", "y")]
    return model(nodes, [CONDITION, X], [value("m", IMAGE), Y], {"w": W, "k": random(1, 3, 5, 7)})


def if_between_convs() -> ModelProto:
    """Branches that have no preference, one of which is a constant."""
    then = body([node("Mul", ["m", "k"], ["a"])], [value("a", IMAGE)])
    other = body([node("Constant", [], ["b"], value=numpy_helper.from_array(random(*IMAGE)))], [value("b", IMAGE)])
    nodes = [conv(y="m"), chosen(then, other, "o"), conv("o", "y", "v")]
    return model(nodes, [CONDITION, X], [Y], {"w": W, "v": V, "k": random(3, 1, 1)})


def if_of_two_ranks() -> ModelProto:
    then = body([node("Relu", ["r"], ["a"])], [value("a", None)])
    other = body([node("Reshape", ["r", "flat"], ["b"])], [value("b", None)], (), {"flat": ints(2, -1)})
    return model([conv(y="r"), chosen(then, other, "y")], [CONDITION, X], [value("y", None)], {"w": W})


def if_of_two_shapes() -> ModelProto:
    """Flatten leaves an order along axis 1, which the other branch's smaller axis cannot have."""
    then = body([node("Flatten", ["r"], ["a"])], [value("a", [2, 105])])
    other = body([node("GlobalMaxPool", ["r"], ["p"]), node("Flatten", ["p"], ["b"])], [value("b", [2, 3])])
    return model([conv(y="r"), chosen(then, other, "y")], [CONDITION, X], [value("y", None)], {"w": W})


def if_without_preference() -> ModelProto:
    """Flatten in both branches: the MatMul outside takes the order of the elements."""
    branches = [
        body([node(op, ["r"], ["t"]), node("Flatten", ["t"], ["o"])], [value("o", [2, 105])]) for op in ("Relu", "Neg")
    ]
    nodes = [conv(y="r"), chosen(*branches, "o"), node("Gemm", ["o", "g"], ["y"])]
    return model(nodes, [CONDITION, X], [value("y", [2, 13])], {"w": W, "g": random(105, 13)})


def loop_of_convs() -> ModelProto:
    """An image as state, images and vectors as slices; the trip count is an input."""
    nodes = [conv("s0", "t"), node("Relu", ["t"], ["u"]), node("ReduceMean", ["u"], ["m"], axes=[2, 3], keepdims=0)]
    inner = looped(nodes, ["u"], [value("t", IMAGE), value("m", [2, 3])], {"w": W})
    nodes = [node("Loop", ["n", "", "x"], ["y", "ts", "ms"], "loop", body=inner)]
    outputs = [Y, value("ts", ["n", *IMAGE]), value("ms", ["n", 2, 3])]
    return model(nodes, [value("n", [], INT64), X], outputs)


def loop_of_transposes() -> ModelProto:
    nodes = [
        node("Transpose", ["s0"], ["a"], perm=[0, 2, 3, 1]),
        node("Softmax", ["a"], ["b"], axis=-1),
        node("Transpose", ["b"], ["d"], perm=[0, 3, 1, 2]),
    ]
    inner = looped([*nodes, conv("d", "t")], ["t"])
    loop = node("Loop", ["n", "", "x"], ["y"], "loop", body=inner)
    return model([loop], [value("n", [], INT64), X], [Y], {"w": W})


def loop_that_swaps() -> ModelProto:
    """States are swapped straight from input to output, one of them is given twice."""
    inner = looped([conv("s0", "t"), node("Add", ["t", "s1"], ["u"])], ["s1", "u", "s2"])
    loop = node("Loop", ["n", "go_in", "x", "x", "r"], ["p", "y", "q"], "loop", body=inner)
    inputs = [value("n", [], INT64), value("go_in", [], BOOL), X]
    return model([node("Relu", ["x"], ["r"]), loop], inputs, [value("p", IMAGE), Y, value("q", IMAGE)], {"w": W})


def loop_of_unknown_rank() -> ModelProto:
    inner = looped([node("Relu", ["s0"], ["t"])], ["t"], dims=None)
    loop = node("Loop", ["n", "", "r"], ["o"], "loop", body=inner)
    nodes = [conv(y="r"), loop, node("Relu", ["o"], ["y"])]
    return model(nodes, [value("n", [], INT64), X], [value("y", None)], {"w": W})


def loop_of_sequences() -> ModelProto:
    """A sequence of images as state."""
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, None))
    state, result = (helper.make_value_info(name, kind) for name in ("s", "t"))
    inputs = [value("i", [], INT64), value("go", [], BOOL), state]
    nodes = [node("Identity", ["go"], ["on"]), conv(y="r"), node("SequenceInsert", ["s", "r"], ["t"])]
    inner = body(nodes, [value("on", [], BOOL), result], inputs)
    nodes = [
        node("SequenceEmpty", [], ["none"]),
        node("Loop", ["n", "", "none"], ["all"], "loop", body=inner),
        node("ConcatFromSequence", ["all"], ["y"], axis=1),
    ]
    return model(nodes, [value("n", [], INT64), X], [value("y", None)], {"w": W})


def if_in_loop() -> ModelProto:
    """The inner bodies read values of all graphs around them."""
    then = body([conv("s0", "t"), node("Add", ["t", "r"], ["a"])], [value("a", IMAGE)])
    other = body([node("Mul", ["s0", "r"], ["b"])], [value("b", IMAGE)])
    inner = looped(
        [node("Identity", ["s0"], ["z"]), chosen(then, other, "o"), node("Neg", ["o"], ["u"])],
        ["u"],
        [value("z", IMAGE)],
    )
    loop = node("Loop", ["n", "", "r"], ["y", "zs"], "loop", body=inner)
    inputs = [CONDITION, value("n", [], INT64), X]
    return model([conv(y="r"), loop], inputs, [Y, value("zs", ["n", *IMAGE])], {"w": W})


def scan_of_convs() -> ModelProto:
    """Slices along axis 1 in, along the last axis out, from the last to the first; and a state."""
    inputs = [value("s", IMAGE), value("e", IMAGE)]
    nodes = [conv("e", "t"), node("Add", ["s", "t"], ["u"]), node("Relu", ["u"], ["v"])]
    inner = body(nodes, [value("u", IMAGE), value("v", IMAGE)], inputs)
    directions = {"scan_input_directions": [1], "scan_output_directions": [1]}
    scan = node(
        "Scan",
        ["x", "q"],
        ["y", "vs"],
        "scan",
        body=inner,
        num_scan_inputs=1,
        scan_input_axes=[1],
        scan_output_axes=[-1],
        **directions,
    )
    return model([scan], [X, value("q", SEQUENCE)], [Y, value("vs", [*IMAGE, 11])], {"w": W})


def scan_of_rows() -> ModelProto:
    """The rows of an image, one by one: the Convs outside are free of Transposes."""
    inner = body(
        [node("Add", ["s", "e"], ["u"]), node("Sigmoid", ["u"], ["v"])],
        [value(n, [2, 3, 7]) for n in "uv"],
        [value(n, [2, 3, 7]) for n in "se"],
    )
    scan = node(
        "Scan",
        ["k", "r"],
        ["f", "vs"],
        "scan",
        body=inner,
        num_scan_inputs=1,
        scan_input_axes=[-2],
        scan_output_axes=[2],
    )
    nodes = [conv(y="r"), scan, conv("vs", "y")]
    return model(nodes, [X], [Y], {"w": W, "k": random(2, 3, 7)})


def odd_in_loop() -> ModelProto:
    nodes = [conv("s0", "t"), node("Trilu", ["t"], ["u"], "culprit", domain="com.microsoft")]
    loop = node("Loop", ["n", "", "x"], ["y"], "loop", body=looped(nodes, ["u"], (), {"w": W}))
    return model([loop], [value("n", [], INT64), X], [Y], domains=["com.microsoft"])


def shadowed_constant() -> ModelProto:
    """An If's constant has the name of one outside, and other numbers."""
    then = body([conv(y="a")], [value("a", IMAGE)], (), {"w": V})
    other = body([conv(y="b", w="u")], [value("b", IMAGE)], (), {"u": W})
    return model([chosen(then, other, "o"), conv("o", "y")], [CONDITION, X], [Y], {"w": W})


CHOICES: tuple[dict[str, Array], ...] = ({"c": TRUE}, {"c": FALSE})
TRIPS: tuple[dict[str, Array], ...] = ({"n": np.asarray(3)}, {"n": np.asarray(1)})
Feeds = tuple[dict[str, Array], ...]

# inputs to run with; Transposes, in bodies too: to nhwc with functions, to nhwc and to nchw in standard operators
MODELS: list[tuple[Callable[[], ModelProto], Feeds, tuple[int, int, int]]] = [
    (if_with_convs, CHOICES, (0, 2, 0)),
    (if_reads_outside, CHOICES, (0, 3, 0)),
    (if_between_convs, CHOICES, (0, 2, 0)),
    (if_of_two_ranks, CHOICES, (1, 1, 0)),
    (if_of_two_shapes, CHOICES, (1, 1, 0)),
    (if_without_preference, CHOICES, (0, 1, 0)),
    (loop_of_convs, TRIPS, (0, 3, 0)),
    (loop_of_transposes, TRIPS, (0, 2, 0)),
    (loop_that_swaps, ({"n": np.asarray(3), "go_in": TRUE}, {"n": np.asarray(3), "go_in": FALSE}), (0, 3, 0)),
    (loop_of_unknown_rank, TRIPS, (1, 1, 0)),
    (loop_of_sequences, TRIPS, (1, 1, 0)),
    (if_in_loop, ({"c": TRUE, "n": np.asarray(3)}, {"c": FALSE, "n": np.asarray(2)}), (0, 3, 0)),
    (scan_of_convs, ({},), (1, 3, 0)),
    (scan_of_rows, ({},), (0, 2, 0)),
    (odd_in_loop, TRIPS, (2, 2, 0)),
    (shadowed_constant, CHOICES, (0, 2, 0)),
]  # fmt: skip
