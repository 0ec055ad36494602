"""qonnx makes a model of each node, with onnx's newest IR version, which onnxruntime does not know yet."""

import onnx

onnx.IR_VERSION = 10  # type: ignore[assignment]
