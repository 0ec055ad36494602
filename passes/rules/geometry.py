"""Operators that sample images at given positions: GridSample, RoiAlign, MaxRoiPool, DeformConv.

Positions name the spatial axes by x and y, so these stay in order; only the channels move, in a function.
"""

from passes.layout import perm
from passes.layout.layout import Layout
from passes.refusal import Refusal
from passes.rules.image import image
from passes.rules.move import Move
from passes.rules.node import Node
from passes.rules.registry import register
from passes.rules.rule import Rule


def sampled(node: Node, layout: Layout) -> Move:
    """The image is channels-first or channels-last; positions stay as they are."""
    if layout.perm not in (perm.identity(len(layout.perm)), perm.channels_last(len(layout.perm))):
        raise Refusal(f"the positions that {node.op} is given name its spatial axes in their original order")
    return image(node, layout)


register(
    "GridSample RoiAlign MaxRoiPool DeformConv",
    Rule(sampled, image=True),
)
