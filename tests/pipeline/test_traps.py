"""The traps that layout converters fell into, one test each: small graphs that hold in every mode and at both levels
of onnxruntime, with sizes that differ and layouts that are no swaps."""

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from passes.layout import perm
from tests.support.engines import default, disabled
from tests.support.graphs import INT64, Array, conv, converted, count, dims, graph, ints, model, node, random, value
from tests.support.modes import DIRECTIONS, MODES, WAYS, check_same, check_valid, convert, names_and_results

IMAGE = (2, 3, 5, 7)
KERNEL = random(3, 3, 3, 3)


def hold(a_model: ModelProto, feeds: dict[str, Any] | None = None, seeds: int = 4) -> None:
    """Every conversion of the model is valid and gives its results, without onnxruntime's optimiser and with it."""
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in a_model.graph.input}
    fed = feeds or {name: random(*shape) for name, shape in shapes.items()}
    wanted = disabled(a_model, fed)
    for mode in MODES:
        for seed in range(1 if mode in WAYS else seeds):
            made = convert(a_model, mode, seed)
            check_valid(made, a_model)
            for engine in (disabled, default):
                found = engine(made.model, {name: made.stored(name, array) for name, array in fed.items()})
                for (name, array), one in zip(names_and_results(a_model, wanted), found, strict=True):
                    check_same(one, made.stored(name, array), f"{name}, {mode}, {engine.__name__}", 1e-4, 1e-5)


def image_net(*nodes: Any, outputs: Any = None, opset: int = 17, **constants: Array) -> ModelProto:
    """A Conv from ``x`` to ``c``, then these nodes, to ``y``."""
    held = {"w": KERNEL, **constants}
    return model([conv(), *nodes], {"x": IMAGE}, outputs or {"y": None}, held, opset=opset, ir=9)


def test_1_axes_inputs_are_written_densely() -> None:
    """Transpose around Pad with axes crashes in onnxruntime, or (four permuted axes) gives a wrong shape."""
    for axes in ([2, 3], [3, 1, 0, 2], [-1]):
        pads = ints(*range(2 * len(axes)))
        a_model = image_net(node("Pad", ["c", "p", "", "a"], ["y"]), opset=18, p=pads, a=ints(*axes))
        hold(a_model)
        made = convert(a_model, "nhwc function", 0).model
        (pad,) = [n for n in made.graph.node if n.op_type == "Pad"]
        (length,) = [t.dims[0] for t in made.graph.initializer if t.name == pad.input[1]]
        assert length == 8


def test_2_a_shared_constant_is_not_permuted_twice() -> None:
    """One constant shared by two readers, permuted twice."""
    nodes = [conv("c", "d"), node("Add", ["d", "w2"], ["e"]), node("Mul", ["e", "w2"], ["y"])]
    hold(image_net(*nodes, w2=random(3, 1, 1)))
    alike = model([conv("x", "c"), node("Mul", ["w", "w"], ["k"]), conv("c", "y")], {"x": IMAGE},
                  {"y": None, "k": None}, {"w": KERNEL})  # fmt: skip
    hold(alike)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("opset", [11, 13])
def test_3_softmax_before_opset_13_is_not_along_one_axis(op: str, opset: int) -> None:
    """Softmax/LogSoftmax/Hardmax before opset 13 flatten to 2-D; they are not unary."""
    for axis in range(4):
        hold(image_net(node(op, ["c"], ["y"], axis=axis), opset=opset))


@pytest.mark.parametrize("axis", [None, 1, -3])
def test_4_the_axis_of_quantisation_follows(axis: int | None) -> None:
    """Per-axis Q/DQ axis; axis default and negative values; Q/DQ after Unsqueeze."""
    attrs = {} if axis is None else {"axis": axis}
    scale, zero = np.asarray([0.5, 0.25, 1.0], dtype=np.float32), np.asarray([0, 3, -5], dtype=np.int8)
    nodes = [node("QuantizeLinear", ["c", "s", "z"], ["q"], **attrs),
             node("DequantizeLinear", ["q", "s", "z"], ["y"], **attrs)]  # fmt: skip
    hold(image_net(*nodes, s=scale, z=zero))
    late = [node("Unsqueeze", ["c", "a"], ["u"]), node("QuantizeLinear", ["u", "s", "z"], ["q"], axis=2),
            node("DequantizeLinear", ["q", "s", "z"], ["y"], axis=2)]  # fmt: skip
    hold(image_net(*late, s=scale, z=zero, a=ints(0)))


def test_5_forced_layouts_are_no_swaps_and_sizes_differ() -> None:
    """Equal dims hide wrong perms: always distinct primes."""
    assert len(set(IMAGE)) == 4
    for seed in range(8):
        p = convert(image_net(node("Relu", ["c"], ["y"])), "forced onnx", seed).layouts["x"].perm
        assert p != perm.inverse(p)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (5, 1), (3, 1, 1), (1, 3, 1, 7), (2, 1, 5, 1)])
def test_6_operands_of_lower_rank_are_aligned(shape: tuple[int, ...]) -> None:
    """Rank-0 and lower-rank operands under broadcasting; (1,) constants; PRelu slopes; Where."""
    nodes = [node("Add", ["k", "c"], ["a"]), node("PRelu", ["a", "k"], ["b"]), node("Less", ["b", "k"], ["l"]),
             node("Where", ["l", "k", "b"], ["y"])]  # fmt: skip
    hold(image_net(*nodes, k=random(*shape)))
    fed = model([conv(), *nodes], {"x": IMAGE, "k": shape}, {"y": None}, {"w": KERNEL})
    hold(fed)


def test_7_values_that_others_read() -> None:
    """Graph outputs that are also read inside; a value captured by an If body; unnamed nodes."""
    branches = {
        f"{name}_branch": graph([node(op, ["c"], [name])], [], {name: IMAGE})
        for name, op in (("then", "Neg"), ("else", "Abs"))
    }
    nodes = [node("ReduceMax", ["c"], ["m"], keepdims=0), node("Greater", ["m", "zero"], ["go"]),
             node("If", ["go"], ["i"], **branches), conv("c", "y")]  # fmt: skip
    a_model = image_net(*nodes, outputs={"c": IMAGE, "i": IMAGE, "y": None}, zero=np.asarray(0, np.float32))
    assert not any(n.name for n in a_model.graph.node)
    hold(a_model)


def test_8_no_identity_transpose_is_left() -> None:
    """An identity Transpose left before Gemm breaks onnxruntime's fusion."""
    nodes = [node("GlobalAveragePool", ["c"], ["g"]), node("Flatten", ["g"], ["f"]), node("Gemm", ["f", "k"], ["y"])]
    a_model = image_net(*nodes, k=random(3, 4))
    hold(a_model)
    made = convert(a_model, "nhwc function", 0).model
    assert count(made) == 0
    (gemm,) = [n for n in made.graph.node if n.op_type == "Gemm"]
    assert [n.op_type for n in made.graph.node if gemm.input[0] in n.output] == ["Flatten"]


def test_9_values_that_count_positions() -> None:
    """MaxPool's Indices, MaxUnpool, ArgMax ties, NonZero row order, TopK: the values depend on layout."""
    pool = node("MaxPool", ["c"], ["p", "i"], kernel_shape=[2, 2], strides=[2, 2])
    unpool = node("MaxUnpool", ["p", "i"], ["y"], kernel_shape=[2, 2], strides=[2, 2])
    even = model([pool, unpool], {"c": (2, 3, 4, 6)}, [value("y", None), value("i", None, INT64)])
    hold(even)
    ties = np.repeat(np.arange(15, dtype=np.float32), 14).reshape(IMAGE) % 4
    for op, inputs, outputs, attrs in (
        ("ArgMax", ["s"], ["y"], {"axis": 3}), ("ArgMin", ["s"], ["y"], {"axis": 0, "keepdims": 0}),
        ("NonZero", ["s"], ["y"], {}), ("TopK", ["s", "k"], ["v", "y"], {"axis": 1}),
    ):  # fmt: skip
        nodes = [
            node("GlobalMaxPool", ["x"], ["g"]),
            node("Sub", ["x", "g"], ["s"]),
            node(op, inputs, outputs, **attrs),
        ]
        hold(model(nodes, {"x": IMAGE}, [value("y", None, INT64)], {"k": ints(2)}), {"x": ties})


@pytest.mark.parametrize(
    "nodes",
    [
        [node("InstanceNormalization", ["c", "s", "b"], ["y"])],
        [node("GroupNormalization", ["c", "s", "b"], ["y"], num_groups=3)],
        [node("LRN", ["c"], ["y"], size=3)],
        [node("SpaceToDepth", ["d"], ["e"], blocksize=2), node("DepthToSpace", ["e"], ["y"], blocksize=2, mode="CRD")],
        [node("Reshape", ["c", "zeros"], ["y"])],
        [node("Flatten", ["c"], ["y"], axis=2)],
        [node("Flatten", ["c"], ["y"], axis=0)],
    ],
    ids=lambda nodes: nodes[0].op_type,
)
def test_10_the_order_of_channels(nodes: list[Any]) -> None:
    """GroupNorm/InstanceNorm/LRN/DepthToSpace channel order; Reshape with 0 and -1; Flatten axis."""
    even = node("Slice", ["c", "from", "to", "axes"], ["d"])
    slices = {"from": ints(0, 0), "to": ints(4, 6), "axes": ints(2, 3)}
    hold(image_net(even, *nodes, opset=21, s=random(3), b=random(3), zeros=ints(0, 0, -1), **slices))


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS.values())
def test_11_a_transpose_in_attention_is_no_change_of_layout(to: str, dialect: str) -> None:
    """A [0,2,1] Transpose in attention is no layout change."""
    nodes = [node("Transpose", ["x"], ["t"], perm=[0, 2, 1]), node("MatMul", ["x", "t"], ["s"]),
             node("Softmax", ["s"], ["p"]), node("MatMul", ["p", "x"], ["y"])]  # fmt: skip
    a_model = model(nodes, {"x": (2, 5, 7)}, {"y": None})
    result = converted(a_model, to, dialect)
    assert result.layouts == {}
    assert result.report.changed == (dialect == "onnxruntime")  # which writes it as one Attention
    hold(a_model)


def test_12_a_function_is_given_no_empty_input() -> None:
    """An empty optional input given to a function stays one when onnxruntime inlines it, and stops its fusions."""
    a_model = image_net(node("ConvTranspose", ["c", "w", ""], ["y"]), opset=21)
    hold(a_model)
    made = convert(a_model, "nhwc function", 0).model
    assert [n.op_type for n in made.graph.node] == ["ConvNoBias_NHWC", "ConvTransposeNoBias_NHWC"]


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "LpPool"])
@pytest.mark.parametrize("declared", [None, 4])
def test_13_a_window_that_starts_in_the_padding_is_left_out(op: str, declared: int | None) -> None:
    """Before opset 22 onnx infers one window too many along an odd axis; a model may declare what is true."""
    window = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}
    nodes = [conv(), node(op, ["c"], ["p"], **window), node("Reshape", ["p", "s"], ["y"])]
    constants = {"w": KERNEL, "s": ints(2, -1)}
    a_model = model(nodes, {"x": (2, 3, 4, 7)}, {"y": None}, constants, opset=18)
    if declared is not None:
        a_model.graph.value_info.append(value("p", (2, 3, 3, declared)))
    hold(a_model)
    assert dims(convert(a_model, "nchw", 0).model.graph.value_info)["p"] == [2, 3, 3, 4]


@pytest.mark.parametrize("perm_of_a", [[1, 0], [0, 1], None])
def test_16_a_transpose_that_makes_a_graph_output_is_not_read_by_gemm(perm_of_a: list[int] | None) -> None:
    """onnxruntime folds the Transposes of both operands into Gemm, and removes the one that makes a graph output."""
    attrs = {} if perm_of_a is None else {"perm": perm_of_a}
    nodes = [node("Transpose", ["x"], ["t"], **attrs), node("Transpose", ["v"], ["u"], perm=[1, 0]),
             node("Gemm", ["t", "u"], ["y"], transA=int(perm_of_a != [0, 1])),
             node("Identity", ["t"], ["z"])]  # fmt: skip
    hold(model(nodes, {"x": (5, 7), "v": (3, 7)}, {"y": None, "z": None}))
