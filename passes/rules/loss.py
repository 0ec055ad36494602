"""Losses of class scores: classes are axis 1; labels and losses have the other axes."""

from passes.rules.api import Layout, Move, Node, Refusal, Rule, natural, no_axes, register


def class_loss(node: Node, layout: Layout) -> Move:
    """All axes but the classes may be stored in any order, in labels and unreduced losses too."""
    if layout.place(1) != 1:
        raise Refusal(f"{node.op} needs its classes on axis 1")
    rest = layout.require_natural(1).drop({1})
    result = rest if node.attr("reduction", "mean") == "none" else natural(0)
    return node.move({0: layout, 1: rest}, {0: result, 1: layout} if node.arity[1] > 1 else {0: result})


register("SoftmaxCrossEntropyLoss NegativeLogLikelihoodLoss", Rule(class_loss, labels=no_axes))
