"""An interpreter of the files that docs/acme.toml describes, which knows nothing but that: numpy on NHWC images."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Array = NDArray[Any]
Attributes = Mapping[str, Any]  # by name


def run(model: ModelProto, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs by name."""
    values = {**{tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}, **feeds}
    for node in model.graph.node:
        attrs = {attr.name: helper.get_attribute_value(attr) for attr in node.attribute}
        inputs = [values[name] for name in node.input]
        own = OWN.get((node.domain, node.op_type, attrs.get("data_format")))
        values[node.output[0]] = own(attrs, *inputs) if own else standard(model, node, inputs)
    return {value.name: values[value.name] for value in model.graph.output}


def standard(model: ModelProto, node: NodeProto, inputs: Sequence[Array]) -> Array:
    """What ONNX says of a standard operator."""
    assert not node.domain, f"the toolchain knows no {node.domain}::{node.op_type}"
    infos = [helper.make_empty_tensor_value_info(name) for name in node.input]
    graph = helper.make_graph([node], "one", infos, [helper.make_empty_tensor_value_info(node.output[0])])
    alone = helper.make_model(graph, opset_imports=[one for one in model.opset_import if not one.domain])
    results: Any = ReferenceEvaluator(alone).run(None, dict(zip(node.input, inputs, strict=True)))
    return np.asarray(results[0])


def windows(image: Array, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Array:
    """All windows on an NHWC image: NHWC, and the two axes of the kernel."""
    extents = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    found = sliding_window_view(image, extents, axis=(1, 2))
    return np.asarray(found[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]])


def padded(image: Array, padding: Sequence[int], value: float) -> Array:
    """``padding``: top, left, bottom, right."""
    return np.pad(image, ((0, 0), (padding[0], padding[2]), (padding[1], padding[3]), (0, 0)), constant_values=value)


def conv_2d(attrs: Attributes, image: Array, kernel: Array, bias: Array | float = 0.0) -> Array:
    """Kernels are HWIO."""
    assert attrs.keys() == {"ksize", "stride", "padding", "dilation", "group"}
    assert list(kernel.shape[:2]) == attrs["ksize"]
    seen = windows(padded(image, attrs["padding"], 0.0), attrs["ksize"], attrs["stride"], attrs["dilation"])
    parts = zip(np.split(seen, attrs["group"], axis=3), np.split(kernel, attrs["group"], axis=3), strict=True)
    return np.concatenate([np.einsum("nhwiab,abio->nhwo", part, k) for part, k in parts], axis=3) + bias


def max_pool(attrs: Attributes, image: Array) -> Array:
    assert attrs.keys() == {"kernel_shape", "strides", "pads", "data_format"}
    seen = windows(padded(image, attrs["pads"], -np.inf), attrs["kernel_shape"], attrs["strides"], (1, 1))
    return np.asarray(seen.max(axis=(4, 5)))


OWN: dict[tuple[str, str, bytes | None], Callable[..., Array]] = {
    ("acme.npu", "Conv2D", None): conv_2d,
    ("", "MaxPool", b"NHWC"): max_pool,
}
