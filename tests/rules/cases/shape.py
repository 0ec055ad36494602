"""Rows for passes/rules/shape.py."""

from tests.rules.cases.case import O4, X4, case

ROWS = [
    case("Shape", 21, O4),
    case("Shape", 1, ("n2", 3, "h5")),
    case("Shape", 15, X4, start=1),
    case("Shape", 15, X4, start=-3, end=-1),
    case("Shape", 15, X4, start=0, end=2),
    case("Shape", 15, X4, start=3, end=1),
    case("Size", 21, O4),
]
