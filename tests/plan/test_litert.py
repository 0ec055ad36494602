"""Plans at LiteRT's prices: what its file would transpose or gather is seen, and kernels spare it."""

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from passes.plan.cost import BYTES
from rewriter import RewriteResult, rewrite, validate
from tests.support.graphs import conv, count, model, node, random, weights

CHANNELS, BLOCK = 3, 2
SHUFFLED = CHANNELS * BLOCK**2


def planned(original: ModelProto, prices: str = "litert", **options: Any) -> RewriteResult:
    """As for a .tflite file, and proven."""
    result = rewrite(original, "nhwc", weight_layout="hwio", runtime=prices, **options)
    assert validate(original, result.model, layouts=result.layouts).fault is None
    return result


def attributes(result: RewriteResult, op: str, name: str) -> list[Any]:
    """What an attribute is of each node of an operator, a function or not; of one that has none, nothing."""
    nodes = (one for one in result.model.graph.node if one.op_type.split("_")[0] == op)
    found = (attr for one in nodes for attr in one.attribute)
    return [attr.s.decode() for attr in found if attr.name == name]


def pixels(*between: str, mode: str = "CRD", size: int = 6, outputs: tuple[str, ...] = ("y",)) -> ModelProto:
    """A Conv, operators by channel, and a DepthToSpace: CRD, as PyTorch has it."""
    operands = {"PRelu": ["s"], "Mul": ["s"]}
    nodes, last = [conv("x", "c")], "c"
    for op in between:
        nodes.append(node(op, [last, *operands.get(op, [])], [f"{last}_"]))
        last += "_"
    nodes.append(node("DepthToSpace", [last], ["y"], blocksize=BLOCK, mode=mode))
    constants = {"w": random(SHUFFLED, 2, 3, 3), "s": random(SHUFFLED, 1, 1)}
    shapes = {"y": [1, CHANNELS, size * 2 - 4, size * 2 - 2], "c": [1, SHUFFLED, size - 2, size - 1]}
    held = {name: constants[name] for name in {*constants} & {i for one in nodes for i in one.input}}
    return model(nodes, {"x": [1, 2, size, size + 1]}, {name: shapes[name] for name in outputs}, held)


@pytest.mark.parametrize("between", [(), ("Relu", "PRelu"), ("Mul", "Clip"), ("Identity", "Tanh")])
def test_a_kernel_puts_channels_into_tensorflows_order(between: tuple[str, ...]) -> None:
    result = planned(pixels(*between))
    assert attributes(result, "DepthToSpace", "mode") == ["DCR"]
    assert (count(result.model), count(result.model, "Gather"), result.plan.cost) == (0, 0, 0)


def test_the_order_is_that_of_another_reader_where_there_is_one() -> None:
    result = planned(pixels(outputs=("y", "c")))
    assert attributes(result, "DepthToSpace", "mode") == ["CRD"]
    assert result.plan.cost > 0


def test_what_costs_nothing_stays() -> None:
    """Of tensors that are moved alone, and where TensorFlow's order is that of the file."""
    original = pixels("Relu")
    result = planned(original, BYTES)
    assert attributes(result, "DepthToSpace", "mode") == ["CRD"]
    np.testing.assert_array_equal(weights(result.model)["w"], weights(original)["w"].transpose(2, 3, 1, 0))
    assert attributes(planned(pixels(mode="DCR")), "DepthToSpace", "mode") == ["DCR"]


def attention(heads: str) -> ModelProto:
    """Queries and keys of a picture's heads, channels last, and their products with values."""
    nodes = [
        node("Einsum", ["q", "k"], ["s"], equation="bqhd,bkhd->bhqk"),
        node("Softmax", ["s"], ["p"], axis=-1),
        node("Einsum", ["p", "v"], ["y"], equation=f"bhqk,bkhd->{heads}"),
    ]
    shape = [2, 7, 3, 5]
    return model(nodes, dict.fromkeys("qkv", shape), {"y": shape if heads == "bqhd" else [2, 3, 7, 5]})


@pytest.mark.parametrize(("heads", "transposes"), [("bqhd", 4), ("bhqd", 3)])
def test_what_an_einsum_would_transpose_inside_is_a_transpose(heads: str, transposes: int) -> None:
    result = planned(attention(heads), keep_io=True)
    assert (count(result.model), result.plan.cost) == (transposes, result.plan.bytes)
    assert planned(attention(heads), BYTES, keep_io=True).report.transposes[1] < transposes


@pytest.mark.parametrize("op", ["MatMul", "Gemm"])
def test_a_first_operand_is_transposed_before_a_product_of_matrices(op: str) -> None:
    """The converter writes no product of matrices that reads it transposed."""
    nodes = [node("Transpose", ["a"], ["t"], perm=[1, 0]), node(op, ["t", "b"], ["y"])]
    original = model(nodes, {"a": [7, 5], "b": [7, 3]}, {"y": [5, 3]})
    assert count(planned(original, keep_io=True).model) == 1
    assert count(planned(original, BYTES, keep_io=True).model) == 0
