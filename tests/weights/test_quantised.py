"""Integers: the real numbers that they stand for, or with --keep-quantized themselves, and their scales."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static

from rewriter.weights import TARGETS, Export, export_weights
from tests.support.engines import default
from tests.support.graphs import Array, conv, model, node, random
from tests.support.layers import IMAGE


def integers(*shape: int) -> Array:
    return np.random.default_rng(shape).integers(-128, 128, shape).astype(np.int8)


def dequantised_conv(axis: int = 0, groups: int = 1, zero: bool = True) -> onnx.ModelProto:
    """A Conv of 6 channels, scaled along an axis of its kernel."""
    w = integers(6, 3 // groups, 3, 2)
    n = w.shape[axis]
    constants = {"w": w, "scale": np.abs(random(n)), **({"zero": integers(n)} if zero else {})}
    scaled = node("DequantizeLinear", list(constants), ["k"], axis=axis)
    return model([scaled, conv(w="k", group=groups)], {"x": IMAGE}, {"c": None}, constants)


def scaled(w: Array, scale: Array, zero: Array | float = 0) -> Array:
    return (w.astype(np.float32) - zero) * scale


def rebuilt(export: Export, layer: str, parameter: str) -> Array:
    """The real numbers, of the file's integers and what the record of their layer says."""
    entry = export.manifest.layers[layer]
    told, tensor = entry.settings["quantization"][parameter], export.tensors[entry.parameters[parameter]]
    shape = [n if told["axis"] is None or axis in told["axis"] else 1 for axis, n in enumerate(tensor.shape)]
    scale, zero = (np.asarray(told[key], np.float32) for key in ("scale", "zero_point"))
    if told["axis"] is not None:
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return scaled(tensor, scale, zero)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("axis", "groups", "zero"), [(0, 1, True), (0, 3, True), (0, 1, False), (1, 1, True)])
def test_a_kernel(axis: int, groups: int, zero: bool, target: str) -> None:
    proto = dequantised_conv(axis, groups, zero)
    real, kept = export_weights(proto, target), export_weights(proto, target, keep_quantized=True)
    held = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer}
    shape = [-1 if a == axis else 1 for a in range(4)]
    offset = held["zero"].astype(np.float32).reshape(shape) if zero else 0
    expected = scaled(held["w"], held["scale"].reshape(shape), offset)
    np.testing.assert_array_equal(real.manifest.tensors["w"].change.undo(real.tensors["w"]), expected)
    assert list(real.tensors) == ["w"]
    assert (real.tensors["w"].dtype, kept.tensors["w"].dtype) == (np.dtype(np.float32), np.dtype(np.int8))
    (name, layer), *_ = kept.manifest.layers.items()
    np.testing.assert_array_equal(rebuilt(kept, name, next(iter(layer.parameters))), real.tensors["w"])
    assert any("real numbers that they stand for" in note for note in real.manifest.notes)
    assert any("integers stay integers" in note for note in kept.manifest.notes)


def test_multipliers_have_two_axes() -> None:
    kept = export_weights(dequantised_conv(groups=3), "tensorflow", keep_quantized=True)
    (layer,) = kept.manifest.layers.values()
    assert layer.settings["quantization"]["kernel"]["axis"] == [2, 3]  # HWCM


@pytest.mark.parametrize("target", TARGETS)
def test_a_scale_along_an_axis_behind_a_transpose_and_before_one(target: str) -> None:
    """OHWI, as tf2onnx reads a TFLite file, dequantised between two Transposes."""
    w, scale = integers(6, 3, 2, 3), np.abs(random(6))
    nodes = [
        node("Transpose", ["w"], ["a"], perm=[1, 2, 3, 0]),
        node("DequantizeLinear", ["a", "scale"], ["b"], axis=-1),
        node("Transpose", ["b"], ["k"], perm=[3, 2, 0, 1]),
        conv(w="k"),
    ]
    proto = model(nodes, {"x": IMAGE}, {"c": None}, {"w": w, "scale": scale})
    export = export_weights(proto, target)
    expected = scaled(w, scale.reshape(-1, 1, 1, 1))
    np.testing.assert_array_equal(export.manifest.tensors["w"].change.undo(export.tensors["w"]), expected)


@pytest.mark.parametrize("keep", [False, True])
def test_scales_follow_columns_that_are_reordered(keep: bool) -> None:
    """A Dense before an Unflatten to an image: TensorFlow's columns are H, W, C."""
    w, scale = integers(7, 30), np.abs(random(30))
    nodes = [
        node("DequantizeLinear", ["w", "scale"], ["k"], axis=1),
        node("MatMul", ["x", "k"], ["m"], "fc"),
        node("Reshape", ["m", "shape"], ["r"]),
        conv("r", "y", "v"),
    ]
    constants = {"w": w, "scale": scale, "shape": np.asarray([2, 3, 2, 5]), "v": random(4, 3, 1, 1)}
    export = export_weights(model(nodes, {"x": [2, 7]}, {"y": None}, constants), "tensorflow", keep_quantized=keep)
    found = rebuilt(export, "fc", "kernel") if keep else export.tensors["w"]
    expected = scaled(w, scale).reshape(7, 3, 2, 5).transpose(0, 2, 3, 1).reshape(7, 30)
    np.testing.assert_array_equal(found, expected)


def test_an_operand_of_no_layer() -> None:
    nodes = [node("DequantizeLinear", ["b", "scale"], ["k"]), node("Add", ["x", "k"], ["y"])]
    constants = {"b": integers(5), "scale": np.asarray(0.5, np.float32)}
    export = export_weights(model(nodes, {"x": [2, 5]}, {"y": None}, constants), "flax")
    np.testing.assert_array_equal(export.tensors["b"], scaled(integers(5), constants["scale"]))


def test_blocks_are_computed() -> None:
    w, scale = integers(8, 4), np.abs(random(2, 4))
    nodes = [node("DequantizeLinear", ["w", "s"], ["k"], axis=0, block_size=4), node("MatMul", ["x", "k"], ["y"], "fc")]
    proto = model(nodes, {"x": [2, 8]}, {"y": None}, {"w": w, "s": scale}, opset=21)
    np.testing.assert_array_equal(export_weights(proto, "flax").tensors["k"], scaled(w, scale.repeat(4, 0)))


def test_integers_of_an_unknown_scale_are_told() -> None:
    nodes = [node("MatMulInteger", ["x", "w"], ["y"], "fc")]
    inputs = [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, [2, 7])]
    outputs = [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.INT32, None)]
    export = export_weights(model(nodes, inputs, outputs, {"w": integers(7, 4)}), "flax")
    np.testing.assert_array_equal(export.tensors["w"], integers(7, 4))
    assert any("'w' holds integers whose scale is not known" in note for note in export.manifest.notes)


class Data(CalibrationDataReader):  # type: ignore[misc]
    """Random images."""

    def __init__(self) -> None:
        self.images = iter([{"x": random(*IMAGE) * factor} for factor in (1, 2, 3)])

    def get_next(self) -> Any:
        return next(self.images, None)


def net() -> onnx.ModelProto:
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1, 0, 1, 1]),
        node("Relu", ["c"], ["r"]),
        node("Flatten", ["r"], ["f"]),
        node("MatMul", ["f", "fc"], ["m"], "fc"),
        node("Add", ["m", "d"], ["y"]),
    ]
    constants = {"w": random(6, 3, 3, 2), "b": random(6), "fc": random(6 * 5 * 7, 4), "d": random(4)}
    return model(nodes, {"x": IMAGE}, {"y": None}, constants)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("form", ["QOperator", "QDQ", "dynamic"])
def test_what_onnxruntime_quantises(form: str, per_channel: bool, tmp_path: Path) -> None:
    """Its files hold the float model's weights to half a step, and a float model of ours gives what they give."""
    onnx.save(net(), tmp_path / "net.onnx")
    if form == "dynamic":
        quantize_dynamic(tmp_path / "net.onnx", tmp_path / "q.onnx", per_channel=per_channel)
    else:
        quantize_static(tmp_path / "net.onnx", tmp_path / "q.onnx", Data(), QuantFormat[form], per_channel=per_channel)
    ours, theirs = export_weights(tmp_path / "q.onnx", "tensorflow"), export_weights(net(), "tensorflow")
    assert [list(layer.parameters) for layer in ours.manifest.layers.values()] == [["kernel", "bias"]] * 2
    for found, wanted in zip(ours.manifest.layers.values(), theirs.manifest.layers.values(), strict=True):
        for parameter, name in found.parameters.items():
            real, expected = ours.tensors[name], theirs.tensors[wanted.parameters[parameter]]
            assert (real.dtype, real.shape) == (np.dtype(np.float32), expected.shape)
            assert np.abs(real - expected).max() <= 0.51 * np.abs(expected).max() / 127
    assert set(ours.tensors) == {n for layer in ours.manifest.layers.values() for n in layer.parameters.values()}
    assert np.isfinite(default(onnx.load(tmp_path / "q.onnx"), {"x": random(*IMAGE)})[0]).all()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("form", ["QOperator", "QDQ", "dynamic"])
def test_what_is_kept_stands_for_what_is_not(form: str, per_channel: bool, target: str, tmp_path: Path) -> None:
    """QLinearConv and QLinearMatMul, DequantizeLinear, ConvInteger and MatMulInteger: integers, scales, zero points."""
    onnx.save(net(), tmp_path / "net.onnx")
    if form == "dynamic":
        quantize_dynamic(tmp_path / "net.onnx", tmp_path / "q.onnx", per_channel=per_channel)
    else:
        quantize_static(tmp_path / "net.onnx", tmp_path / "q.onnx", Data(), QuantFormat[form], per_channel=per_channel)
    ops = {n.op_type for n in onnx.load(tmp_path / "q.onnx").graph.node}
    assert ops >= {"QOperator": {"QLinearConv", "QLinearMatMul"}, "QDQ": {"DequantizeLinear"}}.get(
        form, {"ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"}
    )
    real = export_weights(tmp_path / "q.onnx", target)
    kept = export_weights(tmp_path / "q.onnx", target, keep_quantized=True)
    assert kept.tensors.keys() == real.tensors.keys()
    for name, layer in kept.manifest.layers.items():
        told = layer.settings["quantization"]
        assert kept.tensors[layer.parameters[next(iter(layer.parameters))]].dtype in (np.int8, np.uint8)
        for parameter, tensor in layer.parameters.items():
            found = rebuilt(kept, name, parameter) if parameter in told else kept.tensors[tensor]
            np.testing.assert_allclose(found, real.tensors[tensor], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_onnxruntimes_gemm_of_integers(turned: bool, keep: bool) -> None:
    w, scale, bias = integers(4, 7), np.abs(random(4)), integers(4).astype(np.int32)
    numbers = {
        "s": np.float32(0.5),
        "z": np.uint8(3),
        "t": np.float32(0.25),
        "o": np.uint8(9),
        "zero": np.zeros(4, np.int8),
    }
    inputs = ["x", "s", "z", "w", "scale", "zero", "b", "t", "o"]
    nodes = [node("QGemm", inputs, ["y"], "fc", domain="com.microsoft", alpha=1.0, transB=int(turned))]
    constants: dict[str, Any] = {"w": w if turned else w.T, "scale": scale, "b": bias, **numbers}
    heads = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.UINT8, d) for n, d in (("x", [2, 7]), ("y", None))]
    proto = model(nodes, heads[:1], heads[1:], constants, domains=["com.microsoft"])
    export = export_weights(proto, "tensorflow", keep_quantized=keep)
    found = {
        key: rebuilt(export, "fc", key) if keep else export.tensors[name]
        for key, name in (("kernel", "w"), ("bias", "b"))
    }
    np.testing.assert_allclose(found["kernel"], scaled(w.T, scale), rtol=1e-6)
    np.testing.assert_allclose(found["bias"], scaled(bias, scale * 0.5), rtol=1e-6)
