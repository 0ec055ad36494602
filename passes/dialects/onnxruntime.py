"""The *onnxruntime* dialect: standard operators only, of the opset that has those which onnxruntime runs best."""

from passes.dialects.standard import StandardDialect


class OnnxRuntimeDialect(StandardDialect):
    """As the standard one; a file is raised to the opset of Attention, if it has any."""

    name = "onnxruntime"
    opset = 23
