"""Rows for passes/rules/matrix.py and passes/rules/einsum.py."""

import numpy as np

from tests.rules.cases.case import ABOUT, TOLERANCE, Fed, case, scalar

SUM = {"accepts": "every", "tolerance": TOLERANCE}

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
    case("Einsum", 12, (2, 3), (3, 5), equation="ij,jk->ik", **SUM),
    case("Einsum", 12, (6, 5), (5, 3), equation="ij, jk", **SUM),
    case("Einsum", 12, (2, 3, 5), (3, 5), equation="bij,ij->jb", **SUM),
    case("Einsum", 12, (3, 3), equation="ii->i", **SUM),
    case("Einsum", 12, (2, 3, 5), equation="...ij->...ji", **SUM),
    case("Einsum", 12, (2, 3, 5), (2, 5, 3), equation="...ij,...ji", **SUM),
    case("Einsum", 12, (2, 3, 5), (5, 3), equation="...ij,ji->...i", **SUM),
    case("Einsum", 12, (1, 3, 5), (2, 5, 3), equation="...ij,...jk->...ik", accepts="none"),
]
