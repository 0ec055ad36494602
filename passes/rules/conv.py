"""Convolution: orders of channels are folded into the kernel."""

from dataclasses import replace

from passes.layout.factor import refined
from passes.layout.vector import vector
from passes.rules.api import IN, OUT, VECTOR, Layout, Move, Node, Perm, Refusal, Rule, image_axes, register
from passes.rules.image import channel_order, image, placed


def conv(node: Node, layout: Layout, result: Layout) -> Move:
    """Conv: orders of channels are folded into the kernel; groups must stay whole, and alike inside."""
    if layout.axis_perm != result.axis_perm:
        raise Refusal("Conv keeps the places of batch, channels and positions")
    move, groups = placed(node, layout.axis_perm), node.attr("group", 1)
    taken, given = channel_order(layout), channel_order(result)
    (order, inside), (order_given, _) = by_group(taken, groups), by_group(given, groups)
    if order != order_given:
        raise Refusal("Conv keeps the order of its groups of channels")
    kernel, *bias = move.inputs[1:]
    biases = (b.with_along({0: given}) if node.has(IN(2)) else b for b in bias)
    return replace(move, inputs=(layout, kernel.with_along({0: given, 1: inside}), *biases), outputs=(result,))


def same_places(node: Node, result: Layout) -> list[Perm]:
    """Batch, channels and positions of the input are where those of the result are."""
    return [result.axis_perm]


def by_group(order: Layout, groups: int) -> tuple[Layout, Layout]:
    """An order of channels as one of whole groups of them, and one inside of each group."""
    if order == VECTOR or groups == 1:
        return VECTOR, order
    length = order.lengths()[0]
    size = length // groups
    factors = refined(order.stored[0], [size]) if not order.segments and length % groups == 0 else ()
    outer = tuple(f for f in factors if f.stride >= size)
    if not factors or factors[: len(outer)] != outer:
        raise Refusal("the groups of a grouped Conv do not stay whole in this order of channels")
    return vector([f._replace(stride=f.stride // size) for f in outer]), vector(factors[len(outer) :])


def conv_transpose(node: Node, layout: Layout) -> Move:
    """As other convolution; of padding SAME and output_padding together the inference within functions is wrong."""
    if str(node.attr("auto_pad", "")).startswith("SAME") and any(node.attr("output_padding") or ()):
        raise Refusal("of ConvTranspose with auto_pad and output_padding, onnx and onnxruntime infer different sizes")
    return image(node, layout)


register("Conv", Rule(conv, (IN(0), OUT(0)), partners=same_places, image=True, labels=image_axes))
register("ConvTranspose", Rule(conv_transpose, image=True, labels=image_axes))
