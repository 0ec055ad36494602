"""Pooling: each channel by itself, so that they may be in any order."""

from dataclasses import replace
from typing import Any

import numpy as np

from passes.rules.api import OUT, VECTOR, Layout, Move, Node, Put, Refusal, Rule, RuleFn, register
from passes.rules.image import channel_order, placed, says_last, still


def pool(node: Node, layout: Layout) -> Move:
    """Each channel by itself: they may be in any order."""
    order, move = channel_order(layout), placed(node, layout.axis_perm)
    if order == VECTOR:
        return move
    return replace(move, inputs=(layout, *move.inputs[1:]), outputs=(layout,) * len(move.outputs))


def max_pool(node: Node, layout: Layout) -> Move:
    """As other pooling; with Indices, which count positions of the channels-first tensor, as MaxUnpool."""
    return still(node, layout) if node.has(OUT(1)) else pool(node, layout)


def global_pool(axes_as_input: bool) -> RuleFn:
    """Global pools in an opset in which reductions have their axes as an input, or as an attribute."""

    def rule(node: Node, layout: Layout) -> Move:
        """The dialect's function, or (where there is none) a reduction over the spatial axes wherever they are
        stored."""
        channel_order(layout)
        if layout.axis_perm[:2] == (0, 1) or says_last(node, layout.axis_perm):
            return pool(node, layout)
        if node.op == "GlobalLpPool" and node.attr("p", 2) not in (1, 2):
            raise Refusal("GlobalLpPool is a reduction only for p of 1 or 2")
        reduction = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"}.get(node.op)
        axes = layout.places(range(2, layout.rank))
        attrs: dict[str, Any] = {"p": None, "keepdims": 1, **({} if axes_as_input else {"axes": axes})}
        edits = {1: Put(np.asarray(axes))} if axes_as_input else {}
        op = reduction or f"ReduceL{node.attr('p', 2)}"
        return node.move({0: layout}, {0: layout}, attrs=attrs, edits=edits, op=op)

    return rule


register("AveragePool LpPool", Rule(pool, image=True))
register("GlobalAveragePool GlobalMaxPool GlobalLpPool", Rule(global_pool(axes_as_input=False), image=True))
register("GlobalAveragePool GlobalMaxPool GlobalLpPool", Rule(global_pool(axes_as_input=True), image=True), since=18)
register("MaxPool", Rule(max_pool, image=True))
