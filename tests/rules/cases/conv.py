"""Rows for passes/rules/conv.py."""

from tests.rules.cases.case import W, case

ROWS = [
    case("Conv", 11, (2, 3, 11), W(5, 3, 2), W(5), pads=[1, 2], strides=[2]),
    case("Conv", 11, (1, 3, 11, 13), W(5, 3, 2, 3), W(5), pads=[0, 1, 2, 3], strides=[2, 3], dilations=[3, 2]),
    case("Conv", 11, (2, 6, 7, 5), W(10, 3, 3, 2), group=2, kernel_shape=[3, 2]),
    case("Conv", 11, (2, 5, 7, 11), W(10, 1, 2, 3), W(10), group=5),
    case("Conv", 11, (2, 6, 7, 5), W(10, 6, 3, 2), W(10)),
    case("Conv", 11, (2, 6, 7, 5), W(6, 1, 3, 2), W(6), group=6),
    case("Conv", 11, (2, 12, 7), W(12, 6, 2), group=2),
    case("Conv", 11, (1, 3, 7, 11), W(5, 3, 2, 3), auto_pad="SAME_UPPER", strides=[2, 3]),
    case("Conv", 11, (1, 3, 7, 11), W(5, 3, 2, 4), auto_pad="SAME_LOWER"),
    case("Conv", 11, (1, 3, 7, 11), W(5, 3, 2, 3), auto_pad="VALID"),
    case("Conv", 1, (1, 3, 7, 11), (5, 3, 2, 3), (5,)),
    case("Conv", 22, ("n2", 3, "h7", "w11"), W(5, 3, 2, 3), None),
    case("Conv", 11, (1, 2, 5, 7, 11), W(3, 2, 2, 3, 4), W(3), pads=[0, 1, 2, 3, 1, 0], strides=[1, 2, 3]),
    case("ConvTranspose", 11, (2, 3, 5), W(3, 7, 2), W(7), strides=[2], pads=[1, 0]),
    case("ConvTranspose", 11, (1, 3, 5, 7), W(3, 2, 2, 3), W(2), strides=[3, 2], output_padding=[2, 1]),
    case("ConvTranspose", 11, (1, 3, 5, 7), W(3, 2, 2, 3), strides=[2, 3], output_shape=[11, 22]),
    case("ConvTranspose", 11, (1, 6, 5, 7), W(6, 5, 2, 3), group=2, dilations=[2, 3], pads=[1, 0, 2, 1]),
    case("ConvTranspose", 22, (1, 2, 3, 5), W(2, 3, 2, 3), strides=[2, 1], output_padding=[1, 0],
         auto_pad="SAME_UPPER", accepts="none"),
    case("ConvTranspose", 13, (1, 5, 2, 3), W(5, 2, 2, 1), strides=[1, 2], output_padding=[0, 1],
         auto_pad="SAME_UPPER", accepts="none"),
    case("ConvTranspose", 1, (1, 3, 5, 7), (3, 2, 2, 3), (2,)),
    case("ConvTranspose", 11, (1, 2, 3, 5, 7), W(2, 3, 2, 3, 1), strides=[2, 1, 3]),
]  # fmt: skip
