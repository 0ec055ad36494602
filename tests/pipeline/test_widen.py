"""Short vectors along the last axis of images that come in: repeated along a row, and not where that would not do."""

from collections.abc import Sequence

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto

from rewriter import rewrite, validate
from tests.support.graphs import Array, conv, converted, dims, model, node, op_types, random, value, weights

HEIGHT, WIDTH = 20, 12
IMAGE = [1, 3, HEIGHT, WIDTH]
MEAN = {"mean": random(1, 3, 1, 1)}


def net(nodes: Sequence[NodeProto], vectors: dict[str, Array], image: Sequence[int | str] = IMAGE) -> ModelProto:
    """``nodes`` make ``a`` of ``x``; a Conv is behind them."""
    channels = image[1]
    assert isinstance(channels, int)
    kernel = {"w": random(4, channels, 3, 3)}
    return model([*nodes, conv("a", "y")], {"x": image}, {"y": None}, {**vectors, **kernel})


def shapes(original: ModelProto, to: str = "nhwc") -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in weights(converted(original, to, "function").model).items()}


def test_what_is_taken_from_an_image_that_comes_in_is_repeated_along_its_rows() -> None:
    nodes = [
        node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        node("Sub", ["f", "mean"], ["s"]),
        node("Div", ["s", "scale"], ["d"]),
        node("Relu", ["d"], ["r"]),
        node("Max", ["r", "least"], ["a"]),
    ]
    vectors = {**MEAN, "scale": random(3, 1, 1), "least": random(1, 3, 1, 1)}
    original = net(nodes, vectors)
    original.graph.input[0].CopyFrom(value("x", IMAGE, TensorProto.UINT8))
    result = converted(original, "nhwc", "function")
    found = weights(result.model)
    assert found.pop("w").shape == (4, 3, 3, 3)
    assert {array.shape for array in found.values()} == {(1, 1, WIDTH, 3), (1, WIDTH, 3)}
    back = weights(rewrite(result.model, "nchw").model)
    assert all(np.array_equal(back[name], array) for name, array in weights(original).items())
    assert dims(result.model.graph.input) == {"x": [1, HEIGHT, WIDTH, 3]}


def test_the_numbers_are_the_same() -> None:
    nodes = [node("Sub", ["x", "mean"], ["s"]), node("Pow", ["s", "two"], ["y"])]
    original = model(nodes, {"x": IMAGE}, {"y": IMAGE}, {**MEAN, "two": np.asarray(2.0, np.float32)})
    result = rewrite(original, "nhwc", layouts={"x": "nhwc", "y": "nhwc"})
    assert weights(result.model)["mean"].shape == (1, 1, WIDTH, 3)
    assert validate(original, result.model, layouts=result.layouts, rtol=0.0, providers=["cpu"]).ok


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ([1, 64, HEIGHT, WIDTH], "a vector of 64 is long enough"),
        ([1, 3, 15, WIDTH], "too few rows"),
        ([1, 3, HEIGHT, 6000], "too long a row"),
        ([1, 3, HEIGHT, "W"], "nobody knows how long a row is"),
        ([1, 1, HEIGHT, WIDTH], "no vector"),
    ],
)
def test_other_vectors_stay(image: list[int | str], why: str) -> None:
    channels = image[1]
    assert isinstance(channels, int)
    original = net([node("Sub", ["x", "mean"], ["a"])], {"mean": random(1, channels, 1, 1)}, image)
    assert shapes(original)["mean"] == (1, 1, 1, channels), why


def test_behind_a_conv_vectors_stay() -> None:
    """Runtimes fuse them with it."""
    nodes = [conv("x", "c", "k"), node("Sub", ["c", "mean"], ["a"])]
    assert shapes(net(nodes, {**MEAN, "k": random(3, 3, 3, 3)}))["mean"] == (1, 1, 1, 3)


def test_behind_a_transpose_vectors_stay() -> None:
    """The runtime moves it down to the Conv, where two cancel: what is in between is channels first then."""
    original = net([node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), node("Sub", ["f", "mean"], ["a"])], MEAN)
    original.graph.input[0].CopyFrom(value("x", IMAGE, TensorProto.UINT8))
    result = converted(original, "nhwc", "function", keep_io=True)
    assert op_types(result.model)[:3] == ["Transpose", "Cast", "Sub"]
    assert weights(result.model)["mean"].shape == (1, 1, 1, 3)


def test_what_is_shared_is_repeated_for_its_reader_alone() -> None:
    nodes = [node("Sub", ["x", "mean"], ["s"]), conv("s", "c", "k"), node("Add", ["c", "mean"], ["a"])]
    found = shapes(net(nodes, {**MEAN, "k": random(3, 3, 3, 3)}))
    assert sorted(shape for name, shape in found.items() if name.startswith("mean")) == [(1, 1, 1, 3), (1, 1, WIDTH, 3)]


def test_a_table_that_sizes_the_result_stays_a_table() -> None:
    """Its rows are alike; but the result has so many because of it."""
    table = np.repeat(random(1, 1, 1, 5), 7, axis=-2)
    nodes = [node("Add", ["x", "table"], ["y"])]
    original = model(nodes, {"x": [1, 3, 1, 5]}, {"y": [1, 3, 7, 5]}, {"table": table})
    result = converted(original, "nhwc", "onnx", layouts={"x": "nhwc", "y": "nhwc"})
    assert weights(result.model)["table"].shape == (1, 7, 5, 1)
