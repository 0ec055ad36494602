"""onnxruntime's transpose optimiser: quantised operators (``transpose_optimizer_test.cc`` and its test data)."""

import numpy as np

from tests.peers.case import Case, between, cases
from tests.support.graphs import Array

INTS = ("uint8", "uint16", "int16")
DOMAINS = ("", "com.microsoft.")
SHAPE = "[2,n=4,6,3]"
SCALARS = "float s = {0.05}, uint8 z = {7}"
WEIGHTS = (
    "float one = {1.0}, uint8 mid = {128}, float part = {0.003921569}, uint8 zero = {0}, float[3] scales = {1, 1, 1},"
    " int8[3] zeros = {0, 0, 0}"
)
SCALES = "float s = {1.5}, uint8 z = {5}, float r = {0.5}"
SIGMOID = (
    "q = QuantizeLinear(t, one, mid) d = DequantizeLinear(q, one, mid) a = Sigmoid(d)"
    " qa = QuantizeLinear(a, part, zero) da = DequantizeLinear(qa, part, zero)"
)
OUT_OF_MUL = "m = Mul(da, w) qm = QuantizeLinear(m, part, zero) dm = DequantizeLinear(qm, part, zero)"


def _linear(name: str, dims: str, attrs: str, quantises: bool) -> list[Case]:
    """Transpose, (De)QuantizeLinear with computed parameters of these dims, and back; by type and domain."""
    return [
        case
        for type_ in INTS
        for domain in DOMAINS
        for case in _one_linear(f"{name}-{domain}{type_}", dims, attrs, quantises, type_, domain)
    ]


def _one_linear(name: str, dims: str, attrs: str, quantises: bool, type_: str, domain: str) -> list[Case]:
    op = f"{domain}{'Quantize' if quantises else 'Dequantize'}Linear{attrs}"
    read, made = ("float", type_) if quantises else (type_, "float")
    parameters = f"float[] s{dims}, {type_}[] z{dims}" if "{" in dims else f"float{dims} s, {type_}{dims} z"
    feeds = {} if dims else {"s": np.asarray(0.05, np.float32), "z": _middle(type_)}
    opsets = (21,) if type_ != "uint8" and not domain else (15, 18, 21)
    x = f"{read}{SHAPE} x, {parameters}"
    return between(name, x, "0312", f"u = {op}(t, s, z)", "0231", y=made, opsets=opsets, feeds=feeds)


def _middle(type_: str) -> Array:
    whole = np.iinfo(type_)
    return np.asarray((whole.max + whole.min) // 2, type_)


def _multiplied(name: str, more: str, ops: str, held: str = "") -> list[Case]:
    """A quantised product of an image between two Transposes, with an operand that the ``ops`` make."""
    body = f"t = T0231(x) {SIGMOID} {ops} {OUT_OF_MUL} y = T0312(dm)"
    return cases(name, f"(float[1,3,4,4] x{more}) => (float[] y) <{WEIGHTS}{held}> {{ {body} }}", [19])


def _shared(name: str, dims: str, values: str) -> list[Case]:
    """Constants read by several operators."""
    held = f"uint8{dims} b = {{{values}}}, float{dims} f = {{{values}}}, {SCALES}"
    ops = (
        "t = T0312(x) d0 = DequantizeLinear(b, s, z) a0 = Add(t, d0) d1 = DequantizeLinear(b, r) a1 = Add(a0, d1) "
        "d2 = DequantizeLinear(b, s) a2 = Add(a1, d2) a3 = Add(a2, f) a4 = Add(a3, f) y = T0231(a4)"
    )
    return cases(name, f"(float[1,2,2,3] x) => (float[] y) <{held}> {{ {ops} }}", (19, 21))


CASES = [
    *_linear("TestQuantizeLinearScalar", "", "", True),
    *_linear("TestQuantizeLinearScalarIgnoreAxis", "", "<axis=10>", True),
    *_linear("TestQuantizeLinearVector", "[k=2]", "<axis=0>", True),
    *_linear("TestQuantizeLinearVectorUnknownRank", "{3}", "<axis=1>", True),
    *between(
        "TestQuantizeLinearScalarOpset10",
        f"float{SHAPE} x, float s, uint8 z",
        "0312",
        "u = QuantizeLinear(t, s, z)",
        "0231",
        y="uint8",
        opsets=[10],
        feeds={"s": np.asarray(2.3, np.float32), "z": np.asarray(10, np.uint8)},
    ),
    *_linear("TestDequantizeLinearScalarIgnoreAxis", "", "<axis=10>", False),
    *_linear("TestDequantizeLinearVector", "[2]", "<axis=-4>", False),
    *_linear("TestDequantizeLinearNoAxis", "", "", False),
    *between(
        "TestDequantizeLinearNoZeroPoint",
        f"int8{SHAPE} x, float s",
        "0312",
        "u = DequantizeLinear(t, s)",
        "0231",
        opsets=(19, 21),
        feeds={"s": np.asarray(0.05, np.float32)},
    ),
    *between(
        "TestQLinearSoftmax",
        "uint8[] x{1,24,24,21}",
        "0312",
        "u = com.microsoft.QLinearSoftmax<axis=1, opset=13>(t, s, z, r, k)",
        "0231",
        y="uint8",
        opsets=(13, 23),
        held="float s = {0.50863546}, uint8 z = {74}, float r = {0.003921569}, uint8 k = {0}",
    ),
    *(
        case
        for axis, name in ((0, ""), (-2, "_NegativeDQAxis"))
        for case in cases(
            f"RegressionTest_GitHubIssue12151{name}",
            "() => (float[] y) <int8[2,3] w = {1, 2, 3, 4, 5, 6}, float[2] s = {0.5, 2}, int8[2] z = {1, 2}>"
            f" {{ d = DequantizeLinear<axis={axis}>(w, s, z) y = T10(d) }}",
            [13],
        )
    ),
    *_multiplied(
        "FixQDQNodeUnitWithPerAxisDQUnsqueezeTranspose", ", int8[3] k", "w = DequantizeLinear<axis=0>(k, scales, zeros)"
    ),
    *_multiplied(
        "InPlaceUnsqueezeTransposePerAxisDQ",
        "",
        "w = DequantizeLinear<axis=0>(k, scales, zeros)",
        ", int8[3] k = {1, 2, 3}",
    ),
    *_multiplied(
        "CancelSqueezeBeforePerAxisDQ",
        ", int8[1,1,1,3] k",
        "kk = Squeeze(k, axes) w = DequantizeLinear<axis=0>(kk, scales, zeros)",
        ", int64[3] axes = {0, 1, 2}",
    ),
    *_multiplied(
        "CancelTransposeBeforePerAxisDQ",
        ", int8[1,3,1,1] k",
        "kk = T0231(k) w = DequantizeLinear<axis=-1>(kk, scales, zeros)",
    ),
    *cases(
        "RemoveEmptyDQQAtGraphOutput",
        f"(float[1,3,4,4] x) => (uint8[] y) <{WEIGHTS}, int8[3] k = {{1, 2, 3}}, int8 none = {{0}}>"
        f" {{ t = T0231(x) {SIGMOID} w = DequantizeLinear(k, one, none) {OUT_OF_MUL} u = T0312(dm)"
        " y = QuantizeLinear(u, part, zero) }",
        [19],
    ),
    *_shared("SharedInitializerHandling", "[1,3,2,2]", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"),
    *_shared("SharedInitializerHandlingBroadcast", "[2,2]", "1, 2, 3, 4"),
    *cases(
        "SharedInitializerHandlingBroadcast2",
        "(bool[3,2] c, bool[2,3] k, float[3] a, float[3] b) => (float[] y)"
        " <uint8[3] w = {1, 2, 3}, float s = {1.5}, float r = {0.5}>"
        " { t = T10(c) d = DequantizeLinear(w, s) v = Where(t, a, d) e = DequantizeLinear(w, r) p = Add(b, v)"
        " u = Where(k, p, e) y = T10(u) }",
        (19, 21),
    ),
    *cases(  # a Transpose as a unit of its own in a quantised net, as the layout transformation leaves it
        "LayoutTransformFixStuckTransposeWithoutDQ",
        f"(float[1,5,3] x) => (uint8[] y) <{SCALARS}, int64[1] axes = {{2}}> {{ q = QuantizeLinear(x, s, z)"
        " d = DequantizeLinear(q, s, z) e = Unsqueeze(d, axes) t = T0312(e) p = QuantizeLinear(t, s, z)"
        " f = DequantizeLinear(p, s, z) r = Relu(f) y = QuantizeLinear(r, s, z) }",
        (15, 21),
    ),
]
