"""Every kind of layer that ONNX writes: kernels, norms and what belongs to none."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from rewriter.weights import TARGETS, export_weights
from tests.support.graphs import conv, ints, model, node, random
from tests.support.layers import IMAGE, one_layer

# Kernels


class Row(NamedTuple):
    """What a target makes of the kernels below, as letters, and of SAME_UPPER."""

    conv: str
    depthwise: str
    transposed: str
    dense: str
    padding: Any
    pad: list[Any] | None = None


ROWS = {
    "pytorch": Row("OIHW", "OIHW", "IOHW", "OI", [0, 0], [1, 1, 0, 1]),
    "tensorflow": Row("HWIO", "HWCM", "HWOI", "IO", "SAME"),
    "tflite": Row("OHWI", "1HWC", "OHWI", "OI", "SAME"),
    "flax": Row("HWIO", "HWIO", "HWIO", "IO", [(0, 1), (1, 1)]),
}


def shape(letters: str, **sizes: int) -> tuple[int, ...]:
    """Of a kernel of 3 x 2; other axes have size one."""
    return tuple({"H": 3, "W": 2, **sizes}.get(letter, 1) for letter in letters)


@pytest.mark.parametrize("target", TARGETS)
def test_conv(target: str) -> None:
    w = random(10, 3, 3, 2)
    export = one_layer("Conv", {"w": w}, IMAGE, target)
    found = export.tensors["w"]
    letters, tensor = ROWS[target].conv, export.manifest.tensors["w"]
    assert (tensor.old, tensor.new, found.shape) == ("OIHW", letters, shape(letters, O=10, I=3))
    assert tensor.new is not None
    np.testing.assert_array_equal(found, w.transpose(tensor.change.perm))
    assert [tensor.new.index(letter) for letter in "OIHW"] == [tensor.change.perm.index(a) for a in range(4)]


@pytest.mark.parametrize("target", TARGETS)
def test_depthwise(target: str) -> None:
    w = random(6, 1, 3, 2)
    export = one_layer("Conv", {"w": w}, IMAGE, target, group=3)
    letters = ROWS[target].depthwise
    channels = {"C": 3, "M": 2} if "M" in letters else {"C": 6}
    assert export.manifest.tensors["w"].new == letters
    assert export.tensors["w"].shape == shape(letters, O=6, **channels)
    assert export.manifest.layers["layer"].kind == "depthwise_conv"


@pytest.mark.parametrize("target", TARGETS)
def test_groups_of_several_channels(target: str) -> None:
    export = one_layer("Conv", {"w": random(9, 2, 3, 2)}, [2, 6, 5, 7], target, group=3)
    layer = export.manifest.layers["layer"]
    assert (layer.kind, layer.settings["groups"]) == ("conv", 3)
    assert export.tensors["w"].shape == shape(ROWS[target].conv, O=9, I=2)


def test_one_input_channel_is_not_depthwise() -> None:
    export = one_layer("Conv", {"w": random(6, 1, 3, 3)}, [2, 1, 5, 7], "tensorflow")
    assert export.manifest.layers["layer"].kind == "conv"
    assert export.tensors["w"].shape == (3, 3, 1, 6)


@pytest.mark.parametrize("target", TARGETS)
def test_conv_transpose(target: str) -> None:
    w = random(3, 4, 3, 2)
    export = one_layer("ConvTranspose", {"w": w}, IMAGE, target)
    letters = ROWS[target].transposed
    assert (export.manifest.tensors["w"].new, export.tensors["w"].shape) == (letters, shape(letters, I=3, O=4))
    flipped = w[:, :, ::-1, ::-1] if target == "flax" else w
    np.testing.assert_array_equal(export.tensors["w"], flipped.transpose(export.manifest.tensors["w"].change.perm))


def test_flax_transpose_kernel() -> None:
    w = random(3, 4, 3, 2)
    proto = model([node("ConvTranspose", ["x", "w"], ["y"], "up")], {"x": IMAGE}, {"y": None}, {"w": w})
    export = export_weights(proto, "flax", transpose_kernel=True)
    np.testing.assert_array_equal(export.tensors["w"], w.transpose(2, 3, 1, 0))
    assert export.manifest.layers["up"].settings["transpose_kernel"] is True


@pytest.mark.parametrize(("op", "transposed"), [("Gemm", 0), ("Gemm", 1), ("MatMul", None)])
@pytest.mark.parametrize("target", TARGETS)
def test_dense(op: str, transposed: int | None, target: str) -> None:
    w = random(7, 4)
    stored = w.T.copy() if transposed else w
    export = one_layer(op, {"w": stored}, [2, 7], target, **({"transB": 1} if transposed else {}))
    letters = ROWS[target].dense
    assert (export.manifest.tensors["w"].new, export.tensors["w"].shape) == (letters, shape(letters, I=7, O=4))
    np.testing.assert_array_equal(export.tensors["w"], w if letters == "IO" else w.T)


def test_the_bias_of_a_matmul_is_the_vector_added_to_it() -> None:
    nodes = [node("MatMul", ["x", "w"], ["m"], "fc"), node("Add", ["b", "m"], ["y"])]
    proto = model(nodes, {"x": [2, 7]}, {"y": None}, {"w": random(7, 4), "b": random(4)})
    assert export_weights(proto, "flax").manifest.layers["fc"].parameters == {"kernel": "w", "bias": "b"}


def test_a_vector_added_to_a_result_that_others_read_is_no_bias() -> None:
    nodes = [node("MatMul", ["x", "w"], ["m"], "fc"), node("Add", ["m", "b"], ["y"]), node("Relu", ["m"], ["z"])]
    proto = model(nodes, {"x": [2, 7]}, {"y": None, "z": None}, {"w": random(7, 4), "b": random(4)})
    export = export_weights(proto, "flax")
    assert export.manifest.layers["fc"].parameters == {"kernel": "w"}
    np.testing.assert_array_equal(export.tensors["b"], random(4))


# What belongs to no kernel


def test_operands_follow_the_data() -> None:
    nodes = [conv("x", "c"), node("Add", ["c", "image"], ["d"]), node("Mul", ["d", "channel"], ["y"])]
    constants = {"w": random(3, 3, 3, 3), "image": random(1, 3, 5, 7), "channel": random(3, 1, 1)}
    proto = model(nodes, {"x": IMAGE}, {"y": IMAGE}, constants)
    last, first = export_weights(proto, "flax").tensors, export_weights(proto, "pytorch").tensors
    np.testing.assert_array_equal(last["image"], random(1, 3, 5, 7).transpose(0, 2, 3, 1))
    layouts = {name: tensor.layout for name, tensor in export_weights(proto, "flax").manifest.tensors.items()}
    assert layouts == {"w": ["OIHW", "HWIO"], "image": ["NCHW", "NHWC"], "channel": ["CHW", "HWC"]}
    assert np.broadcast_to(last["channel"], (5, 7, 3)).shape == (5, 7, 3)
    np.testing.assert_array_equal(first["image"], constants["image"])
    np.testing.assert_array_equal(first["channel"], constants["channel"])


def test_axes_shapes_and_limits_are_no_weights() -> None:
    nodes = [
        conv("x", "c"),
        node("Clip", ["c", "least", "most"], ["d"]),
        node("Reshape", ["d", "shape"], ["y"]),
    ]
    constants = {"w": random(3, 3, 3, 3), "least": np.float32(0), "most": np.float32(6), "shape": ints(2, -1)}
    export = export_weights(
        model(nodes, {"x": IMAGE}, {"y": None}, {k: np.asarray(v) for k, v in constants.items()}), "flax"
    )
    assert list(export.tensors) == ["w"]


def test_batch_norm_names_and_conventions() -> None:
    constants = {name: random(3) for name in ("scale", "shift", "mean", "variance")}
    attrs = {"epsilon": 1e-3, "momentum": 0.9}
    torch = one_layer("BatchNormalization", constants, IMAGE, "pytorch", **attrs).manifest
    keras = one_layer("BatchNormalization", constants, IMAGE, "tensorflow", **attrs).manifest
    flax = one_layer("BatchNormalization", constants, IMAGE, "flax", **attrs).manifest
    assert list(torch.layers["layer"].parameters) == ["weight", "bias", "running_mean", "running_var"]
    assert list(keras.layers["layer"].parameters) == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [t.collection for t in flax.tensors.values()] == ["params", "params", "batch_stats", "batch_stats"]
    assert [m.layers["layer"].settings["momentum"] for m in (torch, keras, flax)] == [0.1, 0.9, 0.9]
    assert [m.layers["layer"].settings["epsilon"] for m in (torch, keras, flax)] == [0.001] * 3


@pytest.mark.parametrize("target", TARGETS)
def test_same_upper_is_tensorflows_same(target: str) -> None:
    export = one_layer("Conv", {"w": random(4, 3, 3, 3)}, [2, 3, 6, 7], target, strides=[2, 2], auto_pad="SAME_UPPER")
    settings = export.manifest.layers["layer"].settings
    assert (settings["padding"], settings.get("pad")) == ROWS[target][-2:]
    assert "for_size" not in settings


@pytest.mark.parametrize(("op", "auto_pad"), [("Conv", "SAME_LOWER"), ("AveragePool", "SAME_LOWER")])
def test_padding_by_an_unknown_size_is_told(op: str, auto_pad: str) -> None:
    given = {"w": random(4, 3, 3, 3)} if op == "Conv" else {}
    attrs = {"strides": [2, 2], "auto_pad": auto_pad, "kernel_shape": [3, 3]}
    proto = model([node(op, ["x", *given], ["y"], "layer", **attrs)], {"x": [2, 3, "H", "W"]}, {"y": None}, given)
    manifest = export_weights(proto, "tensorflow").manifest
    assert "padding" not in manifest.layers["layer"].settings
    assert any("pads by the input's size" in note for note in manifest.notes)


LACKS = [
    ("tflite", "ConvTranspose", (3, 4, 3, 2), {"dilations": [2, 1]}, "TRANSPOSE_CONV has no dilation"),
    ("tensorflow", "Conv", (4, 3, 3, 2), {"strides": [2, 1], "dilations": [2, 1]}, "no strides with dilations"),
    ("pytorch", "Gemm", (7, 4), {"alpha": 0.5}, "scale the product by alpha"),
    ("pytorch", "Gemm", (7, 4), {"beta": 2.0}, "the bias by beta"),
]


@pytest.mark.parametrize(("target", "op", "sizes", "attrs", "words"), LACKS)
def test_what_the_targets_layer_lacks_is_told(
    target: str, op: str, sizes: tuple[int, ...], attrs: dict[str, Any], words: str
) -> None:
    x = [2, 7] if op == "Gemm" else IMAGE
    weights = {"w": random(*sizes), "b": random(4)}
    assert one_layer(op, weights, x, target).manifest.notes == []
    (note,) = one_layer(op, weights, x, target, **attrs).manifest.notes
    assert words in note


@pytest.mark.parametrize(("auto_pad", "before"), [("NOTSET", 1), ("SAME_LOWER", 1), ("SAME_UPPER", 0)])
def test_an_output_shape_is_what_is_cut(auto_pad: str, before: int) -> None:
    """Of 11 and 15 results 10 and 14 are wanted: https://onnx.ai/onnx/operators/onnx__ConvTranspose.html."""
    attrs = {"strides": [2, 2], "output_shape": [10, 14], "auto_pad": auto_pad}
    manifest = one_layer("ConvTranspose", {"w": random(3, 4, 3, 3)}, IMAGE, "flax", **attrs).manifest
    pair = (2 - before, 1 + before)  # flax pads what is not cut of the kernel's two
    assert manifest.layers["layer"].settings["padding"] == [pair] * 2
    assert manifest.notes == []


def test_an_output_shape_of_an_unknown_size_is_told() -> None:
    up = node("ConvTranspose", ["x", "w"], ["y"], "layer", strides=[2, 2], output_shape=[10, 14])
    proto = model([up], {"x": [2, 3, "H", "W"]}, {"y": None}, {"w": random(3, 4, 3, 3)})
    manifest = export_weights(proto, "flax").manifest
    assert "padding" not in manifest.layers["layer"].settings
    assert any("output_shape cuts by the input's size" in note for note in manifest.notes)


def test_a_dense_behind_two_flattened_maps_of_different_channels() -> None:
    """Each part of its rows has an order of its own, and nothing is transposed."""
    nodes = [conv("x", "a", "u"), conv("x", "b", "v"), node("Flatten", ["a"], ["f"]), node("Flatten", ["b"], ["g"])]
    nodes += [node("Concat", ["f", "g"], ["c"], axis=1), node("Gemm", ["c", "m"], ["y"], "fc")]
    constants = {"u": random(6, 3, 3, 3), "v": random(4, 3, 3, 3), "m": random(10 * 35, 5)}
    export = export_weights(model(nodes, {"x": [2, 3, 7, 5]}, {"y": None}, constants), "tensorflow")
    parts = (
        rows.reshape(n, 35, 5).swapaxes(0, 1).reshape(-1, 5)
        for n, rows in zip((6, 4), np.split(constants["m"], [210]), strict=True)
    )
    np.testing.assert_array_equal(export.tensors["m"], np.concatenate(list(parts)))
    assert [note.partition(":")[0] for note in export.manifest.notes] == [
        "reordered for a Flatten (or Unflatten) of HWC"
    ]
