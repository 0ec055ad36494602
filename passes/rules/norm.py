"""Normalisation over channels: BatchNormalization, InstanceNormalization, GroupNormalization, LRN."""

import numpy as np

from passes.layout import perm
from passes.layout.layout import Layout
from passes.refusal import Refusal
from passes.rules.elementwise import operand
from passes.rules.move import IN, OUT, PREVIOUS, Move, Step
from passes.rules.node import Node
from passes.rules.registry import register
from passes.rules.rule import Rule
from passes.rules.spatial import channels_last, form_of, says_last


def channel_norm(node: Node, layout: Layout) -> Move:
    """Channels are axis 1; batch and spatial axes may be stored in any order as long as axis 1 stays in place.

    Vectors with one entry per channel follow the order of the elements along axis 1.
    """
    p = layout.perm
    if node.attr("training_mode") or node.has(OUT(1)):
        raise Refusal(f"{node.op} is in training mode")
    if not node.attr("spatial", 1):
        raise Refusal(f"{node.op} has parameters for every position, not for channels only")
    if len(p) > 1 and p[1] == 1 and (p[0] == 0 or node.op == "BatchNormalization"):
        return in_place(node, layout)
    if layout.orders and node.op != "BatchNormalization":
        raise Refusal(f"{node.op} needs its channels in their original order")
    if not layout.orders and says_last(node, p):
        return channels_last(node, p, form_of(node))
    if node.op == "BatchNormalization":
        return scale_and_shift(node, layout)
    raise Refusal(f"standard ONNX defines {node.op} with channels on axis 1 only")


def last_axes_norm(node: Node, layout: Layout) -> Move:
    """LayerNormalization and RMSNormalization: the axes from ``axis`` on stay last, in any order, as in the scale."""
    axis = node.attr("axis", -1) % len(layout.perm)
    if set(layout.perm[:axis]) != set(range(axis)):
        raise Refusal(f"{node.op} normalises all axes from {axis} on, which must stay last")
    inputs = {0: layout}
    for i in (i for i in range(1, node.arity[0]) if node.has(IN(i))):
        inputs[i], missing = operand(node, i, layout)
        if missing:
            raise Refusal(f"{node.op} has a scale with fewer axes than it normalises")
    moments = Layout(layout.perm, tuple((a, order) for a, order in layout.orders if a < axis))
    return node.move(inputs, {0: layout, **dict.fromkeys(range(1, node.arity[1]), moments)})


def mean_variance(node: Node, layout: Layout) -> Move:
    """MeanVarianceNormalization: the attribute ``axes`` follows the layout."""
    axes = perm.axes(layout.perm, node.attr("axes") or (0, 2, 3))
    return node.move({0: layout}, {0: layout}, attrs={"axes": axes})


def in_place(node: Node, layout: Layout) -> Move:
    """The same operator; per-channel vectors take the order of the channels."""
    if layout.order(1) is not None and node.op != "BatchNormalization":
        raise Refusal(f"{node.op} needs its channels in their original order")
    vectors = dict.fromkeys(range(1, node.arity[0]), channel_vector(layout))
    return node.move({0: layout, **vectors}, {0: layout})


def channel_vector(layout: Layout) -> Layout:
    """Layout of a vector with one entry per channel."""
    order = layout.order(1)
    return Layout((0,), ((0, order),) if order else ())


def scale_and_shift(node: Node, layout: Layout) -> Move:
    """BatchNormalization of constants as Mul and Add: y = x * s + (b - mean * s), s = scale / sqrt(var + epsilon)."""
    vector = channel_vector(layout)
    scale, bias, mean, var = (vector.apply(node.weights(i)) for i in range(1, 5))
    if node.tensor(IN(0)).dtype != scale.dtype:
        raise Refusal("BatchNormalization computes in another type than its input's")
    factor = scale.astype(np.float64) / np.sqrt(var.astype(np.float64) + node.attr("epsilon", 1e-5))
    shift = bias.astype(np.float64) - mean.astype(np.float64) * factor
    rest = len(layout.perm) - 1 - perm.axis(layout.perm, 1)
    shape = (-1, *(1,) * rest)
    steps = (
        Step("Mul", (0, factor.astype(scale.dtype).reshape(shape))),
        Step("Add", (PREVIOUS, shift.astype(scale.dtype).reshape(shape))),
    )
    return node.move({0: layout}, {0: layout}, steps=steps)


CHANNEL_NORM = Rule(channel_norm, image=True)

LAST_AXES_NORM = Rule(last_axes_norm)

register("LayerNormalization RMSNormalization", LAST_AXES_NORM)
register("MeanVarianceNormalization", Rule(mean_variance))
register("BatchNormalization InstanceNormalization GroupNormalization LRN", CHANNEL_NORM)
