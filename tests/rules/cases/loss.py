"""Rows for passes/rules/loss.py."""

import numpy as np

from tests.rules.cases.case import ABOUT, Array, Fed, P, case


def labels(*shape: int) -> Array:
    return np.random.default_rng(2).integers(0, 3, shape)


ROWS = [
    *(
        row
        for op in ("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss")
        for row in (
            case(op, 13, (2, 3, 5, 7), Fed(labels(2, 5, 7)), accepts="classes", **ABOUT),
            case(op, 12, (5, 3), labels(5), P(3), reduction="none", accepts="classes", **ABOUT),
            case(op, 13, (2, 3, 6), Fed(labels(2, 6)), reduction="none", accepts="classes", **ABOUT),
            case(op, 13, (2, 6, 5), Fed(labels(2, 5)), reduction="sum", ignore_index=1, accepts="classes", **ABOUT),
        )
    ),
    case("SoftmaxCrossEntropyLoss", 13, (2, 3, 5, 7), labels(2, 5, 7), outputs=2, accepts="classes", **ABOUT),
]
