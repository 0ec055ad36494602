"""Operators that run along a sequence: sums, Fourier transforms, recurrent layers."""

import numpy as np

from passes.rules.api import IN, Edit, Layout, Lookup, Move, Node, Put, Refusal, Rule, natural, no_axes, perm, register


def axis_input(node: Node, index: int, layout: Layout) -> Edit:
    """Edit of an input that holds one axis, along which no element may be in another order."""
    if not node.is_constant(index):
        return Lookup(perm.inverse(layout.perm))
    given = node.const(index)
    axis = int(given.reshape(-1)[0]) % layout.rank
    return Put(np.full_like(given, layout.require_natural(axis).place(axis)))


def cumulative(node: Node, layout: Layout) -> Move:
    """Input 1 holds the axis, which follows the layout."""
    return node.move({0: layout}, {0: layout}, edits={1: axis_input(node, 1, layout)})


def reverse_sequence(node: Node, layout: Layout) -> Move:
    """Batch and time are the first two axes, either way round; the others are free."""
    if {layout.place(0), layout.place(1)} != {0, 1}:
        raise Refusal("ReverseSequence needs batch and time on its first two axes")
    layout.require_natural(0, 1)
    named = {"batch_axis": node.attr("batch_axis", 1), "time_axis": node.attr("time_axis", 0)}
    return node.move({0: layout}, {0: layout}, attrs={key: layout.place(a) for key, a in named.items()})


def dft_attr(node: Node, layout: Layout) -> Move:
    """The attribute ``axis`` follows the layout; real and imaginary parts stay on the last axis."""
    axis = node.attr("axis", 1)
    return node.move({0: parts_last(node, layout)}, {0: layout}, attrs={"axis": layout.place(axis)})


def dft_input(node: Node, layout: Layout) -> Move:
    """Input 2 holds the axis, which follows the layout; real and imaginary parts stay on the last axis."""
    p = parts_last(node, layout).perm
    edit = axis_input(node, 2, layout) if node.has(IN(2)) else Put(np.asarray(perm.axis(p, -2), dtype=np.int64))
    return node.move({0: layout}, {0: layout}, edits={2: edit})


def parts_last(node: Node, layout: Layout) -> Layout:
    if layout.perm[-1] != layout.rank - 1:
        raise Refusal("DFT needs real and imaginary parts on its last axis")
    return layout


def recurrent(node: Node, layout: Layout) -> Move:
    """The axes stay; an order of the features along the last one is folded into the weight."""
    if layout.axis_perm != perm.identity(3):
        raise Refusal(f"{node.op} reads sequence, batch, feature (onnxruntime has no kernel for layout=1)")
    return node.move({0: layout.require_natural(0, 1), 1: natural(3).with_along({2: layout.along(2)})})


register("CumSum CumProd", Rule(cumulative))
register("ReverseSequence", Rule(reverse_sequence))
register("DFT", Rule(dft_attr))
register("DFT", Rule(dft_input), since=20)
register("RNN GRU LSTM", Rule(recurrent, labels=no_axes), since=7)
