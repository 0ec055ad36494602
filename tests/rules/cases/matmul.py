"""Rows for passes/rules/matmul.py."""

from tests.rules.cases.case import F, W, case, scalar

ROWS = [
    case("Gemm", 13, (6, 30), W(30, 10), accepts="some"),
    case("Gemm", 13, (6, 30), W(30, 10), W(10), accepts="some"),
    case("Gemm", 13, (30, 6), W(10, 30), W(6, 10), transA=1, transB=1, alpha=2.0, beta=3.0, accepts="some"),
    case("Gemm", 13, (3, 30), (10, 30), (3, 1), transB=1, accepts="some"),
    case("Gemm", 13, (30, 3), (30, 10), (10,), transA=1, accepts="some"),
    case("Gemm", 11, (3, 30), W(30, 10), F(7), accepts="some"),
    case("Gemm", 11, (3, 30), W(30, 10), scalar(7), accepts="some"),
    case("Gemm", 7, ("n3", 30), W(30, 10), ("n3", 10), accepts="some"),
    case("Gemm", 13, (3, 30), W(30, 10), ("k10",), accepts="some"),
    case("MatMul", 13, (6, 30), W(30, 10), accepts="some"),
    case("MatMul", 13, (2, 6, 30), W(30, 10), accepts="some"),
    case("MatMul", 13, (2, 3, 5, 6), W(6, 7), accepts="some"),
    case("MatMul", 13, (2, 3, 5, 7), (2, 3, 7, 6), accepts="some"),
    case("MatMul", 13, (2, 3, 5, 6), (1, 3, 6, 7), accepts="some"),
    case("MatMul", 13, (3, 6), (6, 5), accepts="some"),
    case("MatMul", 13, (6,), W(6, 10), accepts="some"),
    case("MatMul", 13, (2, 3, 6), W(6), accepts="some"),
    case("MatMul", 13, (2, 3, 5, 6), (6,), accepts="some"),
    case("MatMul", 9, (6,), (6,), accepts="none"),
    case("MatMul", 13, (6,), (2, 3, 6, 10), accepts="some"),
    case("MatMul", 13, (5, 6), (2, 3, 6, 7), accepts="some"),
    case("MatMul", 13, (3, 5, 6), (2, 1, 6, 7), accepts="some"),
    case("MatMul", 13, (2, 3, 5, 6), (3, 6, 10), accepts="some"),
    case("MatMul", 13, (2, 3, 5, 6), W(3, 6, 7), accepts="some"),
    case("MatMul", 13, W(10, 6), (2, 3, 6, 5), accepts="some"),
    case("MatMul", 13, W(3, 10, 6), (2, 3, 6, 5), accepts="some"),
    case("MatMul", 13, W(10, 6), (6, 5), accepts="some"),
    case("MatMul", 13, W(6), (2, 6, 10), accepts="some"),
]
