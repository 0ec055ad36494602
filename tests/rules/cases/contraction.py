"""Rows for passes/rules/contraction.py."""

import numpy as np

from tests.rules.cases.case import TOLERANCE, F, W, case, scalar

ABOUT_HALF = {"tolerance": 1e-2}
SUM = {"accepts": "every", "tolerance": TOLERANCE}

ROWS = [
    case("Gemm", 13, (6, 30), W(30, 10), accepts="every"),
    case("Gemm", 13, (6, 30), W(30, 10), W(10), accepts="every"),
    case("Gemm", 13, (30, 6), W(10, 30), W(6, 10), transA=1, transB=1, alpha=2.0, beta=3.0, accepts="every"),
    case("Gemm", 13, (3, 30), (10, 30), (3, 1), transB=1, accepts="every"),
    case("Gemm", 13, (30, 3), (30, 10), (10,), transA=1, accepts="every"),
    case("Gemm", 11, (3, 30), W(30, 10), F(7), accepts="every"),
    case("Gemm", 11, (3, 30), W(30, 10), scalar(7), accepts="every"),
    case("Gemm", 7, ("n3", 30), W(30, 10), ("n3", 10), accepts="every"),
    case("Gemm", 13, (3, 30), W(30, 10), ("k10",), accepts="every"),
    case("MatMul", 13, (6, 30), W(30, 10), accepts="every"),
    case("MatMul", 13, (6, 30), (30, 10), dtype=np.float64, accepts="every"),
    case("MatMul", 13, (6, 30), (30, 10), dtype=np.float16, data="unit", accepts="every", **ABOUT_HALF),
    case("MatMul", 11, W(6, 30), (30, 10), accepts="every"),
    case("MatMul", 9, (6, 30), (30, 10), accepts="product"),
    case("MatMul", 13, (6, 30), (30, 10), dtype=np.int32, accepts="product"),
    case("MatMul", 13, (2, 6, 30), W(30, 10), accepts="product"),
    case("MatMul", 13, (2, 3, 5, 6), W(6, 7), accepts="product"),
    case("MatMul", 13, (2, 3, 5, 7), (2, 3, 7, 6), accepts="product"),
    case("MatMul", 13, (2, 3, 5, 6), (1, 3, 6, 7), accepts="product"),
    case("MatMul", 13, ("n3", 6), (6, "k5"), accepts="every"),
    case("MatMul", 13, (6,), W(6, 10), accepts="product"),
    case("MatMul", 13, (2, 3, 6), W(6), accepts="product"),
    case("MatMul", 13, (2, 3, 5, 6), (6,), accepts="product"),
    case("MatMul", 9, (6,), (6,), accepts="none"),
    case("MatMul", 13, (6,), (2, 3, 6, 10), accepts="product"),
    case("MatMul", 13, (5, 6), (2, 3, 6, 7), accepts="product"),
    case("MatMul", 13, (3, 5, 6), (2, 1, 6, 7), accepts="product"),
    case("MatMul", 13, (2, 3, 5, 6), (3, 6, 10), accepts="product"),
    case("MatMul", 13, (2, 3, 5, 6), W(3, 6, 7), accepts="product"),
    case("MatMul", 13, W(10, 6), (2, 3, 6, 5), accepts="product"),
    case("MatMul", 13, W(3, 10, 6), (2, 3, 6, 5), accepts="product"),
    case("MatMul", 13, W(10, 6), (6, 5), accepts="every"),
    case("MatMul", 13, W(6), (2, 6, 10), accepts="product"),
    case("MatMul", 13, (1, 5, 6), W(6, 7), accepts="product"),
    case("MatMul", 13, (5, 6), (1, 6, 7), accepts="product"),
    case("MatMul", 13, W(5, 6), (1, 6, 7), accepts="product"),
    case("Einsum", 12, (2, 3), (3, 5), equation="ij,jk->ik", **SUM),
    case("Einsum", 12, (6, 5), (5, 3), equation="ij, jk", **SUM),
    case("Einsum", 12, (2, 3, 5), (3, 5), equation="bij,ij->jb", **SUM),
    case("Einsum", 12, (3, 3), equation="ii->i", **SUM),
    case("Einsum", 12, (2, 3, 5), equation="...ij->...ji", **SUM),
    case("Einsum", 12, (2, 3, 5), (2, 5, 3), equation="...ij,...ji", **SUM),
    case("Einsum", 12, (2, 3, 5), (5, 3), equation="...ij,ji->...i", **SUM),
    case("Einsum", 12, (1, 3, 5), (2, 5, 3), equation="...ij,...jk->...ik", accepts="none"),
]
