"""Rows for passes/rules/sequence.py."""

import numpy as np

from tests.rules.cases.case import ABOUT, O3, TOLERANCE, X4, Fed, I, W, case, scalar

AXIS_0 = np.asarray(0, dtype=np.int32)
RECURRENT = {"hidden_size": 2, "outputs": 2, "accepts": "none", **ABOUT}

ROWS = [
    case("CumSum", 14, X4, scalar(1, np.int64)),
    case("CumSum", 11, O3, scalar(-1, np.int32), exclusive=1),
    case("CumSum", 14, O3, Fed(np.asarray(1)), reverse=1),
    case("CumSum", 14, (5, 6), scalar(0, np.int64)),
    case("CumProd", 26, O3, scalar(2, np.int64), data="unit", tolerance=TOLERANCE),
    case("CumProd", 26, O3, Fed(AXIS_0), exclusive=1, reverse=1, data="unit", tolerance=TOLERANCE),
    case("ReverseSequence", 10, (3, 2, 5, 7), [2, 3], accepts="pair"),
    case("ReverseSequence", 10, (2, 3, 6), I(1, 3), batch_axis=0, time_axis=1, accepts="pair"),
    case("DFT", 17, (2, 3, 5, 1), accepts="last", **ABOUT),
    case("DFT", 17, (2, 3, 5, 2), axis=2, inverse=1, accepts="last", **ABOUT),
    case("DFT", 17, (2, 6, 5, 1), scalar(7, np.int64), axis=-2, onesided=1, accepts="last", **ABOUT),
    case("DFT", 20, (2, 3, 5, 1), accepts="last", **ABOUT),
    case("DFT", 20, (2, 3, 5, 2), None, scalar(0, np.int64), inverse=1, accepts="last", **ABOUT),
    case("DFT", 20, (2, 3, 5, 1), scalar(4, np.int64), Fed(np.asarray(1)), onesided=1, accepts="last", **ABOUT),
    case("RNN", 14, (5, 3, 6), W(1, 2, 6), W(1, 2, 2), **RECURRENT),
    case("RNN", 7, (5, 3, 6), W(1, 2, 6), W(1, 2, 2), **RECURRENT),
    case("GRU", 14, (5, 3, 6), W(1, 6, 6), W(1, 6, 2), direction="reverse", **RECURRENT),
    case("LSTM", 7, (5, 3, 6), W(1, 8, 6), W(1, 8, 2), **RECURRENT),
    case("GRU", 7, (5, 3, 6), W(1, 6, 6), W(1, 6, 2), W(1, 12), **RECURRENT),
    case("LSTM", 22, (5, 3, 6), W(2, 8, 6), W(2, 8, 2), direction="bidirectional", **RECURRENT),
]
