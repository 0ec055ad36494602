"""Rows for passes/rules/pool.py."""

from tests.rules.cases.case import ABOUT, TOLERANCE, X3, X4, X5, case

ROWS = [
    case("AveragePool", 19, (2, 6, 7, 5), kernel_shape=[2, 3]),
    case("LpPool", 22, (2, 6, 7, 5), kernel_shape=[2, 3], tolerance=TOLERANCE),
    case("MaxPool", 12, (2, 6, 7, 5), kernel_shape=[2, 3]),
    case("GlobalMaxPool", 1, (2, 6, 7, 5), accepts="all"),
    case("GlobalAveragePool", 1, X4, accepts="all", tolerance=TOLERANCE),
    case("GlobalLpPool", 2, X4, accepts="all", **ABOUT),
    case("AveragePool", 11, (2, 3, 11), kernel_shape=[3], strides=[2], tolerance=TOLERANCE),
    case("AveragePool", 11, (2, 3, 7, 11), kernel_shape=[2, 3], pads=[0, 1, 1, 2], tolerance=TOLERANCE),
    case("AveragePool", 19, (2, 3, 7, 11), kernel_shape=[2, 4], pads=[0, 1, 1, 2], count_include_pad=1,
         dilations=[3, 2], tolerance=TOLERANCE),
    case("AveragePool", 19, (2, 3, 7, 11), kernel_shape=[2, 3], strides=[3, 2], ceil_mode=1, tolerance=TOLERANCE),
    case("AveragePool", 11, (1, 2, 5, 7, 11), kernel_shape=[2, 1, 3], tolerance=TOLERANCE),
    case("MaxPool", 11, (2, 3, 11), kernel_shape=[3], strides=[2]),
    case("MaxPool", 7, (2, 3, 7, 11), kernel_shape=[2, 3], strides=[1, 2]),
    case("MaxPool", 8, (2, 3, 7, 11), kernel_shape=[2, 3], strides=[3, 2]),
    case("AveragePool", 7, (2, 3, 7, 11), kernel_shape=[2, 3], strides=[3, 2], tolerance=TOLERANCE),
    case("MaxPool", 12, (2, 3, 7, 11), kernel_shape=[2, 3], strides=[3, 2], ceil_mode=1),
    case("MaxPool", 12, (2, 3, 7, 11), kernel_shape=[2, 3], pads=[0, 1, 1, 2], dilations=[3, 2]),
    case("MaxPool", 12, (2, 3, 7, 11), kernel_shape=[2, 3], auto_pad="SAME_UPPER"),
    case("MaxPool", 12, (2, 3, 4, 6), kernel_shape=[2, 3], strides=[2, 3], outputs=2, accepts="still"),
    case("MaxPool", 12, (1, 2, 5, 7, 11), kernel_shape=[2, 1, 3], strides=[1, 2, 3]),
    case("LpPool", 18, (2, 3, 7, 11), kernel_shape=[2, 3], p=3, pads=[0, 1, 1, 2], **ABOUT),
    case("LpPool", 11, (2, 3, 7), kernel_shape=[2], strides=[2], **ABOUT),
    *(case(op, 13, shape, accepts="all", tolerance=TOLERANCE)
      for op in ("GlobalAveragePool", "GlobalMaxPool") for shape in (X3, X4)),
    case("GlobalLpPool", 13, X4, accepts="all", **ABOUT),
    case("GlobalLpPool", 13, X3, p=3, **ABOUT),
    case("GlobalAveragePool", 13, X5, accepts="all", tolerance=TOLERANCE),
    case("GlobalMaxPool", 22, X4, accepts="all"),
    case("GlobalAveragePool", 22, X4, tolerance=TOLERANCE, accepts="all"),
    case("GlobalLpPool", 18, X4, p=1, accepts="all", **ABOUT),
]  # fmt: skip
