"""Normalisation: over channels, over groups of them, over the last axes, over named axes."""

import numpy as np

from passes.dialects.base import form_named
from passes.rules.api import IN, OUT, PREVIOUS, Layout, Move, Node, Refusal, Rule, Step, register
from passes.rules.elementwise import operand
from passes.rules.image import channels_last, form_of, says_last

GROUP_DOMAIN, GROUP_NORM = "group", "GroupedInstanceNormalization"  # three nodes as one: normalize/fuse_group_norm.py


def channel_norm(node: Node, layout: Layout) -> Move:
    """Channels are axis 1; batch and spatial axes may be stored in any order as long as axis 1 stays in place."""
    check_inference(node)
    if layout.require_natural(1).axis_perm[:2] == (0, 1):
        return node.move({0: layout}, {0: layout})
    if says_last(node, layout.perm):
        return channels_last(node, layout.perm, form_of(node))
    raise Refusal(f"standard ONNX defines {node.op} with channels on axis 1 only")


def batch_norm(node: Node, layout: Layout) -> Move:
    """As other normalisation over channels; its vectors follow the order of the channels, and it is Mul and Add."""
    check_inference(node)
    p, channels = layout.axis_perm, layout.along(1)
    if p[1:2] == (1,):
        return node.move({0: layout, **dict.fromkeys(range(1, node.arity[0]), channels)}, {0: layout})
    if not layout.is_divided and says_last(node, p):
        return channels_last(node, p, form_of(node))
    return scale_and_shift(node, layout)


def check_inference(node: Node) -> None:
    if node.attr("training_mode") or node.has(OUT(1)):
        raise Refusal(f"{node.op} is in training mode")
    if not node.attr("spatial", 1):
        raise Refusal(f"{node.op} has parameters for every position, not for channels only")


def scale_and_shift(node: Node, layout: Layout) -> Move:
    """BatchNormalization of constants as Mul and Add: y = x * s + (b - mean * s), s = scale / sqrt(var + epsilon)."""
    scale, bias, mean, var = (layout.along(1).apply(node.weights(i)) for i in range(1, 5))
    if node.dtype(IN(0)) != scale.dtype:
        raise Refusal("BatchNormalization computes in another type than its input's")
    if any(map(np.iscomplexobj, (scale, bias, mean, var))):
        raise Refusal("BatchNormalization is of real numbers only")
    spread = var.astype(np.float64) + node.attr("epsilon", 1e-5)
    if not (spread > 0).all():
        raise Refusal("BatchNormalization has variances that are negative")
    factor = scale.astype(np.float64) / np.sqrt(spread)
    shift = bias.astype(np.float64) - mean.astype(np.float64) * factor
    shape = (-1, *(1,) * (layout.rank - 1 - layout.place(1)))
    with np.errstate(over="ignore"):
        vectors = [vector.astype(scale.dtype).reshape(shape) for vector in (factor, shift)]
    if not all(np.isfinite(vector).all() for vector in vectors):
        raise Refusal("BatchNormalization has parameters whose quotient its type cannot hold")
    steps = Step("Mul", (0, vectors[0])), Step("Add", (PREVIOUS, vectors[1]))
    return node.move({0: layout}, {0: layout}, steps=steps)


def grouped_norm(node: Node, layout: Layout) -> Move:
    """InstanceNormalization of groups of channels: the three nodes that it was, or the dialect's function."""
    if layout.is_natural:
        attrs = {} if node.attr("epsilon") is None else {"epsilon": node.attr("epsilon")}
        steps = (
            Step("Reshape", (0, 3), same_shape=False),
            Step("InstanceNormalization", (PREVIOUS, 1, 2), attrs, same_shape=False),
            Step("Reshape", (PREVIOUS, 4)),
        )
        return node.move({0: layout}, {0: layout}, steps=steps)
    p, form = layout.perm, form_named(GROUP_NORM, node.opset)
    spelling = node.dialect.spell(form, len(p)) if form is not None and (p[0], p[-1]) == (0, 1) else None
    if spelling is None:
        raise Refusal("InstanceNormalization of groups of channels is defined channels-first only")
    return node.move({0: layout}, {0: layout}, op=spelling.op, domain=spelling.domain, operands=(0, 1, 2))


def last_axes_norm(node: Node, layout: Layout) -> Move:
    """LayerNormalization and RMSNormalization: the axes from ``axis`` on stay last, in any order, as in the scale."""
    axis = node.attr("axis", -1) % layout.rank
    if set(layout.axis_perm[:axis]) != set(range(axis)):
        raise Refusal(f"{node.op} normalises all axes from {axis} on, which must stay last")
    inputs = {0: layout}
    for i in (i for i in range(1, node.arity[0]) if node.has(IN(i))):
        inputs[i], missing = operand(node, i, layout)
        if missing:
            raise Refusal(f"{node.op} has a scale with fewer axes than it normalises")
    moments = layout.natural_along(range(axis, layout.rank))
    return node.move(inputs, {0: layout, **dict.fromkeys(range(1, node.arity[1]), moments)})


def mean_variance(node: Node, layout: Layout) -> Move:
    """MeanVarianceNormalization: the attribute ``axes`` follows the layout."""
    axes = layout.places(node.attr("axes") or (0, 2, 3))
    return node.move({0: layout}, {0: layout}, attrs={"axes": axes})


register("BatchNormalization", Rule(batch_norm, image=True))
register("InstanceNormalization GroupNormalization LRN", Rule(channel_norm, image=True))
register(GROUP_NORM, Rule(grouped_norm, always_rewrite=True), domain=GROUP_DOMAIN)
register("LayerNormalization RMSNormalization", Rule(last_axes_norm))
register("MeanVarianceNormalization", Rule(mean_variance))
