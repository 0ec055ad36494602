"""TensorFlow's operators that tf2onnx has no form for, or a wrong one: a function for each, as tf2onnx calls it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx.helper import tensor_dtype_to_np_dtype

Handler = Callable[[Any, Any, str, Any], None]
NEAREST: dict[str, Callable[[Any], Any]] = {
    "round_prefer_floor": lambda x: np.ceil(x - np.float32(0.5)),
    "round_prefer_ceil": lambda x: np.floor(x + np.float32(0.5)),
    "floor": np.floor,
    "ceil": np.ceil,
}


def erfc(graph: Any, node: Any, name: str, _: Any) -> None:
    """``1 - erf(x)``: as exact absolutely, not for large ``x``, of which Keras's gelu makes 0."""
    shape, kind = graph.get_shape(node.output[0]), graph.get_dtype(node.output[0])
    one = graph.make_const(f"{name}/one", np.ones((), tensor_dtype_to_np_dtype(kind))).output[0]
    erf = graph.make_node("Erf", node.input, shapes=[shape], dtypes=[kind]).output[0]
    graph.remove_node(node.name)
    graph.make_node("Sub", [one, erf], outputs=node.output, name=name, shapes=[shape], dtypes=[kind])


def conv_transpose(graph: Any, node: Any, name: str, _: Any) -> None:
    """By tf2onnx, which pads and cuts by a computed shape even where TensorFlow has inferred its sizes of space.

    Where the result has more elements than there are windows, tf2onnx pads by less than nothing, which ONNX has as
    ``output_padding``; TensorFlow puts all of these zeros behind.
    """
    from tf2onnx.onnx_opset.nn import ConvTranspose

    sizes = graph.get_shape(node.output[0])
    space = slice(2, None) if node.data_format.startswith("NC") else slice(1, -1)
    if sizes is not None and -1 not in sizes[space]:  # of the batch tf2onnx reads nothing
        told = graph.make_const(f"{name}/sizes", np.maximum(sizes, 1).astype(np.int32))
        graph.replace_input(node, node.input[0], told.output[0], 0)
    ConvTranspose.version_1(graph, node)
    pads = np.reshape(node.get_attr_value("pads", [0, 0]), (2, -1))
    if (pads < 0).any():
        node.set_attr("output_padding", np.maximum(-pads.sum(0), 0).tolist())
        node.set_attr("pads", (pads * (pads.sum(0) >= 0)).ravel().tolist())


def gelu(graph: Any, node: Any, name: str, _: Any) -> None:
    """TFLite's operator, exact or by tanh."""
    x, shape, kind = node.input[0], graph.get_shape(node.output[0]), graph.get_dtype(node.output[0])

    def made(op: str, *inputs: str) -> str:
        return str(graph.make_node(op, [*inputs], shapes=[shape], dtypes=[kind]).output[0])

    def number(value: float) -> str:
        return str(graph.make_const(f"{name}/{value}", np.asarray(value, tensor_dtype_to_np_dtype(kind))).output[0])

    if node.get_attr_value("approximate", 0):
        cubic = made("Mul", made("Mul", made("Mul", x, x), x), number(0.044715))
        bent = made("Tanh", made("Mul", made("Add", x, cubic), number((2 / np.pi) ** 0.5)))
    else:
        bent = made("Erf", made("Mul", x, number(0.5**0.5)))
    grown = made("Mul", made("Mul", x, number(0.5)), made("Add", bent, number(1)))
    outputs = node.output
    graph.remove_node(node.name)
    graph.make_node("Identity", [grown], outputs=outputs, name=name, shapes=[shape], dtypes=[kind])


def dilated_same(graph: Any) -> None:
    """SAME of dilated convolutions without strides as numbers, since onnxruntime has no such ``auto_pad``."""
    for node in graph.get_nodes():
        dilations = node.get_attr_value("dilations", [1])
        strided = {*node.get_attr_value("strides", [1])} != {1}
        if node.type != "Conv" or strided or {*dilations} == {1} or node.get_attr_value("auto_pad") != b"SAME_UPPER":
            continue
        totals = [(k - 1) * d for k, d in zip(node.get_attr_value("kernel_shape"), dilations, strict=True)]
        node.set_attr("pads", [*(n // 2 for n in totals), *(n - n // 2 for n in totals)])
        node.set_attr("auto_pad", "NOTSET")


def whole_sizes(graph: Any) -> None:
    """Scales of Resize with which sizes come out whole: 24 by float32's 28/24 is 27 to onnx, and 28 to onnxruntime.

    So a size is wrong as soon as anything is folded by inferred shapes. A last bit more makes both say the same; not
    where another element would then be the nearest.
    """
    for node in graph.get_nodes():
        if node.type != "Resize" or len(node.input) != 3 or not node.inputs[2].is_const():
            continue
        sizes, scales = graph.get_shape(node.input[0]) or [], node.inputs[2].get_tensor_value(as_list=False)
        if len(sizes) == len(scales):
            whole = [_whole(n, scale, _placed(node)) for n, scale in zip(sizes, scales, strict=True)]
            told = graph.make_const(f"{node.name}/scales", np.array(whole, np.float32)).output[0]
            graph.replace_input(node, node.input[2], told, 2)


def _whole(size: int, scale: Any, placed: Callable[[Any, Any], Any]) -> Any:
    result, more = round(size * float(scale)), np.nextafter(scale, np.float32(np.inf))
    if size < 1 or int(size * float(scale)) == result or int(size * float(more)) != result:
        return scale
    at = np.arange(result, dtype=np.float32)
    return more if (placed(at, scale) == placed(at, more)).all() else scale


def _placed(node: Any) -> Callable[[Any, Any], Any]:
    """Which elements are the nearest, by positions in the result and a scale; all the same where they are mixed."""
    if node.get_attr_value("mode", b"nearest") != b"nearest":
        return lambda at, scale: at
    way = node.get_attr_value("coordinate_transformation_mode")
    shift = np.float32(0 if way == b"asymmetric" else 0.5)
    back = np.float32(0) if way == b"tf_half_pixel_for_nn" else shift
    rounded = NEAREST[node.get_attr_value("nearest_mode", b"round_prefer_floor").decode()]
    return lambda at, scale: rounded((at + shift) / scale - back)


def negative_zeros(graph: Any, nodes: list[Any]) -> list[Any]:
    """``x == 0``, and its sign bit is set, as Keras's argmax asks: ONNX reads no bits, and has ``1 / x < 0`` for it."""
    for both in [node for node in nodes if node.type == "LogicalAnd"]:
        number = _asked_for_sign(*both.inputs)
        if number:
            zero = graph.make_const(f"{both.name}/zero", np.zeros((), np.float32)).output[0]
            inverse = graph.make_node("Reciprocal", [number], name=f"{both.name}/inverse").output[0]
            below = graph.make_node("Less", [inverse, zero], name=f"{both.name}/below").output[0]
            graph.replace_input(both, both.input[1], below, 1)
    return list(graph.get_nodes())


def _asked_for_sign(is_zero: Any, is_set: Any) -> str:
    """The number of which both are asked; "" if anything else is."""
    bits = is_set.inputs[0] if (is_zero.type, is_set.type) == ("Equal", "Less") else is_zero
    if bits.type != "BitwiseAnd" or bits.inputs[0].type != "Bitcast":
        return ""
    constants = is_zero.inputs[1], is_set.inputs[1], bits.inputs[1]
    number = bits.inputs[0].input[0]
    is_so = all(one.is_const() for one in constants) and is_zero.input[0] == number
    is_so = is_so and [one.get_tensor_value() for one in constants] == [0, 0, -(2**31)]
    return number if is_so else ""


HANDLERS: dict[str, tuple[Handler, list[Any]]] = {  # what tf2onnx calls custom_op_handlers
    "Erfc": (erfc, []),
    "Conv2DBackpropInput": (conv_transpose, []),
    "Conv3DBackpropInputV2": (conv_transpose, []),
    "TFL_GELU": (gelu, []),
}
REWRITERS = [negative_zeros]  # custom_rewriter
