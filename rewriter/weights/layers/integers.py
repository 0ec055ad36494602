"""Operators that compute with integers: what their kernels and biases stand for, and what is added to their results."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir.control_flow import Coupling
from passes.ir.graph import is_standard
from passes.layout import perm
from rewriter.weights.layers.trace import Use, dequantised
from rewriter.weights.tensors.quantised import Scaling, scaling


class Integers(NamedTuple):
    """Of a parameter: the inputs whose product is its scale (none: its scale is behind the operator), its zero point,
    and the axis along which these have entries."""

    scales: tuple[int, ...]
    zero: int | None
    axis: int


QUANTISE = ("QuantizeLinear", "DequantizeLinear")
DATA = {"QLinearAdd": (0, 3), "QLinearMul": (0, 3)}  # of onnxruntime's operators: a scale and a zero point behind each
ADDS = {"Add": (0, 1), "QLinearAdd": DATA["QLinearAdd"]}
SMALL_INTEGERS = (np.int8, np.uint8, np.int16, np.uint16, np.int32)
# operator -> parameters by place; https://onnx.ai/onnx/operators/ (QLinearConv: "quantized using scale =
# x_scale * w_scale and zero_point = 0" of its bias)
OPERATORS = {
    "QLinearConv": {0: Integers((4,), 5, 0), 1: Integers((1, 4), None, 0)},
    "QLinearMatMul": {0: Integers((4,), 5, -1)},
    "QGemm": {0: Integers((4,), 5, -1), 1: Integers((1, 4), None, 0)},
    "ConvInteger": {0: Integers((), 3, 0)},
    "MatMulInteger": {0: Integers((), 3, -1)},
}


def scaling_of(node: gs.Node, place: int, use: Use) -> Scaling | None:
    """What makes real numbers of a parameter; ``None`` where it is none of integers, or that cannot be known."""
    integers = OPERATORS.get(node.op, {}).get(place)
    if integers is None:
        return use.scaling
    scales = [node.inputs[i] for i in integers.scales] or [scale_behind(node)]
    zero = node.inputs[integers.zero] if integers.zero is not None and integers.zero < len(node.inputs) else None
    return scaling(scales, zero, use.constant.shape, use.perm[integers.axis])


def operand(node: "gs.Node | Coupling", number: int) -> Use:
    """A constant that a node reads itself, as what it makes of it if it dequantises it."""
    constant = node.inputs[number]
    use = Use(constant, node, number, perm.identity(len(constant.shape)))
    if number in DATA.get(node.op, ()):
        return replace(use, scaling=scaling([node.inputs[number + 1]], node.inputs[number + 2], constant.shape, 0))
    if node.op == "DequantizeLinear" and not number:
        return replace(use, scaling=dequantised(node, constant, use.perm))
    return use


def is_scale(use: Use) -> bool:
    """Whether an operator reads a constant as a scale or zero point."""
    op, number = use.node.op, use.number
    return number not in DATA[op] if op in DATA else number > 0 and op in (*QUANTISE, *OPERATORS)


def scale_behind(node: gs.Node) -> gs.Tensor | None:
    """The kernel's part of what a result of integers is multiplied by, where the other is what was quantised."""
    casts = only(node.outputs[0], "Cast")
    scaled = only(casts[0].outputs[0], "Mul") if casts else []
    if not scaled:
        return None
    factor = scaled[0].inputs[1 if scaled[0].inputs[0] is casts[0].outputs[0] else 0]
    if len(factor.inputs) != 1 or factor.inputs[0].op != "Mul":
        return None
    own = [t for t in factor.inputs[0].inputs if not is_scale_of(t, node.inputs[0])]
    return own[0] if len(own) == 1 else None


def is_scale_of(scale: gs.Tensor, quantised: gs.Tensor) -> bool:
    """Whether both are results of one DynamicQuantizeLinear."""
    made = scale.inputs[0] if scale.inputs else None
    return made is not None and made.op == "DynamicQuantizeLinear" and quantised is made.outputs[0]


def result_of(node: gs.Node) -> gs.Tensor:
    """A layer's result, as real numbers, however its operator and a pair of QuantizeLinear and its inverse tell it."""
    result = node.outputs[0]
    scaled = ("Cast", "Mul") if node.op in ("ConvInteger", "MatMulInteger") else ()
    for op in (*scaled, *QUANTISE):
        readers = only(result, op)
        result = readers[0].outputs[0] if readers else result
    return result


def only(tensor: gs.Tensor, op: str) -> list[gs.Node]:
    """The one reader of a value, but for its type, if it is this operator; else nothing."""
    readers = [node for node in tensor.outputs if node.op != "CastLike" or node.inputs[0] is tensor]
    return readers if len(readers) == 1 and readers[0].op == op and is_standard(readers[0]) else []


def added_bias(node: gs.Node, channels: int, find: Callable[[gs.Node, int], Use | None]) -> Use | None:
    """What is added to the result of a layer, and to nothing else of it: one number for each channel."""
    result = result_of(node)
    readers = list(result.outputs)
    if len(readers) != 1 or readers[0].op not in ADDS:
        return None
    add, places = readers[0], ADDS[readers[0].op]
    number = places[1 if add.inputs[places[0]] is result else 0]
    if add.op in DATA:
        bias = operand(add, number) if isinstance(add.inputs[number], gs.Constant) else None
    else:
        bias = find(add, number)
    axis = -1 if "MatMul" in node.op else 1
    known = bias is not None and is_by_channel(bias.shape, channels, axis, len(result.shape or bias.shape))
    return bias if known else None


def is_by_channel(shape: tuple[int, ...], channels: int, axis: int, rank: int) -> bool:
    """Whether an operand of a value of this rank has one element for each element of an axis."""
    if not shape or len(shape) > rank:
        return False
    whole = [1] * (rank - len(shape)) + list(shape)
    return whole[axis] == channels and int(np.prod(shape)) == channels


def notes_on_integers(uses: Mapping[str, Use], *, keep: bool) -> Iterator[str]:
    """What became of the integers that a file holds, by the names of its tensors."""
    real = sum(use.scaling is not None for use in uses.values())
    if real:
        yield (
            f"integers of the model are written as the real numbers that they stand for, in {real} tensors "
            "(--keep-quantized writes the integers, with their scales)"
        )
    if kept := sum(use.kept is not None for use in uses.values()):
        yield f"integers stay integers, in {kept} tensors; the records of their layers hold scales and zero points"
    for name, use in uses.items():
        if use.scaling is None and use.kept is None and use.constant.dtype in SMALL_INTEGERS:
            yield f"{name!r} holds integers whose scale is not known: they are written as they are"
