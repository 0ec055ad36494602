"""Makers of nodes that compute: elementwise, convolution, pooling, normalisation, Resize."""

from typing import Any

import numpy as np
from onnx import TensorProto

from tests.support.growing import DOMAIN, Growing, Nothing


def is_image(array: Any) -> bool:
    return array.ndim in (3, 4, 5)


def unary(g: Growing) -> None:
    op = g.pick(["Relu", "Neg", "Abs", "Sign", "Identity", "Floor", "Ceil", "Dropout", "LeakyRelu", "Sigmoid", "Elu"])
    attrs: dict[str, Any] = {"alpha": 0.5} if op == "LeakyRelu" else {}
    g.add(op, [g.value()], **attrs)


def clip(g: Growing) -> None:
    if g.opset < 11:
        g.add("Clip", [g.value()], min=-2.0, max=3.0)
    else:
        low, high = (g.constant(np.asarray(v, dtype=np.float32)) for v in (-2, 3))
        g.add("Clip", [g.value(), g.pick([low, ""]), high])


def odd(g: Growing) -> None:
    g.add("Odd", [g.value()], domain=DOMAIN)


def cast(g: Growing) -> None:
    x = g.value(kind="fib")
    g.add("Cast", [x], to=g.pick([TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL]))


def operand(g: Growing, x: str) -> str:
    """A constant or value that broadcasts with ``x``, as far as can be told by luck."""
    shape = g.shape(x)
    if g.below(2):
        small = shape[g.below(len(shape) + 1) :]
        return g.weights(*(d if g.below(2) else 1 for d in small))
    return g.small(
        lambda array: all(a == b or 1 in (a, b) for a, b in zip(array.shape[::-1], shape[::-1], strict=False))
    )


def binary(g: Growing) -> None:
    x = g.small()
    pair = [x, operand(g, x)]
    op = g.pick(["Add", "Sub", "Mul", "Add", "Mul", "PRelu", "Greater", "Less", "Equal" if g.opset >= 11 else "Add"])
    if op == "PRelu" and np.broadcast_shapes(*map(g.shape, pair)) != g.shape(x):
        raise Nothing  # onnxruntime broadcasts the other way, too; ONNX does not
    g.add(op, pair if op == "PRelu" or g.below(2) else pair[::-1])


def halve(g: Growing) -> None:
    x = g.value()
    g.add("Div", [x, g.constant(np.asarray([2], dtype=np.float32))])


def variadic(g: Growing) -> None:
    x = g.small()
    g.add(g.pick(["Sum", "Max", "Min"]), [x, *(operand(g, x) for _ in range(g.below(3)))])


def logic(g: Growing) -> None:
    x = g.value(kind="b")
    g.add(*g.pick([("Not", [x]), ("And", [x, g.value(kind="b")]), ("Xor", [g.value(kind="b"), x])]))


def where(g: Growing) -> None:
    x = g.small()
    g.add("Where", [g.value(kind="b"), x, operand(g, x)])


def window(g: Growing, rank: int, dilated: bool = True) -> dict[str, Any]:
    """Kernel, strides, pads and dilations of unlike sizes."""
    kernel = [1 + g.below(3) for _ in range(rank)]
    attrs: dict[str, Any] = {"kernel_shape": kernel}
    if g.below(2):
        attrs["strides"] = [1 + g.below(2) for _ in range(rank)]
    if g.below(2):
        attrs["pads"] = [g.below(k) for k in (*kernel, *kernel)]
    elif not g.below(3):
        attrs["auto_pad"] = g.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])
    if dilated and not g.below(3) and "auto_pad" not in attrs:
        attrs["dilations"] = [1 + g.below(2) for _ in range(rank)]
    return attrs


def conv(g: Growing) -> None:
    x = g.small(is_image)
    channels, attrs = g.shape(x)[1], window(g, len(g.shape(x)) - 2)
    group = g.pick([d for d in (1, 1, 2, channels) if channels % d == 0])
    out = group * (1 + g.below(3))
    kernel = g.weights(out, channels // group, *attrs["kernel_shape"])
    g.add("Conv", [x, kernel, *g.pick([[], [g.weights(out)]])], group=group, **attrs)


def conv_transpose(g: Growing) -> None:
    x = g.small(is_image)
    channels, attrs = g.shape(x)[1], window(g, len(g.shape(x)) - 2)
    if g.below(2) and "strides" in attrs:
        attrs["output_padding"] = [g.below(s) for s in attrs["strides"]]
    group = g.pick([d for d in (1, 1, 2) if channels % d == 0])
    out = 1 + g.below(3)
    kernel = g.weights(channels, out, *attrs["kernel_shape"])
    g.add("ConvTranspose", [x, kernel, *g.pick([[], [g.weights(out * group)]])], group=group, **attrs)


def max_pool(g: Growing) -> None:
    x = g.value(is_image)
    attrs = window(g, len(g.shape(x)) - 2, dilated=g.opset >= 10)
    if g.opset >= 10 and g.below(2):
        attrs["ceil_mode"] = 1
    g.add("MaxPool", [x], 1 + (not g.below(4)), **attrs)


def average_pool(g: Growing) -> None:
    x = g.value(is_image)
    attrs = window(g, len(g.shape(x)) - 2, dilated=g.opset >= 19)
    g.add("AveragePool", [x], count_include_pad=g.below(2), **attrs)


def global_pool(g: Growing) -> None:
    g.add(g.pick(["GlobalAveragePool", "GlobalMaxPool"]), [g.value(is_image)])


def norm(g: Growing) -> None:
    x = g.small(is_image)
    vectors = [g.weights(g.shape(x)[1]) for _ in range(2)]
    g.add(*g.pick([("InstanceNormalization", [x, *vectors]), ("LRN", [x])]), **g.pick([{"size": 3}, {}]))


def batch_norm(g: Growing) -> None:
    x = g.small(lambda array: array.ndim > 1)
    channels = g.shape(x)[1]
    variance = g.constant((4.0 ** g.rng.integers(0, 2, channels)).astype(np.float32))
    g.add("BatchNormalization", [x, *(g.weights(channels) for _ in range(3)), variance], epsilon=0.0)


def resize(g: Growing) -> None:
    x = g.small(lambda array: array.ndim > 1)
    shape = g.shape(x)
    scales = [g.pick([1, 2]) if i > 1 or not g.below(4) else 1 for i in range(len(shape))]
    numbers = g.constant(np.asarray(scales, dtype=np.float32))
    if g.opset < 11:
        g.add("Upsample" if g.opset < 10 else "Resize", [x, numbers], mode=g.pick(["nearest", "linear"]))
        return
    attrs = {"mode": g.pick(["nearest", "nearest", "linear"])}
    attrs["coordinate_transformation_mode"] = g.pick(["asymmetric", "half_pixel", "align_corners"])
    sizes = g.ints([d * s for d, s in zip(shape, scales, strict=True)])
    none = g.constant(np.zeros(0, dtype=np.float32)) if g.opset < 13 else ""
    g.add("Resize", [x, none, *g.pick([[numbers], [none, sizes]])], **attrs)


def blocks(g: Growing) -> None:
    x = g.value(lambda array: array.ndim == 4)
    _, c, h, w = g.shape(x)
    mode = {"mode": g.pick(["DCR", "CRD"])} if g.opset >= 11 else {}
    if c % 4 == 0 and g.below(2):
        g.add("DepthToSpace", [x], blocksize=2, **mode)
    elif h % 2 == 0 and w % 2 == 0:
        g.add("SpaceToDepth", [x], blocksize=2)
