"""Every element type: weights are refolded bit for bit, and the types of values survive.

What is expected is computed from bit patterns, without onnx's own conversions.
"""

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from onnx import ModelProto, TensorProto, TypeProto, ValueInfoProto, helper

from passes.ir import constants
from passes.layout.layout import permuted
from passes.layout.perm import Perm
from rewriter import rewrite
from tests.support.graphs import DIRECTIONS, Array, conv, model, node, value

BITS = {
    "FLOAT": 32, "DOUBLE": 64, "FLOAT16": 16, "BFLOAT16": 16,
    "FLOAT8E4M3FN": 8, "FLOAT8E4M3FNUZ": 8, "FLOAT8E5M2": 8, "FLOAT8E5M2FNUZ": 8,
    "INT8": 8, "UINT8": 8, "INT16": 16, "INT32": 32, "INT64": 64, "BOOL": 8,
    "INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2,
}  # fmt: skip
COMPUTED = ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16")  # what Conv and Gemm take
QUANTISED = (
    "INT8", "UINT8", "INT4", "UINT4", "FLOAT4E2M1", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ",
)  # fmt: skip
TYPED_FIELDS = {"FLOAT": ("float_data", "f4"), "DOUBLE": ("double_data", "f8"), "INT64": ("int64_data", "i8")}


def patterns(name: str, shape: tuple[int, ...]) -> Array:
    """Elements as bit patterns; of the large types those of numbers, as Python's floats change those of some NaN."""
    rng, bits = np.random.default_rng(shape), BITS[name]
    whole = np.dtype(f"u{max(bits // 8, 1)}")
    top = 2 if name == "BOOL" else 2 ** min(bits, 62) if bits < 32 else 2**30
    return rng.integers(0, top, shape).astype(whole)


def packed(elements: Array, bits: int) -> bytes:
    """As in ``raw_data``: little-endian, small types side by side, the first in the lowest bits."""
    if bits >= 8:
        return elements.astype(elements.dtype.newbyteorder("<")).tobytes()
    per_byte = 8 // bits
    rows = np.pad(elements.ravel(), (0, -elements.size % per_byte)).reshape(-1, per_byte)
    whole: Array = np.bitwise_or.reduce(rows << bits * np.arange(per_byte), axis=1).astype(np.uint8)
    return bytes(whole.tobytes())


def tensor(name: str, type_name: str, elements: Array, typed: bool) -> TensorProto:
    proto = TensorProto(name=name, data_type=TensorProto.DataType.Value(type_name), dims=elements.shape)
    raw = packed(elements, BITS[type_name])
    if not typed:
        proto.raw_data = raw
    elif type_name in TYPED_FIELDS:
        field, numbers = TYPED_FIELDS[type_name]
        getattr(proto, field).extend(np.frombuffer(raw, numbers).tolist())
    else:
        signed = type_name in ("INT8", "INT16", "INT32")
        proto.int32_data.extend(np.frombuffer(raw, f"{'i' if signed else 'u'}{max(BITS[type_name] // 8, 1)}").tolist())
    return proto


def net(type_name: str, typed: bool) -> tuple[ModelProto, Array, Array]:
    """Conv, Flatten, Gemm, with weights of this type, dequantised if need be."""
    kernel, matrix = patterns(type_name, (5, 3, 2, 3)), patterns(type_name, (60, 7))
    element = TensorProto.DataType.Value(type_name) if type_name in COMPUTED else TensorProto.FLOAT
    direct = type_name in COMPUTED
    nodes = [] if direct else [
        node("DequantizeLinear", ["w", "s"], ["wd"], axis=0),
        node("DequantizeLinear", ["m", "t"], ["md"], axis=1),
    ]  # fmt: skip
    nodes += [
        node("Conv", ["x", "w" if direct else "wd"], ["c"]),
        node("Flatten", ["c"], ["f"]),
        node("Gemm", ["f", "m" if direct else "md"], ["y"]),
    ]
    scales = {} if direct else {"s": np.ones(5, np.float32), "t": np.ones(7, np.float32)}
    made = model(nodes, [value("x", (1, 3, 5, 5), element)], [value("y", (1, 7), element)], scales, opset=23, ir=11)
    made.graph.initializer.extend([tensor("w", type_name, kernel, typed), tensor("m", type_name, matrix, typed)])
    return made, kernel, matrix


def bits_of(made: ModelProto, name: str) -> tuple[str, list[int], bytes]:
    (proto,) = (t for t in made.graph.initializer if t.name == name)
    return TensorProto.DataType.Name(proto.data_type), list(proto.dims), proto.raw_data


@pytest.mark.parametrize("typed", [False, True], ids=["raw", "typed"])
@pytest.mark.parametrize("type_name", [*COMPUTED, *QUANTISED])
def test_weights_are_refolded_bit_for_bit(type_name: str, typed: bool) -> None:
    original, kernel, matrix = net(type_name, typed)
    onnx.checker.check_model(original, full_check=True)
    result = rewrite(original, "nhwc").model
    onnx.checker.check_model(result, full_check=True)
    ohwi, rows = kernel.transpose(0, 2, 3, 1), matrix.reshape(5, 4, 3, 7).transpose(1, 2, 0, 3).reshape(60, 7)
    for name, wanted in (("w", ohwi), ("m", rows)):
        assert bits_of(result, name) == (type_name, list(wanted.shape), packed(wanted, BITS[type_name]))


@pytest.mark.parametrize("typed", [False, True], ids=["raw", "typed"])
@pytest.mark.parametrize("type_name", BITS)
def test_constants_of_every_type_are_transposed_bit_for_bit(type_name: str, typed: bool) -> None:
    elements, p = patterns(type_name, (3, 5, 7)), (2, 0, 1)
    proto = tensor("a", type_name, elements, typed)
    constants.write(
        constants.changed(gs.Constant("a", constants.Stored(proto)), "b", permuted(p)), written := TensorProto()
    )
    assert (written.data_type, written.dims) == (proto.data_type, [7, 3, 5])
    assert written.raw_data == packed(elements.transpose(p), BITS[type_name])


def test_strings_are_transposed() -> None:
    texts = [f"text {i}".encode() for i in range(6)]
    proto = helper.make_tensor("a", TensorProto.STRING, (2, 3), np.asarray(texts, dtype=object))
    constants.write(
        constants.changed(gs.Constant("a", constants.Stored(proto)), "b", permuted((1, 0))), written := TensorProto()
    )
    assert list(written.string_data) == [texts[i] for i in (0, 3, 1, 4, 2, 5)]
    assert list(written.dims) == [3, 2]


def types(values: "list[ValueInfoProto]") -> dict[str, TypeProto]:
    return {v.name: v.type for v in values}


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
@pytest.mark.parametrize("type_name", QUANTISED)
def test_inputs_and_outputs_keep_their_types(type_name: str, to: str, dialect: str) -> None:
    element = TensorProto.DataType.Value(type_name)
    zero = tensor("z", type_name, np.zeros((), np.uint8), typed=False)
    nodes = [
        node("DequantizeLinear", ["x", "s"], ["d"]),
        conv("d", "c"),
        node("QuantizeLinear", ["c", "s", "z"], ["y"]),
        node("Cast", ["d"], ["b"], to=TensorProto.BFLOAT16),
    ]
    original = model(
        nodes, [value("x", (1, 3, 5, 7), element)],
        [value("y", (1, 2, 5, 7), element), value("b", (1, 3, 5, 7), TensorProto.BFLOAT16)],
        {"s": np.asarray(1, np.float32), "w": np.ones((2, 3, 3, 3), np.float32)}, opset=23, ir=11,
    )  # fmt: skip
    original.graph.initializer.append(zero)
    result = rewrite(original, to, dialect=dialect).model
    onnx.checker.check_model(result, full_check=True)
    stored: Perm = (0, 2, 3, 1) if to == "nhwc" else (0, 1, 2, 3)
    for before, after in zip(
        (*original.graph.input, *original.graph.output), (*result.graph.input, *result.graph.output), strict=True
    ):
        assert after.type.tensor_type.elem_type == before.type.tensor_type.elem_type
        sizes = [dim.dim_value for dim in before.type.tensor_type.shape.dim]
        assert [dim.dim_value for dim in after.type.tensor_type.shape.dim] == [sizes[a] for a in stored]
    made = {v.name: v.type.tensor_type.elem_type for v in result.graph.value_info}
    assert made["c" if "c" in made else "d"] == TensorProto.FLOAT
    assert TensorProto.UNDEFINED not in made.values()


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
def test_sequences_and_optionals_keep_their_types(to: str, dialect: str) -> None:
    halves = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT16, ["n", 3]))
    maybe = helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.BOOL, [2]))
    inputs = [value("x", (1, 3, 5, 7)), ValueInfoProto(name="h", type=halves), ValueInfoProto(name="o", type=maybe)]
    nodes = [
        conv(),
        node("Relu", ["c"], ["y"]),
        node("Identity", ["h"], ["k"]),
        node("SequenceInsert", ["k", "e"], ["l"]),
        node("OptionalHasElement", ["o"], ["has"]),
    ]
    outputs = [value("y", (1, 2, 5, 7)), ValueInfoProto(name="l", type=halves), value("has", (), TensorProto.BOOL)]
    weights = {"w": np.ones((2, 3, 3, 3), np.float32)}
    original = model(nodes, inputs, outputs, weights, opset=21, ir=10)
    original.graph.initializer.append(tensor("e", "FLOAT16", patterns("FLOAT16", (5, 3)), typed=False))
    result = rewrite(original, to, dialect=dialect).model
    onnx.checker.check_model(result, full_check=True)
    for side in ("input", "output"):
        before, after = (types(list(getattr(made.graph, side))) for made in (original, result))
        assert list(before) == list(after)
        assert all(before[name] == after[name] for name in before if name not in ("x", "y"))
