"""Rows for passes/rules/quant.py."""

import ml_dtypes
import numpy as np

from tests.rules.cases.case import O3, O4, X3, X4, Fed, Of, P, case, scalar, values

U8, S8 = np.uint8, np.int8
HALF, THIRD = scalar(0.5), scalar(1 / 3)


def A(dtype: type, *shape: int) -> np.ndarray:
    """A constant of integers of this type, all different while there are enough."""
    return values(np.random.default_rng(shape), shape, dtype, "ints")


def S(*shape: int) -> np.ndarray:
    """Scales, all different."""
    return P(*shape) / 16


ROWS = [
    case("QuantizeLinear", 10, X4, HALF, scalar(3, U8)),
    case("QuantizeLinear", 10, O3, HALF),
    case("QuantizeLinear", 13, O4, S(30), A(U8, 30)),
    case("QuantizeLinear", 13, X4, S(7), A(S8, 7), axis=-1),
    case("QuantizeLinear", 13, O3, (6,), Fed(A(S8, 6)), data="unit"),
    case("QuantizeLinear", 13, O4, np.asarray([2], np.float32), A(U8, 1), axis=3),
    case("QuantizeLinear", 13, (), HALF, scalar(3, U8)),
    case("QuantizeLinear", 13, X4, Fed(S(5), ranked=False), Fed(A(U8, 5), ranked=False), axis=2),
    case("QuantizeLinear", 13, X4, S(5), Fed(A(U8, 5), ranked=False), axis=2),
    case("QuantizeLinear", 13, X4, Fed(HALF, ranked=False), axis=-3),
    case("QuantizeLinear", 10, X4, Fed(HALF, ranked=False), scalar(3, U8)),
    case("QuantizeLinear", 19, X4, S(5), np.zeros(5, ml_dtypes.float8_e4m3fn), axis=2, saturate=0, data="unit"),
    case("QuantizeLinear", 21, O3, S(1, 6, 5), A(U8, 1, 6, 5), axis=0, block_size=2, accepts="none"),
    case("QuantizeLinear", 21, (2, 6, 10), S(2, 6, 5), axis=-1, block_size=2, accepts="none"),
    case("QuantizeLinear", 21, P(2, 6, 10), S(2, 6, 5), axis=-1, block_size=2),
    case("QuantizeLinear", 23, O4, S(30), output_dtype=3),
    case("DequantizeLinear", 10, X4, HALF, scalar(3, U8), dtype=U8),
    case("DequantizeLinear", 10, O3, THIRD, dtype=np.int32),
    case("DequantizeLinear", 13, O4, S(30), A(S8, 30), dtype=S8),
    case("DequantizeLinear", 13, X4, Of(np.float32, (2,)), None, dtype=S8, axis=-4),
    case("DequantizeLinear", 13, X4, Fed(S(3), ranked=False), Fed(A(U8, 3), ranked=False), dtype=U8),
    case("DequantizeLinear", 13, (6,), S(6), dtype=np.int32, axis=0),
    case("DequantizeLinear", 19, A(S8, 2, 3, 5).astype(ml_dtypes.float8_e5m2), S(3)),
    case("DequantizeLinear", 21, A(ml_dtypes.int4, 2, 3, 5), S(3), A(ml_dtypes.int4, 3)),
    case("DequantizeLinear", 21, A(ml_dtypes.uint4, 2, 6, 5), S(2, 3, 5), A(ml_dtypes.uint4, 2, 3, 5), block_size=2),
    case("DequantizeLinear", 21, (2, 6, 5), S(2, 3, 5), dtype=S8, axis=1, block_size=2, accepts="none"),
    case("DequantizeLinear", 23, X3, S(5), A(U8, 5), dtype=U8, axis=2),
    case("DynamicQuantizeLinear", 11, O4, outputs=3),
    case("QLinearConv", 10, (1, 3, 7, 11), THIRD, scalar(99, U8), A(S8, 5, 3, 2, 3), S(5), np.zeros(5, S8), scalar(64),
         scalar(7, U8), A(np.int32, 5), pads=[0, 1, 2, 3], strides=[2, 3], dilations=[3, 2], dtype=U8),
    case("QLinearConv", 10, (1, 6, 7, 5), THIRD, scalar(9, U8), A(U8, 10, 3, 3, 2), HALF, scalar(8, U8), scalar(64),
         scalar(7, U8), group=2, dtype=U8),
    case("QLinearConv", 13, (2, 3, 11), HALF, scalar(9, U8), (5, 3, 2), HALF, scalar(8, U8), scalar(64), scalar(7, U8),
         dtype=U8),
    case("ConvInteger", 10, (1, 3, 7, 11), A(U8, 5, 3, 2, 3), scalar(9, U8), scalar(7, U8), pads=[0, 1, 2, 3],
         dtype=U8),
    case("ConvInteger", 10, (1, 6, 7, 5), A(U8, 10, 3, 3, 2), scalar(9, U8), group=2, dtype=U8),
    case("ConvInteger", 10, (2, 3, 11), A(U8, 5, 3, 2), strides=[2], dtype=U8),
    case("QLinearMatMul", 10, (6, 30), S(6, 1), A(U8, 6, 1), (30, 10), HALF, scalar(9, U8), S(6, 1), A(U8, 6, 1),
         accepts="product in order", dtype=U8),
    case("QLinearMatMul", 21, (6, 30), HALF, scalar(9, U8), A(U8, 30, 10), S(10), A(U8, 10), scalar(64), scalar(7, U8),
         accepts="product in order", dtype=U8),
    case("QLinearMatMul", 21, (2, 3, 5, 6), HALF, scalar(9, U8), (2, 3, 6, 10), S(2, 3, 1, 10), A(U8, 2, 3, 1, 10),
         scalar(64), scalar(7, U8), accepts="product in order", dtype=U8),
    case("MatMulInteger", 10, (6, 30), A(U8, 30, 10), A(U8, 6, 1), accepts="product in order", dtype=U8),
    case("MatMulInteger", 13, (6, 30), A(U8, 30, 10), scalar(9, U8), A(U8, 10), accepts="product in order", dtype=U8),
    case("MatMulInteger", 13, (2, 3, 5, 6), (6, 10), None, scalar(9, U8), accepts="product in order", dtype=U8),
    case("MatMulInteger", 13, (6, 30), A(U8, 30, 10), accepts="product in order", dtype=U8),
]  # fmt: skip
