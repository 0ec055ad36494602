"""Models to compare, right and wrong."""

import json
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from rewriter import ValidationReport, validate

NHWC = (0, 2, 3, 1)
NCHW = (0, 3, 1, 2)
SWAPPED = (0, 3, 2, 1)  # NHWC with H and W swapped
BOTH = {"x": NHWC, "y": NHWC}
FLOAT = TensorProto.FLOAT

node = helper.make_node


def model(
    nodes: list[NodeProto],
    x: list[Any],
    constants: dict[str, np.ndarray] | None = None,
    *,
    dtype: int = FLOAT,
    out: int | None = None,
    more: dict[str, list[Any]] | None = None,
) -> ModelProto:
    """A model from the inputs x and ``more`` to y, of which the shape is left to inference."""
    shapes = {"x": x, **(more or {})}
    inputs = [helper.make_tensor_value_info(name, dtype, dims) for name, dims in shapes.items()]
    outputs = [helper.make_tensor_value_info("y", out or dtype, None)]
    initializers = [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def weight() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((11, 3, 3, 3)).astype(np.float32)


def conv(w: np.ndarray | None = None, *, n: Any = 1, h: Any = 5, width: Any = 7) -> ModelProto:
    w = weight() if w is None else w
    return model([node("Conv", ["x", "w"], ["y"], pads=[1] * 4)], [n, w.shape[1], h, width], {"w": w})


def conv_nhwc(
    w: np.ndarray | None = None, *, n: Any = 1, h: Any = 5, width: Any = 7, after: tuple[int, ...] = NHWC
) -> ModelProto:
    """The rewrite of `conv`, with ``after`` as the perm of its output."""
    w = weight() if w is None else w
    nodes = [
        node("Transpose", ["x"], ["nchw"], perm=NCHW),
        node("Conv", ["nchw", "w"], ["conv"], pads=[1] * 4),
        node("Transpose", ["conv"], ["y"], perm=after),
    ]
    return model(nodes, [n, h, width, w.shape[1]], {"w": w})


def unary(*ops: str, x: list[Any] | None = None, dtype: int = FLOAT) -> ModelProto:
    """A chain of ops of one input."""
    names = ["x", *(f"t{i}" for i in range(len(ops) - 1)), "y"]
    nodes = [node(op, [a], [b]) for op, a, b in zip(ops, names[:-1], names[1:], strict=True)]
    return model(nodes, x or [2, 3], dtype=dtype)


def on_cpu(*args: Any, **kwargs: Any) -> ValidationReport:
    return validate(*args, providers=["cpu"], **kwargs)


def with_layouts(a_model: ModelProto, **perms: tuple[int, ...]) -> ModelProto:
    entries = {name: {"from": "?", "to": "?", "perm": list(p)} for name, p in perms.items()}
    helper.set_model_props(a_model, {"rewriter.layouts": json.dumps(entries)})
    return a_model
