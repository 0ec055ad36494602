"""Rows for passes/rules/norm.py."""

from tests.rules.cases.case import ABOUT, O3, TOLERANCE, X3, X4, X5, P, W, case

ROWS = [
    case("BatchNormalization", 15, (2, 6, 5, 7), P(6), W(6), W(6), P(6), tolerance=TOLERANCE, accepts="all"),
    case("BatchNormalization", 9, X4, P(3), W(3), W(3), P(3), epsilon=1e-3, tolerance=TOLERANCE, accepts="all"),
    case("BatchNormalization", 7, X4, P(3), W(3), W(3), P(3), spatial=1, tolerance=TOLERANCE, accepts="all"),
    case("BatchNormalization", 15, (5, 6), P(6), W(6), W(6), P(6), tolerance=TOLERANCE, accepts="all"),
    case("BatchNormalization", 15, X3, P(3), W(3), W(3), P(3), tolerance=TOLERANCE, accepts="all"),
    case("BatchNormalization", 15, X5, P(2), W(2), W(2), P(2), tolerance=TOLERANCE, accepts="all"),
    case("BatchNormalization", 15, (2, 6, 5), (6,), (6,), (6,), (6,), accepts="channels", **ABOUT),
    case("BatchNormalization", 15, X4, P(3), W(3), W(3), P(3), training_mode=1, outputs=3, accepts="none"),
    case("BatchNormalization", 7, X3, P(3, 5), W(3, 5), W(3, 5), P(3, 5), spatial=0, accepts="none"),
    case("InstanceNormalization", 6, X4, W(3), W(3), **ABOUT),
    case("InstanceNormalization", 6, X3, (3,), W(3), **ABOUT),
    case("GroupNormalization", 21, (2, 6, 5, 7), W(6), W(6), num_groups=3, **ABOUT),
    case("GroupNormalization", 18, (2, 6, 5), W(3), W(3), num_groups=3, **ABOUT),
    case("BatchNormalization", 15, (2, 3, 6, 5), P(3), W(3), W(3), P(3), tolerance=TOLERANCE, accepts="all"),
    *(case(op, 23, X4, W(7), accepts="last", **ABOUT) for op in ("LayerNormalization", "RMSNormalization")),
    *(case(op, 23, (2, 5, 6), W(6), accepts="last", **ABOUT) for op in ("LayerNormalization", "RMSNormalization")),
    *(case(op, 23, O3, W(6, 5), axis=1, accepts="batch", **ABOUT) for op in ("LayerNormalization", "RMSNormalization")),
    case("LayerNormalization", 17, X4, W(5, 7), W(5, 7), axis=-2, accepts="matrix", **ABOUT),
    case("LayerNormalization", 17, X4, W(2, 3, 5, 7), accepts="last", **ABOUT),
    case("LayerNormalization", 17, X4, W(2, 3, 5, 7), axis=1, accepts="batch", **ABOUT),
    case("LayerNormalization", 17, (2, 6, 5), (5,), (5,), epsilon=1e-3, outputs=3, accepts="last", **ABOUT),
    case("MeanVarianceNormalization", 13, X4, **ABOUT),
    case("MeanVarianceNormalization", 9, O3, axes=[0, -1], **ABOUT),
    case("LRN", 13, (2, 7, 3, 5), size=3, alpha=0.5, **ABOUT),
    case("LRN", 1, (1, 5, 3, 2), size=5, **ABOUT),
]
