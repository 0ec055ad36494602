"""Orders of channels and of flattened positions are folded into the weights before and behind them."""

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from tests.support.graphs import DIRECTIONS, Array, conv, converted, count, ints, model, node, random, weights

IMAGE = [2, 6, 5, 7]


def shuffled(x: str, y: str) -> list[Any]:
    """A channel shuffle of six channels in two groups."""
    return [
        node("Reshape", [x, "split"], [f"{x}_s"]),
        node("Transpose", [f"{x}_s"], [f"{x}_t"], perm=[0, 2, 1, 3, 4]),
        node("Reshape", [f"{x}_t", "merged"], [y]),
    ]


SHUFFLE = {"split": ints(0, 2, 3, 5, 7), "merged": ints(0, 6, 5, 7)}


def net(*nodes: Any, shape: Any = None, **constants: Array) -> ModelProto:
    return model(nodes, {"x": shape or IMAGE}, {"y": None}, {**SHUFFLE, **constants})


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
@pytest.mark.parametrize("between", ["nothing", "depthwise", "norm", "pool"])
def test_a_shuffle_before_a_conv_is_folded_into_it(between: str, to: str, dialect: str) -> None:
    middle = {
        "nothing": node("Identity", ["s"], ["m"]),
        "depthwise": conv("s", "m", "depth", group=6),
        "norm": node("BatchNormalization", ["s", "v", "v", "v", "v"], ["m"]),
        "pool": node("MaxPool", ["s"], ["m"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    }
    weights = {"w": random(6, 6, 3, 3), "depth": random(6, 1, 3, 3), "v": np.abs(random(6)) + 1}
    nodes = [conv("x", "c"), *shuffled("c", "s"), middle[between], node("Relu", ["m"], ["r"]), conv("r", "y")]
    assert count(converted(net(*nodes, **weights), to, dialect).model) == (
        2 if (to, dialect) == ("nhwc", "onnx") else 0
    )


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
def test_a_shuffle_behind_a_conv_is_folded_into_it(to: str, dialect: str) -> None:
    """Whatever reads the channels in their original order: the Conv before gives them so."""
    nodes = [conv("x", "c"), node("Relu", ["c"], ["r"]), *shuffled("r", "s"), node("Split", ["s"], ["a", "b"], axis=1),
             node("Mul", ["a", "b"], ["y"])]  # fmt: skip
    made = converted(net(*nodes, w=random(6, 6, 3, 3)), to, dialect, layouts={"y": to} if to == "nhwc" else {}).model
    assert count(made) == (2 if (to, dialect) == ("nhwc", "onnx") else 0)


def test_a_shuffle_between_grouped_convs_moves_data() -> None:
    """Each group reads channels of all groups before."""
    nodes = [conv("x", "c", group=2), *shuffled("c", "s"), conv("s", "y", group=2)]
    assert count(converted(net(*nodes, w=random(6, 3, 3, 3)), "nchw", "onnx").model) == 1


@pytest.mark.parametrize("count_of", [2, 3, 5])
def test_flattened_maps_of_any_sizes_in_one_matrix(count_of: int) -> None:
    """Each part keeps the order of its own map; of many parts those are combined that are alike."""
    nodes, constants, wide = [], {}, 0
    for i in range(count_of):
        kernel, channels = [1 + i % 3, 1 + i], 4 + i
        nodes += [conv("x", f"c{i}", f"w{i}"), node("MaxPool", [f"c{i}"], [f"p{i}"], kernel_shape=kernel),
                  node("Flatten", [f"p{i}"], [f"f{i}"])]  # fmt: skip
        constants[f"w{i}"] = random(channels, 6, 3, 3)
        wide += channels * (6 - kernel[0]) * (8 - kernel[1])
    flat = [f"f{i}" for i in range(count_of)]
    nodes += [node("Concat", flat, ["j"], axis=1), node("MatMul", ["j", "m"], ["y"])]
    result = converted(net(*nodes, m=random(wide, 3), **constants), "nhwc", "function")
    assert count(result.model) == 0
    assert bool(result.report.limited) == (count_of == 5)


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
def test_a_vector_split_into_maps_of_two_sizes(to: str, dialect: str) -> None:
    """The columns of the matrix before are in the order of each map."""
    sizes = {"lengths": ints(4 * 35, 3 * 6), "one": ints(2, 4, 5, 7), "two": ints(2, 3, 2, 3)}
    nodes = [
        node("MatMul", ["x", "m"], ["v"]), node("Split", ["v", "lengths"], ["f", "g"], axis=1),
        node("Reshape", ["f", "one"], ["a"]), node("Reshape", ["g", "two"], ["b"]),
        conv("a", "y", "w"), conv("b", "z", "u"),
    ]  # fmt: skip
    constants = {**sizes, "m": random(5, 4 * 35 + 18), "w": random(3, 4, 3, 3), "u": random(3, 3, 3, 3)}
    a_model = model(nodes, {"x": [2, 5]}, {"y": None, "z": None}, constants)
    assert count(converted(a_model, to, dialect).model) == (2 if (to, dialect) == ("nhwc", "onnx") else 0)


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_matrix_behind_a_flatten_keeps_its_axes(transposed: int) -> None:
    """Only the elements along one of them are in another order."""
    shape = (3, 6 * 35) if transposed else (6 * 35, 3)
    nodes = [conv("x", "c"), node("Flatten", ["c"], ["f"]), node("Gemm", ["f", "m"], ["y"], transB=transposed)]
    made = converted(net(*nodes, w=random(6, 6, 3, 3), m=random(*shape)), "nhwc", "function").model
    assert weights(made)["m"].shape == shape


@pytest.mark.parametrize("meta", [7, 35])
def test_flatten_concat_gemm(meta: int) -> None:
    """Two flattened images of different depth and a vector in one Gemm; two heads read the first."""
    nodes = [
        conv("x", "c"), conv("x", "d", "v"),
        node("Flatten", ["c"], ["f"]), node("Flatten", ["d"], ["g"]),
        node("Concat", ["f", "g", "k"], ["j"], axis=1), node("LayerNormalization", ["j", "scale"], ["l"]),
        node("Gemm", ["l", "m"], ["y"]), node("Gemm", ["f", "n"], ["z"]),
    ]  # fmt: skip
    wide = 6 * 35 + 4 * 35 + meta
    constants = {"w": random(6, 6, 3, 3), "v": random(4, 6, 3, 3), "m": random(wide, 3), "n": random(6 * 35, 5),
                 "scale": random(wide)}  # fmt: skip
    a_model = model(nodes, {"x": IMAGE, "k": [2, meta]}, {"y": None, "z": None}, constants)
    assert count(converted(a_model, "nhwc", "function").model) == 0
