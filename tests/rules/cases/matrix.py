"""Rows for passes/rules/matrix.py."""

import numpy as np

from tests.rules.cases.case import ABOUT, Fed, case, scalar

ROWS = [
    case("Trilu", 14, (2, 5, 7), accepts="matrix"),
    case("Trilu", 14, (6, 5, 7), scalar(2, np.int64), upper=0, accepts="matrix"),
    case("Trilu", 14, (2, 3, 5, 7), scalar(-1, np.int64), accepts="matrix"),
    case("Trilu", 14, (3, 5), Fed(np.asarray(1)), accepts="none"),
    case("EyeLike", 9, (5, 6), k=1),
    case("EyeLike", 22, (5, 3), k=-1),
    case("EyeLike", 9, (3, 5)),
    case("Det", 11, (6, 2, 3, 3), accepts="matrix", **ABOUT),
    case("Det", 22, (3, 3), accepts="matrix", **ABOUT),
]
