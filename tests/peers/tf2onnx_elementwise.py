"""tf2onnx's transpose optimiser (``tests/test_optimizers.py``), elementwise operators, and whole graphs.

``left`` is what its tests say that it leaves; ``make interop`` asks it itself. The opsets are 12, 15 and 18, but where
an operator changed.
"""

from tests.peers import tf2onnx_forms as form
from tests.peers.case import between, cases, moved

SCALAR, VECTOR = form.linear_parameters(1), form.linear_parameters(4)
SQUARE = "float[6,6] x"
SWITCHED = [((1, 6, 8), "201", "120"), ((1, 6, 8, 9), "0231", "0312"), ((1, 6, 8, 9, 2), "02341", "04123")]


CASES = [
    *form.each("test_transpose_abs", "u = Abs(t)"),
    *form.each("test_transpose_with_add1", "u = Add(t, k)", more=", float[{}] k"),
    *form.with_constants("test_transpose_with_add2", "u = Add(t, k)", [], form.TWO, left=1, others="k"),
    *form.each("test_transpose_relu", "u = Relu(t)"),
    *form.each("test_transpose_leaky_relu", "u = LeakyRelu<alpha=0.02>(t)"),
    *form.each("test_transpose_with_prelu", "u = PRelu(t, k)", more=", float[{}] k"),
    *form.each("test_transpose_quantize", "u = QuantizeLinear(t, s, z)", y="uint8", weights=SCALAR),
    *form.each(
        "test_transpose_quantize_with_axis",
        "u = QuantizeLinear<axis=1>(t, s, z)",
        form.IN_ORDER[:1],
        y="uint8",
        weights=VECTOR,
        opsets=form.SINCE_13,
    ),
    *form.each(
        "test_transpose_quantize_with_axis",
        "u = QuantizeLinear<axis=1>(t, s, z)",
        form.TWO,
        y="uint8",
        weights=VECTOR,
        opsets=form.SINCE_13,
    ),
    *form.each("test_transpose_dequantize", "u = DequantizeLinear(t, s, z)", x="uint8", weights=SCALAR),
    *form.each(
        "test_transpose_dequantize_with_axis",
        "u = DequantizeLinear<axis=1>(t, s, z)",
        form.IN_ORDER,
        x="uint8",
        weights=VECTOR,
        opsets=form.SINCE_13,
    ),
    *form.with_constants("test_transpose_max", "u = Max(t, k, l, two)", ["k", "l"]),
    *form.with_constants(
        "test_transpose_max_input_non_const", "u = Max(t, n, k, two)", ["k"], form.TWO, left=1, others="n"
    ),
    *(
        case
        for shape, first, _ in form.TWO
        for case in between(
            f"test_transpose_max_no_cancel/{len(shape)}",
            f"float{form.dims(shape)} x, float{form.dims(form.permuted(shape, first))} n",
            first,
            "y = Max(t, n, k, two)",
            "",
            opsets=form.ALL,
            left=moved(shape, shape),
            weights={"k": form.permuted(shape, first), "two": (1,)},
        )
    ),
    *(
        case
        for shape, first, _ in form.TWO
        for case in cases(
            f"test_transpose_merge/{len(shape)}",
            f"(float{form.dims(shape)} x) => (float[] y) {{ a = T{first}(x) b = T{first}(x) y = Mul(a, b) }}",
            form.ALL,
            left=moved(shape),
        )
    ),
    *form.each("test_transpose_mul_as_square", "u = Mul(t, t)"),
    *(
        case
        for shape, first, last in form.THREE
        for case in between(
            f"test_transpose_mul_broadcastable_const/{len(shape)}",
            f"float{form.dims(shape)} x",
            first,
            "u = Mul(t, k)",
            last,
            opsets=form.ALL,
            weights={"k": (1, shape[1])},
            left=form.NONE,
        )
    ),
    *(
        case
        for name, ops, y, floats in [("shape", "y = Shape(t)", "int64", 0), ("identity", "y = Identity(t)", "float", 1)]
        for shape, first, _ in form.THREE
        for case in between(
            f"test_transpose_with_{name}/{len(shape)}",
            f"float{form.dims(shape)} x",
            first,
            ops,
            "",
            y=y,
            opsets=form.ALL,
            left=moved(*[shape] * floats),
        )
    ),
    *form.each("test_transpose_sqrt", "u = Sqrt(t)"),
    *form.subtracted(),
    *form.with_constants(
        "test_transpose_add_with_input_non_const",
        "u = Add(t, k)",
        [],
        [((1, 1, 3, 3), "0231", "0312"), ((1, 1, 3, 3, 3), "02341", "04123")],
        others="k",
    ),
    *form.with_constants(
        "test_transpose_add_with_input_const",
        "u = Add(t, k)",
        ["k"],
        [((2, 3, 4), "201", "120"), ((1, 1, 3, 3), "0231", "0312"), ((1, 1, 3, 3, 3), "02341", "04123")],
    ),
    *form.behind_conv(),
    *form.each("test_transpose_neg", "u = Neg(t)"),
    *form.each("test_transpose_reciprocal", "u = Reciprocal(t)"),
    *(
        case
        for shape, first, _ in form.THREE
        for case in cases(
            f"test_trans_output_as_graph_outputs/{len(shape)}",
            f"(float{form.dims(shape)} x) => (float[] y) {{ y = T{first}(x) }}",
            form.ALL,
            left=moved(shape),
        )
    ),
    *(
        case
        for shape, first, last in SWITCHED
        for case in cases(
            f"test_two_transposes_switch_with_mul/{len(shape)}",
            f"(float{form.dims(shape)} a, float{form.dims(shape)} b) => (float[] y)"
            f" {{ t = T{first}(a) u = T{first}(b) v = Mul(t, u) w = Mul(v, k) y = T{last}(w) }}",
            form.ALL,
            weights={"k": (form.permuted(shape, first)[-1],)},
            left=form.NONE,
        )
    ),
    *(
        case
        for shape, first, last in SWITCHED[1:]
        for case in cases(
            f"test_many_transposes_and_constant_switch_with_sum/{len(shape)}",
            f"(float{form.dims(shape)} a, float{form.dims(shape)} b, float{form.dims(shape)} c)"
            f" => (float[] y) {{ t = T{first}(a) u = T{first}(b)"
            f" v = T{first}(c) w = Sum(t, u, v, k) s = Sum(w, t) y = T{last}(s) }}",
            form.ALL,
            weights={"k": form.permuted(shape, first)},
            left=form.NONE,
        )
    ),
    *cases(
        "test_const_fold_trans_with_const1",
        f"({SQUARE}) => (float[] y) {{ t = T(k) y = Add(t, x) }}",
        form.ALL,
        weights={"k": (6, 6)},
        left=form.NONE,
    ),
    *cases(
        "test_const_fold_trans_with_const2",
        f"({SQUARE}) => (float[] y) {{ t = T(k) u = T(t) y = Add(u, x) }}",
        form.ALL,
        weights={"k": (6, 6)},
        left=form.NONE,
    ),
    *cases(
        "test_const_fold_node_is_output",
        "() => (float[] y) { t = T(k) y = T(t) }",
        form.ALL,
        weights={"k": (6, 6)},
        left=form.NONE,
    ),
    *cases(
        "test_const_dequantize_transpose_per_channel",
        "() => (float[] y) { d = DequantizeLinear<axis=3>(k, s, z) y = T0132(d) }",
        form.SINCE_13,
        weights={**VECTOR, "k": VECTOR["z"].reshape(1, 1, 1, 4).repeat(3, axis=2)},
        left=form.NONE,
    ),
    *cases(
        "test_transpose_back_to_back_non_const",
        "(float[5,5,5,5] x) => (float[] y) { t = T0231(x) u = T0312(t) v = T0321(u) y = T1302(v) }",
        form.ALL,
        left=moved((5, 5, 5, 5)),
    ),
]
