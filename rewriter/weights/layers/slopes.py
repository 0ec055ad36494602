"""Keras's PReLU as tf2onnx writes it: ``relu(x) + (-alpha) * relu(-x)``, with ``-alpha`` computed."""

from collections.abc import Callable
from dataclasses import replace

import onnx_graphsurgeon as gs

from passes.ir.control_flow import Coupling
from passes.layout import perm
from rewriter.weights.layers.layers import Layer
from rewriter.weights.layers.norms import maker
from rewriter.weights.layers.trace import Use, permuted


def find_prelu(node: "gs.Node | Coupling", find: Callable[[gs.Node, int], Use | None]) -> Layer | None:
    """The PReLU whose last operator, an Add or a Sub, a node is; the layer is at the Mul, which reads the slopes."""
    if isinstance(node, Coupling) or node.op not in ("Add", "Sub"):
        return None
    sides = [tuple(node.inputs), tuple(node.inputs[::-1])]
    for positive, negative in sides[: 2 if node.op == "Add" else 1]:
        relu, behind = maker(positive, "Relu"), before_transpose(negative)
        product = maker(behind[0], "Mul")
        if relu is not None and product is not None:
            return of_product(product, relu.inputs[0], behind[1], find, negated=node.op == "Add")
    return None


def of_product(
    product: gs.Node, x: gs.Tensor, behind: perm.Perm, find: Callable[[gs.Node, int], Use | None], *, negated: bool
) -> Layer | None:
    """``product``: of slopes and ``relu(-x)``; Transposes around it undo each other, of which one is ``behind``."""
    uses = {i: use for i in (0, 1) if (use := find(product, i)) is not None}
    if len(uses) != 1:
        return None
    ((number, use),) = uses.items()
    made, before = before_transpose(product.inputs[1 - number])
    relu = maker(made, "Relu")
    neg = None if relu is None else maker(relu.inputs[0], "Neg")
    undone = len(before) == len(behind) and perm.then(before, behind) == perm.identity(len(before))
    if neg is None or neg.inputs[0] is not x or not undone or use.scaling is not None:
        return None
    return Layer("prelu", product, {0: replace(use, negated=negated)}, {})


def before_transpose(tensor: gs.Tensor) -> tuple[gs.Tensor, perm.Perm]:
    """What a Transpose reads, and its perm; of other values themselves, and that of nothing."""
    made, rank = maker(tensor, "Transpose"), len(tensor.shape or ())
    return (tensor, perm.identity(rank)) if made is None else (made.inputs[0], permuted(made, rank))
