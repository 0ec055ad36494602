"""Quantised models, made by onnxruntime's quantiser, end to end: right, and onnxruntime fuses as much as before."""

import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import ModelProto
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from rewriter import rewrite
from rewriter.shapes.stand_ins import with_stand_ins
from tests.support.engines import optimised
from tests.support.graphs import COMMITTED, DIRECTIONS, Array, conv, converted, count, dims, model, node, random, value

NAMES = ("torch_resnet", "torch_mobilenet_v2", "keras_resnet")
TRANSPOSES = {  # Transposes of the result
    **{(name, "nhwc", "function"): 0 for name in NAMES},
    **{(name, "nhwc", "onnx"): 1 for name in NAMES},
    ("keras_resnet", "nchw", "onnx"): 0,
}
MOST_EXECUTED = {"function": 3, "onnx": 1}  # Transposes, after onnxruntime's basic optimisation
INT32 = onnx.TensorProto.INT32
INT8, UINT8 = QuantType.QInt8, QuantType.QUInt8
KERNEL = random(3, 3, 3, 3)
KINDS = list(product((False, True), (INT8, UINT8)))  # weights per channel, type of the activations
QDQ, QOPERATOR = QuantFormat.QDQ, QuantFormat.QOperator


class Random(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """One batch."""

    def __init__(self, original: ModelProto) -> None:
        rng, shapes = np.random.default_rng(0), dims(original.graph.input)
        sizes = {name: [d if isinstance(d, int) else 1 for d in shape] for name, shape in shapes.items()}
        batch = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in sizes.items()}
        self.batches: Iterator[dict[str, Array]] = iter([batch])

    def get_next(self) -> dict[str, Array] | None:
        return next(self.batches, None)


@cache
def quantised(name: str, form: QuantFormat, per_channel: bool, activations: QuantType) -> ModelProto:
    original = onnx.load(COMMITTED[name])
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "model.onnx")
        quantize_static(
            original, made, Random(original), form,
            per_channel=per_channel, activation_type=activations, weight_type=INT8,
        )  # fmt: skip
        return onnx.load(made)


def shaped(bare: ModelProto) -> ModelProto:
    """The model with the shapes of all values, most of which onnxruntime leaves out."""
    known = onnx.shape_inference.infer_shapes(with_stand_ins(bare), strict_mode=True)
    del known.graph.node[:]
    known.graph.node.extend(bare.graph.node)
    return known


@cache
def fused(name: str, form: QuantFormat, per_channel: bool, activations: QuantType) -> int:
    return fusions(quantised(name, form, per_channel, activations))


def fusions(quantised: ModelProto) -> int:
    """Quantised convolutions in the model as onnxruntime runs it."""
    return count(optimised(quantised, "default"), "QLinearConv")


def in_pairs(made: ModelProto) -> int:
    """Convolutions that stand between DequantizeLinear, of data and of weights, and QuantizeLinear."""
    makers = {name: node.op_type for node in made.graph.node for name in node.output}
    readers = {name: node.op_type for node in made.graph.node for name in node.input}
    return sum(
        {makers.get(name) for name in node.input} == {"DequantizeLinear"}
        and readers.get(node.output[0]) == "QuantizeLinear"
        for node in made.graph.node
        if node.op_type.startswith("Conv")
    )


@pytest.mark.parametrize(("per_channel", "activations"), KINDS)
@pytest.mark.parametrize("form", [QDQ, QOPERATOR], ids=["QDQ", "QOperator"])
@pytest.mark.parametrize(("name", "to", "dialect"), TRANSPOSES)
def test_conversion(
    name: str, to: str, dialect: str, form: QuantFormat, per_channel: bool, activations: QuantType
) -> None:
    original = quantised(name, form, per_channel, activations)
    result = converted(original, to, dialect)
    assert result.report.transposes[1] == TRANSPOSES[name, to, dialect]
    assert result.report.barriers == {}
    assert fusions(result.model) == fused(name, form, per_channel, activations) > 0
    assert in_pairs(result.model) == in_pairs(original)
    assert in_pairs(original) == (count(original, "Conv") if form == QDQ else 0)


@pytest.mark.parametrize(("per_channel", "activations"), KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_both_ways_give_the_original_weights(name: str, per_channel: bool, activations: QuantType) -> None:
    original = quantised(name, QDQ, per_channel, activations)
    back = rewrite(rewrite(original, "nhwc").model, "nchw")
    before, after = ({t.name: t for t in made.graph.initializer} for made in (original, back.model))
    int8 = {name for name, t in before.items() if t.data_type == onnx.TensorProto.INT8 and t.dims}
    assert int8 <= set(after)
    assert all(before[name].raw_data == after[name].raw_data for name in int8)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(("name", "to", "dialect"), TRANSPOSES)
def test_dynamic_quantisation(name: str, to: str, dialect: str, per_channel: bool, tmp_path: Path) -> None:
    original = onnx.load(COMMITTED[name])
    del original.graph.value_info[:]  # the quantiser transposes weights, and forgets these
    quantize_dynamic(original, tmp_path / "model.onnx", per_channel=per_channel, weight_type=UINT8)
    result = converted(tmp_path / "model.onnx", to, dialect)
    assert result.report.transposes[1] == TRANSPOSES[name, to, dialect]
    assert result.report.barriers == {}
    assert sum(n.op_type.startswith("ConvInteger") for n in result.model.graph.node) == count(original, "Conv")
    if to == "nhwc":
        assert count(optimised(result.model, "basic")) <= MOST_EXECUTED[dialect]
    back = converted(result.model, "nchw", "onnx").model
    assert {n.domain for n in back.graph.node} == {""}


def test_what_a_matrix_reads_too_is_quantised_by_the_standard_operator() -> None:
    """Its Transposes would cancel on the one side only."""
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("ConvInteger", ["q", "w", "z"], ["c"]),
        node("MatMulInteger", ["q", "m", "z"], ["p"]),
    ]
    constants = {"w": np.ones((4, 3, 1, 1), np.uint8), "m": np.ones((7, 2), np.uint8)}
    ends = [value("c", (1, 4, 5, 7), INT32), value("p", (1, 3, 5, 2), INT32)]
    result = converted(model(nodes, {"x": (1, 3, 5, 7)}, ends, constants), "nhwc", "function")
    assert {n.domain for n in result.model.graph.node if n.op_type == "DynamicQuantizeLinear"} == {""}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
def test_a_file_that_onnxruntime_fused(name: str, to: str, dialect: str) -> None:
    """FusedConv, QLinearAdd, QGemm and the like have rules."""
    for original in (onnx.load(COMMITTED[name]), quantised(name, QDQ, True, UINT8)):
        made = optimised(original, "extended")
        assert any(n.domain == "com.microsoft" for n in made.graph.node)
        assert converted(made, to, dialect).report.barriers == {}


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
@pytest.mark.parametrize(("axis", "size"), [(0, 2), (1, 2), (2, 3)])
def test_weights_in_blocks_are_refolded(axis: int, size: int, to: str, dialect: str) -> None:
    kernel = np.arange(-108, 108).reshape(6, 4, 3, 3).astype(np.int8).astype(ml_dtypes.int4)
    scales = random(*(n // size if a == axis else n for a, n in enumerate(kernel.shape)))
    nodes = [node("DequantizeLinear", ["k", "s"], ["w"], axis=axis, block_size=size), conv(), conv("c", "y", "v")]
    constants = {"k": kernel, "s": scales, "v": random(2, 6, 3, 3)}
    original = model(nodes, {"x": (1, 4, 5, 7)}, {"y": (1, 2, 5, 7)}, constants, opset=21, ir=10)
    result = converted(original, to, dialect)
    assert result.report.transposes[1] == (2 if (to, dialect) == ("nhwc", "onnx") else 0)


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
def test_activations_in_blocks_run_in_onnxruntime(to: str, dialect: str) -> None:
    """It pushes Transposes through them, and fails: there must be none that it would."""
    blocks = {"axis": 1, "block_size": 2}
    nodes = [
        conv(),
        node("QuantizeLinear", ["c", "s", "z"], ["q"], **blocks),
        node("DequantizeLinear", ["q", "s", "z"], ["d"], **blocks),
        conv("d", "y", "v"),
    ]
    constants = {"s": random(1, 3, 5, 7) ** 2 + 1, "z": np.zeros((1, 3, 5, 7), np.int8)}
    constants |= {"w": random(6, 4, 3, 3), "v": random(2, 6, 3, 3)}
    converted(model(nodes, {"x": (1, 4, 5, 7)}, {"y": (1, 2, 5, 7)}, constants, opset=21, ir=10), to, dialect)


@pytest.mark.parametrize("name", NAMES)
def test_stand_ins_have_the_shapes_of_the_quantised_operators(name: str) -> None:
    """Those of the float model's values."""
    floats = onnx.shape_inference.infer_shapes(onnx.load(COMMITTED[name]), strict_mode=True).graph
    known = shaped(quantised(name, QOPERATOR, False, UINT8))
    wanted, found = dims([*floats.value_info, *floats.output]), dims(known.graph.value_info)
    made = [n.output[0] for n in known.graph.node if n.domain == "com.microsoft"]
    assert len(made) > 3
    for one in made:
        assert found[one][1:] == wanted[one.removesuffix("_quantized")][1:]  # the batch has names of its own


@pytest.mark.parametrize("again", [0.05, 0.1], ids=["the same scale", "another scale"])
def test_what_is_only_transposed_moves_as_integers(again: float) -> None:
    """Nothing is computed of what stands between DequantizeLinear and QuantizeLinear: there it would be float32."""
    nodes = [
        node("Relu", ["x"], ["r"]),
        node("QuantizeLinear", ["r", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("Transpose", ["d"], ["t"], perm=[0, 3, 2, 1]),
        node("QuantizeLinear", ["t", "a", "z"], ["p"]),
        node("DequantizeLinear", ["p", "a", "z"], ["e"]),
        conv("e", "y"),
    ]
    scales = {"s": np.asarray(0.05, np.float32), "a": np.asarray(again, np.float32)}
    constants: dict[str, Array] = {**scales, "z": np.asarray(7, np.uint8), "w": random(7, 7, 3, 3)}
    original = model(nodes, {"x": (1, 3, 5, 7)}, {"y": None}, constants)
    result = converted(original, "nchw", "onnx")
    assert (result.report.transposes, result.report.bytes_before, result.report.bytes) == ((1, 1), 420, 105)
    (moved,) = [n.input[0] for n in result.model.graph.node if n.op_type == "Transpose"]
    assert moved == "q"
    assert in_pairs(result.model) == 0


@pytest.mark.parametrize(("ops", "moved"), [([], 105), (["Relu"], 420)], ids=["given out", "computed with"])
def test_what_is_computed_with_keeps_its_pair(ops: list[str], moved: int) -> None:
    """What is given out as it is dequantised may move as integers, too."""
    nodes = [
        conv("x", "c"),
        node("QuantizeLinear", ["c", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        *[node(op, ["d"], ["e"]) for op in ops],
        node("Transpose", ["e" if ops else "d"], ["y"], perm=[0, 2, 3, 1]),
    ]
    constants: dict[str, Array] = {"s": np.asarray(0.05, np.float32), "z": np.asarray(7, np.uint8), "w": KERNEL}
    original = model(nodes, {"x": (1, 3, 5, 7)}, {"y": None}, constants)
    assert converted(original, "nchw", "onnx", keep_io=True).report.bytes == moved
