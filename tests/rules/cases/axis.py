"""Rows for passes/rules/axis.py."""

from tests.rules.cases.case import ABOUT, O3, TOLERANCE, X3, X4, I, W, case

ROWS = [
    *(case(op, 13, X4, **ABOUT) for op in ("Softmax", "LogSoftmax")),
    *(case(op, 21, O3, axis=1, **ABOUT) for op in ("Softmax", "LogSoftmax")),
    *(case(op, 13, X4, axis=axis, **ABOUT) for op in ("Softmax", "LogSoftmax") for axis in (0, -2)),
    *(case(op, 11, X4, axis=axis, accepts="parts", **ABOUT) for op in ("Softmax", "LogSoftmax") for axis in (2, -1)),
    *(case(op, 11, O3, accepts="parts", **ABOUT) for op in ("Softmax", "LogSoftmax")),
    case("LpNormalization", 7, X4, axis=1, p=1, tolerance=TOLERANCE),
    case("LpNormalization", 22, O3, tolerance=TOLERANCE),
    case("Hardmax", 13, O3, axis=1, data="ties"),
    case("Hardmax", 13, O3, data="ties"),
    case("Hardmax", 11, O3, data="ties", accepts="none"),
    case("Hardmax", 11, X4, axis=2, data="ties", accepts="ordered part"),
    case("Hardmax", 11, X4, axis=-1, data="ties", accepts="ordered part"),
    case("Concat", 21, X4, (2, 11, 5, 7), axis=1),
    case("Concat", 21, (2, 6, 5), (2, 6, 7), W(2, 6, 3), axis=-1),
    case("Concat", 4, (6, 5), (7, 5), axis=0),
    case("Concat", 3, X3, (2, 7, 5), axis=1, out=(2, 10, 5)),
    case("Concat", 13, (2, 6, 5), (2, 9, 5), (2, 5, 5), axis=1),
    case("Concat", 13, (2, 6, 5), W(2, 9, 5), axis=1),
    case("Split", 2, (2, 10, 5, 7), axis=1, outputs=2),
    case("Split", 11, (2, 10, 7), axis=1, split=[3, 7], outputs=2),
    case("Split", 13, (6, 10, 7), [3, 7], axis=-2, outputs=2),
    case("Split", 13, (10, 3), I(3, 7), outputs=2),
    case("Split", 13, (2, 30), [20, 10], axis=1, outputs=2),
    case("Split", 21, (2, 3, 11), axis=2, num_outputs=2, outputs=2),
    *(case(op, 13, O3, axis=axis, data="ties") for op in ("ArgMax", "ArgMin") for axis in (0, -1)),
    *(case(op, 13, X4, axis=1, keepdims=0, select_last_index=1, data="ties") for op in ("ArgMax", "ArgMin")),
    *(case(op, 11, X4, data="ties", keepdims=0) for op in ("ArgMax", "ArgMin")),
]
