"""Rules by kind of operator; importing this package fills ``passes.rule.RULES``."""

from passes.rules import axis, control, elementwise, matmul, moves, norm, per_axis, quant, reduce, shape, spatial

__all__ = [
    "axis",
    "control",
    "elementwise",
    "matmul",
    "moves",
    "norm",
    "per_axis",
    "quant",
    "reduce",
    "shape",
    "spatial",
]
