"""Resizes of whose result onnx's inference and onnxruntime compute different sizes: neither is told."""

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from passes import dialects
from passes.ir.declared import Shape, opset_of, shape_of, values_of
from passes.ir.graph import is_standard
from passes.layout.edit import Array

Constants = Mapping[str, TensorProto]


def disputed_sizes(bare: ModelProto) -> dict[str, list[int]]:
    """The outputs of such nodes of a skeleton, and along which axes these are no larger or smaller than the input.

    The size is ``floor(size * scale)`` of float32 scales: onnx multiplies exactly, onnxruntime rounds to float32 before
    (24 by 1.1666666: 27 and 28).
    """
    constants, opset = {tensor.name: tensor for tensor in bare.graph.initializer}, opset_of(bare)
    scaled = [(node, scales) for node in bare.graph.node for scales in _fractions(node, opset, constants)]
    if not scaled:
        return {}
    values = values_of(onnx.shape_inference.infer_shapes(bare, strict_mode=False, data_prop=True).graph)
    found: dict[str, list[int]] = {}
    for node, given in scaled:
        shape = shape_of(values.get(node.input[0])) or []
        scales = np.ones(len(shape), np.float32)
        scales[_axes(node) or slice(None)] = given[: len(shape)]
        if _is_disputed(shape, scales):
            found[node.output[0]] = [axis for axis, scale in enumerate(scales) if scale == 1]
    return found


def _fractions(node: NodeProto, opset: int, constants: Constants) -> Iterator[Array]:
    """The scales, if the node resizes by constant ones that are not all whole."""
    spelling = None if is_standard(node) else dialects.read(node.domain, node.op_type, opset)
    op = node.op_type if is_standard(node) else spelling and spelling.form.op
    if op not in ("Resize", "Upsample"):
        return
    number = 2 if op == "Resize" and opset >= 11 else 1
    if len(node.input) > number and node.input[number] in constants:
        scales = numpy_helper.to_array(constants[node.input[number]])
        if (scales % 1).any():
            yield scales


def _axes(node: NodeProto) -> list[int] | None:
    return next((list(attr.ints) for attr in node.attribute if attr.name == "axes"), None)


def _is_disputed(shape: Shape, scales: Array) -> bool:
    known = [(size, scale) for size, scale in zip(shape, scales, strict=True) if isinstance(size, int)]
    return any(int(size * float(scale)) != int(np.float32(size) * scale) for size, scale in known)
