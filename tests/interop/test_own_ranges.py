"""Int8 TFLite files of models with QuantizeLinear and DequantizeLinear: their own scales, zero points and integers."""

import json
import re
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from passes.layout.edit import Array
from rewriter.backends import pairs
from rewriter.backends.arguments import LAYOUT
from rewriter.backends.base import Job
from rewriter.backends.pairs import with_ranges
from rewriter.backends.ranges import HIGHEST, Range
from rewriter.backends.tflite import BACKEND, interpreters
from rewriter.cli import main
from rewriter.pipeline import rewrite
from tests.interop.common import last, random
from tests.support.engines import disabled
from tests.support.graphs import model, node, value

INT8, UINT8 = QuantType.QInt8, QuantType.QUInt8
KINDS = [(per_channel, kind) for per_channel in (False, True) for kind in (INT8, UINT8)]
SHAPE = (1, 4, 9, 8)
OUT = "the output"
STEPS = {"all": 2}  # else 1: LiteRT rounds in fixed point, and one layer reads what another has rounded


class Random(CalibrationDataReader):
    """Four batches."""

    def __init__(self, net: ModelProto) -> None:
        self.left = iter([inputs_of(net, seed) for seed in range(4)])

    def get_next(self) -> dict[str, Array] | None:
        return next(self.left, None)


WEIGHTS = {"k": random(6, 4, 3, 3), "kb": random(6), "d": random(6, 1, 3, 3), "db": random(6) * 3,
           "g": random(10, 12), "gb": random(10)}  # fmt: skip
LAYERS = {
    "conv": node("Conv", ["x", "k", "kb"], ["conv"], pads=[1] * 4),
    "relu": node("Relu", ["conv"], ["relu"]),
    "depthwise": node("Conv", ["relu", "d", "db"], ["depthwise"], pads=[1] * 4, group=6),
    "sum": node("Add", ["relu", "depthwise"], ["sum"]),
    "pool": node("MaxPool", ["sum"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
    "other": node("MaxPool", ["relu"], ["other"], kernel_shape=[2, 2], strides=[2, 2]),
    "joined": node("Concat", ["pool", "other"], ["joined"], axis=1),
    "mean": node("GlobalAveragePool", ["joined"], ["mean"]),
    "row": node("Flatten", ["mean"], ["row"]),
    "y": node("Gemm", ["row", "g", "gb"], ["y"], transB=1),
}
SHAPES = {"relu": (1, 6, 9, 8), "depthwise": (1, 6, 9, 8), "pool": (1, 6, 4, 4), "other": (1, 6, 4, 4), "row": (1, 12)}
ALL, ONE = "all", ("conv", "depthwise", "sum", "joined", "y")  # each of its own inputs


def layers(name: str) -> ModelProto:
    """All layers, or one of them: joined are two that have other ranges."""
    if name == ALL:
        return model([*LAYERS.values()], [value("x", SHAPE)], [value("y", (1, 10))], WEIGHTS)
    one = LAYERS[name]
    held = {key: array for key, array in WEIGHTS.items() if key in one.input}
    inputs = [value(key, SHAPES.get(key, SHAPE)) for key in one.input if key not in held]
    return model([one], inputs, [value(name, None)], held)


def inputs_of(made: ModelProto, seed: int) -> dict[str, Array]:
    """The second is larger than the first."""
    shapes = {one.name: [dim.dim_value or 1 for dim in one.type.tensor_type.shape.dim] for one in made.graph.input}
    return {
        name: random(seed + 1, *shape)[seed] * (1 + 2 * place) for place, (name, shape) in enumerate(shapes.items())
    }


@cache
def quantised(name: str, per_channel: bool, activations: QuantType) -> ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        made, net = Path(folder, "model.onnx"), layers(name)
        quantize_static(net, made, Random(net), per_channel=per_channel, activation_type=activations, weight_type=INT8)
        return onnx.load(made)


class Pair(NamedTuple):
    """What a QuantizeLinear of a file has, as int8, and the value that it gives."""

    scale: float
    zero: int
    value: str
    shift: int


def pairs_of(quantised: ModelProto) -> Iterator[Pair]:
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in quantised.graph.initializer}
    for one in quantised.graph.node:
        if one.op_type == "QuantizeLinear":
            scale, zero = (held[name] for name in one.input[1:])
            shift = 128 if zero.dtype == np.uint8 else 0
            yield Pair(float(scale), int(zero) - shift, one.output[0], shift)


def weights_of(quantised: ModelProto) -> Iterator[Array]:
    """Their scales."""
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in quantised.graph.initializer}
    for one in quantised.graph.node:
        if one.op_type == "DequantizeLinear" and one.input[0] in held and held[one.input[0]].ndim > 1:
            yield held[one.input[1]]


class Tensor(NamedTuple):
    """A tensor of int8 in a TFLite file, after a run."""

    scales: Array
    zeros: Array
    integers: Array


def int8_run(
    quantised: ModelProto, feed: dict[str, Array], folder: Path
) -> tuple[list[str], list[Tensor], Array, bool]:
    """What is told of the file, its int8 tensors, its output, and whether images are channels last there."""
    result = rewrite(quantised, "nhwc", weight_layout=LAYOUT, graphs=False)
    written = BACKEND.write(Job(result.model, "model"), folder, "int8")
    assert not written.is_measured
    is_last = bool(result.layouts)
    kinds = interpreters().OpResolverType
    run = interpreters().Interpreter(
        model_path=str(written.file),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    run.allocate_tensors()
    for about in run.get_input_details():
        run.set_tensor(about["index"], stored(feed[about["name"]], is_last))
    run.invoke()
    tensors = []
    for about in run.get_tensor_details():
        if about["dtype"] == np.int8:
            how = about["quantization_parameters"]
            tensors.append(Tensor(how["scales"], how["zero_points"], run.get_tensor(about["index"])))
    return [*written.told], tensors, run.get_tensor(run.get_output_details()[0]["index"]), is_last


def onnx_run(quantised: ModelProto, feed: dict[str, Array]) -> dict[str, Array]:
    """What each QuantizeLinear gives in onnxruntime, and the output."""
    open_ = ModelProto()
    open_.CopyFrom(quantised)
    names = [pair.value for pair in pairs_of(quantised)]
    open_.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    return dict(zip([OUT, *names], disabled(open_, feed), strict=True))


def check(quantised: ModelProto, folder: Path, most: int) -> None:
    """Every scale and zero point is in the file as it was, and the integers are onnxruntime's, or some steps off."""
    feed = inputs_of(quantised, 5)
    told, tensors, y, is_last = int8_run(quantised, feed, folder)
    assert len(told) == 1
    assert told[0].endswith("are the file's own.")
    right = onnx_run(quantised, feed)
    for pair in pairs_of(quantised):
        here = [t for t in tensors if t.scales.tolist() == [pair.scale] and t.zeros.tolist() == [pair.zero]]
        assert here, f"no tensor has the scale and zero point of {pair.value}"
        wanted = stored(right[pair.value], is_last).ravel()
        steps = [apart(t.integers, wanted, pair.shift) for t in here if t.integers.size == wanted.size]
        assert min(steps) <= most, f"{pair.value} is {steps} steps off"
    scales = [np.sort(t.scales) for t in tensors if not t.zeros.any()]
    for scale in weights_of(quantised):
        mine = np.sort(np.atleast_1d(scale))
        assert any(s.size == mine.size and np.allclose(s, mine, rtol=1e-6, atol=0) for s in scales)
    step = [*pairs_of(quantised)][-1].scale
    assert np.allclose(y, stored(right[OUT], is_last), rtol=0, atol=(most + 0.01) * step)


def apart(integers: Array, wanted: Array, shift: int) -> int:
    """How many steps at most."""
    return int(np.abs(integers.ravel().astype(np.int32) + shift - wanted.astype(np.int32)).max())


def stored(array: Array, is_last: bool) -> Array:
    return last(array) if array.ndim == 4 and is_last else array


@pytest.mark.parametrize(("per_channel", "activations"), KINDS)
@pytest.mark.parametrize("name", [*ONE, ALL])
def test_the_files_own_are_kept(name: str, per_channel: bool, activations: QuantType, tmp_path: Path) -> None:
    check(quantised(name, per_channel, activations), tmp_path, STEPS.get(name, 1))


def test_a_zero_point_off_by_one_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def off_by_one(scales: Any, zero: int, is_narrow: bool = False) -> Range:
        return Range(scales, zero if is_narrow else min(zero + 1, HIGHEST), is_narrow)

    monkeypatch.setattr(pairs, "Range", off_by_one)
    with pytest.raises(AssertionError, match="no tensor has the scale and zero point"):
        check(quantised(ALL, per_channel=False, activations=INT8), tmp_path, STEPS[ALL])


def test_ends_give_scale_and_zero_point_again() -> None:
    """As the converter computes them."""
    rng = np.random.default_rng(0)
    scales, zeros = np.exp(rng.normal(-4, 3, 5000)).astype(np.float32), rng.integers(-128, 128, 5000)
    for scale, zero in zip(scales.tolist(), zeros.tolist(), strict=True):
        (low,), (high,) = Range((scale,), zero).ends
        again = (high - low) / 255
        assert np.float32(again) == np.float32(scale)
        assert low <= 0 <= high
        assert round(min(max(-128 - low / again, -128), 127)) == round(min(max(127 - high / again, -128), 127)) == zero


def changed(name: str, array: Array) -> ModelProto:
    """The layers per tensor in int8, with another constant."""
    made = ModelProto()
    made.CopyFrom(quantised(ALL, per_channel=False, activations=INT8))
    (tensor,) = [tensor for tensor in made.graph.initializer if tensor.name == name]
    tensor.CopyFrom(numpy_helper.from_array(array, name))
    return made


KERNEL = (6, 4, 3, 3)
LOST = {
    "x_zero_point": (np.int16(3), "no int16"),
    "x_scale": (np.float32(0), "no such scale"),
    "k_quantized": (np.full(KERNEL, -128, np.int8), "no -128"),
    "k_zero_point": (np.int8(3), "zero point 0"),
    "kb_quantized_scale": (np.float32(3), "product"),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_not_kept_is_told(name: str) -> None:
    array, reason = LOST[name]
    (told,) = with_ranges(changed(name, np.asarray(array))).lost.values()
    assert reason in told


def test_what_has_no_range_is_measured(tmp_path: Path) -> None:
    """The others keep theirs."""
    made = ModelProto()
    made.CopyFrom(quantised(ALL, per_channel=False, activations=INT8))
    made.graph.node.append(node("Abs", ["y"], ["z"]))
    made.graph.output[0].name = "z"
    result = rewrite(made, "nhwc", weight_layout=LAYOUT, graphs=False)
    samples = [{"x": last(random(6, *SHAPE)[place])} for place in range(6)]
    written = BACKEND.write(Job(result.model, "model", lambda: samples), tmp_path, "int8")
    assert written.is_measured
    assert written.told[0].endswith("are the file's own.")


@pytest.mark.parametrize(
    ("net", "per_channel", "activations"),
    [("torch_resnet", True, UINT8), ("keras_mobilenet_v2", True, INT8)],
)
def test_whole_nets(net: str, per_channel: bool, activations: QuantType, tmp_path: Path) -> None:
    """Through the command, which measures nothing, and keeps the largest element of every row."""
    original, made, report = Path("models", f"{net}.onnx"), tmp_path / "qdq.onnx", tmp_path / "report.json"
    quantize_static(
        original, made, Random(onnx.load(original)), per_channel=per_channel, activation_type=activations,
        weight_type=INT8,
    )  # fmt: skip
    arguments = [str(made), "-o", str(tmp_path / "net.tflite"), "--quantize", "int8", "--json", str(report), "-q"]
    assert main(arguments) == 0
    (result,) = json.loads(report.read_text())["validation"]["providers"]
    assert [note for note in result["notes"] if note.endswith("are the file's own.")] == result["notes"]
    same, rows = re.findall(r"the same in (\d+) of (\d+) rows", result["reason"])[0]
    assert same == rows


def test_a_net_that_keeps_none_is_measured(tmp_path: Path) -> None:
    """Of 16 bits: compared in float32 without its pairs, of which TFLite's int8 has none."""
    original, made = Path("models", "torch_resnet.onnx"), tmp_path / "qdq.onnx"
    quantize_static(original, made, Random(onnx.load(original)), activation_type=QuantType.QInt16, weight_type=INT8)
    report = tmp_path / "report.json"
    arguments = [str(made), "-o", str(tmp_path / "net.tflite"), "--quantize", "int8", "--json", str(report), "-q"]
    assert main(arguments) == 0
    notes = " ".join(json.loads(report.read_text())["validation"]["providers"][0]["notes"])
    assert "(TFLite's int8 has no int16)" in notes
    assert "measured on random inputs" in notes
