"""Operators that sample images at given positions: GridSample, RoiAlign, MaxRoiPool, DeformConv.

Positions name the spatial axes by x and y, so these stay in order; only the channels move, in a function.
"""

from passes.rules.api import Layout, Move, Node, Refusal, Rule, perm, register
from passes.rules.image import image


def sampled(node: Node, layout: Layout) -> Move:
    """The image is channels-first or channels-last; positions stay as they are."""
    if layout.perm not in (perm.identity(len(layout.perm)), perm.channels_last(len(layout.perm))):
        raise Refusal(f"the positions that {node.op} is given name its spatial axes in their original order")
    return image(node, layout)


register(
    "GridSample RoiAlign MaxRoiPool DeformConv",
    Rule(sampled, image=True),
)
