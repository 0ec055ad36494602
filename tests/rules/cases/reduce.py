"""Rows for passes/rules/reduce.py."""

from tests.rules.cases.case import ABOUT, O3, X4, I, case, ops

REDUCTIONS = ops(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare"
)

ROWS = [
    *(case(op, 11, O3, axes=[0, -1], **ABOUT) for op in REDUCTIONS),
    *(case(op, 11, X4, axes=[1, 2], keepdims=0, **ABOUT) for op in REDUCTIONS),
    *(case(op, 18, O3, [0, 2], **ABOUT) for op in REDUCTIONS),
    *(case(op, 18, X4, [-1, 1], keepdims=0, **ABOUT) for op in REDUCTIONS),
    case("ReduceSum", 1, X4, axes=[1], keepdims=0),
    case("ReduceMax", 11, O3),
    case("ReduceMax", 11, O3, keepdims=0),
    case("ReduceSum", 13, O3),
    case("ReduceSum", 13, O3, keepdims=0),
    case("ReduceSum", 13, O3, noop_with_empty_axes=1),
    case("ReduceSum", 13, O3, noop_with_empty_axes=1, keepdims=0),
    case("ReduceSum", 13, O3, [], noop_with_empty_axes=1),
    case("ReduceSum", 13, X4, []),
    case("ReduceSum", 13, X4, I(-1, 1)),
    case("ReduceSum", 13, X4, I(1), keepdims=0, accepts="none"),
    case("ReduceMean", 18, (2, 6, 5, 7), [1, 2], keepdims=0, **ABOUT),
    case("ReduceMin", 20, (6, 10, 7), [1], keepdims=0),
]
