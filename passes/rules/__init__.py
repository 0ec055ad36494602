"""Rules by kind of operator; importing this package fills ``passes.rule.RULES``."""

from passes.rules import axis, elementwise, matmul, moves, norm, per_axis, quant, reduce, shape, spatial

__all__ = ["axis", "elementwise", "matmul", "moves", "norm", "per_axis", "quant", "reduce", "shape", "spatial"]
