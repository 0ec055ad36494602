"""Rows for passes/rules/contrib.py; the shapes of results are given because onnx does not infer them."""

from functools import partial

import numpy as np

from tests.rules.cases.case import ABOUT, O3, O4, X3, X4, X5, Of, P, W, case, scalar
from tests.rules.cases.quant import HALF, S8, U8, A, S

FLOAT = np.float32
ms = partial(case, domain="com.microsoft")
quantised = partial(ms, dtype=U8)
Q3, Q7, Q9 = (scalar(zero, U8) for zero in (3, 7, 9))
EIGHTH, TWO = scalar(1 / 8), scalar(2)
RESULT = (TWO, Q7)  # scale and zero point

ROWS = [
    ms("Gelu", 13, O3, out=O3, **ABOUT),
    ms("QuickGelu", 13, O4, alpha=1.5, out=O4, **ABOUT),
    ms("FastGelu", 13, O3, out=O3, **ABOUT),
    ms("FastGelu", 13, (2, 5, 6), (6,), out=(2, 5, 6), accepts="last", **ABOUT),
    ms("BiasGelu", 13, (2, 3, 6), W(6), out=(2, 3, 6), accepts="last", **ABOUT),
    quantised("QLinearLeakyRelu", 13, O3, HALF, Q9, HALF, Q7, alpha=0.25, out=O3),
    quantised("QLinearSigmoid", 13, O3, EIGHTH, Q9, scalar(1 / 256), Q3, out=O3),
    quantised("QLinearAdd", 13, O3, HALF, Q9, (6, 1), EIGHTH, Q3, *RESULT, out=O3),
    quantised("QLinearAdd", 13, X4, HALF, Q9, A(U8, 3, 1, 1), EIGHTH, Q3, TWO, Q3, out=X4),
    quantised("QLinearAdd", 13, A(U8, 3, 1, 1), HALF, Q9, X4, EIGHTH, Q3, *RESULT, out=X4),
    quantised("QLinearMul", 13, X4, HALF, Q9, X4, EIGHTH, Q3, scalar(9), Q3, out=X4),
    quantised("QLinearMul", 13, (2, 30, 5), HALF, Q9, A(U8, 30, 1), EIGHTH, Q3, scalar(9), Q3, out=(2, 30, 5)),
    quantised("QLinearWhere", 13, Of(bool, (6, 1, 7)), (2, 6, 5, 7), HALF, Q9, (5, 1), EIGHTH, Q3, *RESULT,
              out=(2, 6, 5, 7)),
    quantised("QLinearSoftmax", 13, O3, EIGHTH, Q9, scalar(1 / 256), Q3, axis=1, opset=13, out=O3),
    quantised("QLinearSoftmax", 13, X4, EIGHTH, Q9, scalar(1 / 256), Q3, opset=13, axis=-1, out=X4),
    quantised("QLinearSoftmax", 13, X4, EIGHTH, Q9, scalar(1 / 256), Q3, opset=11, axis=2, out=X4,
              accepts="parts"),
    quantised("QLinearConcat", 13, *RESULT, X4, HALF, Q9, (2, 11, 5, 7), EIGHTH, Q3, axis=1, out=(2, 14, 5, 7)),
    quantised("QLinearConcat", 13, *RESULT, O3, HALF, Q9, A(U8, 2, 6, 7), EIGHTH, Q3, O3, TWO, Q3, axis=-1,
              out=(2, 6, 17)),
    quantised("QLinearAveragePool", 13, (2, 3, 7, 11), HALF, Q9, HALF, Q3, kernel_shape=[2, 3], strides=[3, 2],
              pads=[0, 1, 1, 2], count_include_pad=1, out=(2, 3, 3, 6), accepts="either"),
    quantised("QLinearAveragePool", 13, (2, 7, 11, 3), HALF, Q9, HALF, Q3, kernel_shape=[2, 3], channels_last=1,
              out=(2, 6, 9, 3), accepts="last channels"),
    quantised("QLinearAveragePool", 13, (2, 3, 11), HALF, Q9, HALF, Q3, kernel_shape=[3], out=(2, 3, 9),
              accepts="either"),
    quantised("QLinearGlobalAveragePool", 13, X4, HALF, Q9, EIGHTH, Q3, out=(2, 3, 1, 1), accepts="either"),
    quantised("QLinearGlobalAveragePool", 13, X5, HALF, Q9, EIGHTH, Q3, channels_last=1, out=(1, 1, 1, 1, 7),
              accepts="last channels"),
    quantised("QLinearConv", 13, (1, 3, 7, 11), HALF, Q9, A(S8, 5, 3, 2, 3), S(5), np.zeros(5, S8), scalar(64), Q7,
              A(np.int32, 5), strides=[2, 3], pads=[0, 1, 1, 0], out=(1, 5, 4, 4), accepts="either"),
    quantised("QLinearConv", 13, (1, 7, 11, 6), HALF, Q9, A(U8, 10, 3, 2, 3), TWO, Q3, scalar(64), Q7, group=2,
              channels_last=1, out=(1, 6, 9, 10), accepts="last channels"),
    ms("FusedConv", 13, (1, 3, 7, 11), W(5, 3, 2, 3), W(5), (1, 5, 6, 4), strides=[1, 3], pads=[0, 1, 0, 2],
       activation="Relu", out=(1, 5, 6, 4), accepts="first"),
    ms("FusedConv", 13, (1, 3, 7, 11), (5, 3, 2, 3), activation="Clip", activation_params=[-9.0, 99.0],
       out=(1, 5, 6, 9), accepts="first"),
    ms("FusedGemm", 13, (6, 30), W(30, 10), W(10), activation="Relu", out=(6, 10), accepts="every"),
    ms("FusedMatMul", 13, (2, 6, 30), W(30, 10), alpha=0.5, out=(2, 6, 10), accepts="product of turned"),
    ms("FusedMatMul", 13, (2, 6, 30), W(10, 30), transB=1, out=(2, 6, 10), accepts="product of turned"),
    ms("FusedMatMul", 13, (2, 30, 6), (10, 30), transA=1, transB=1, out=(2, 6, 10), accepts="product of turned"),
    ms("FusedMatMul", 13, (30, 6), (30, 10), transA=1, alpha=2.0, out=(6, 10), accepts="every"),
    ms("FusedMatMul", 13, (2, 3, 5, 7), (2, 3, 6, 7), transB=1, out=(2, 3, 5, 6), accepts="product of turned"),
    ms("FusedMatMul", 13, (2, 3, 7, 5), (1, 3, 7, 6), transA=1, out=(2, 3, 5, 6), accepts="product of turned"),
    ms("FusedMatMul", 13, (5, 2, 7), (2, 7, 3), transBatchA=1, out=(2, 5, 3), accepts="none"),
    ms("FusedMatMul", 13, (2, 5, 7), (7,), transA=0, out=(2, 5), accepts="none"),
    quantised("QGemm", 13, (6, 30), HALF, Q9, A(S8, 30, 10), S(10), np.zeros(10, S8), A(np.int32, 10), scalar(64), Q7,
              out=(6, 10), accepts="left"),
    quantised("QGemm", 13, (30, 6), HALF, Q9, A(U8, 10, 30), S(10), A(U8, 10), None, scalar(64), Q7, transA=1,
              transB=1, out=(6, 10), accepts="left"),
    ms("DynamicQuantizeMatMul", 13, (6, 30), A(S8, 30, 10), S(10), A(S8, 10), W(10),
       out=(6, 10), accepts="product in order"),
    ms("MatMulIntegerToFloat", 13, Of(U8, (6, 30)), A(U8, 30, 10), HALF, S(10), Q9, A(U8, 10), W(10), out=(6, 10),
       accepts="product in order"),
    ms("SkipLayerNormalization", 13, X3, X3, P(5), out=X3, accepts="none", **ABOUT),
    ms("SkipSimplifiedLayerNormalization", 13, X3, X3, P(5), out=X3, accepts="none", **ABOUT),
    quantised("QuantizeLinear", 10, Of(FLOAT, (2, 30, 5, 7)), S(30), A(U8, 30), axis=1, out=(2, 30, 5, 7)),
    quantised("QuantizeLinear", 10, Of(FLOAT, X4), HALF, Q3, out=X4),
    ms("DequantizeLinear", 10, Of(S8, X4), S(7), A(S8, 7), axis=-1, out=X4),
]  # fmt: skip
