"""The *onnxruntime* dialect: operators of its own, and the standard ones of the opset that has those it runs best."""

from passes.dialects.standard import StandardDialect
from passes.ir.declared import MICROSOFT


class OnnxRuntimeDialect(StandardDialect):
    """As the standard one, with FusedMatMul; a file is raised to the opset of Attention, if it has any."""

    name = "onnxruntime"
    opset = 23
    turning = (MICROSOFT, "FusedMatMul")
