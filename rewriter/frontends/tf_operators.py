"""TensorFlow's operators that tf2onnx has no form for: a function for each, as tf2onnx calls it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx.helper import tensor_dtype_to_np_dtype

Handler = Callable[[Any, Any, str, Any], None]


def erfc(graph: Any, node: Any, name: str, _: Any) -> None:
    """``1 - erf(x)``: as exact absolutely, not for large ``x``, of which Keras's gelu makes 0."""
    shape, kind = graph.get_shape(node.output[0]), graph.get_dtype(node.output[0])
    one = graph.make_const(f"{name}/one", np.ones((), tensor_dtype_to_np_dtype(kind))).output[0]
    erf = graph.make_node("Erf", node.input, shapes=[shape], dtypes=[kind]).output[0]
    graph.remove_node(node.name)
    graph.make_node("Sub", [one, erf], outputs=node.output, name=name, shapes=[shape], dtypes=[kind])


HANDLERS: dict[str, tuple[Handler, list[Any]]] = {"Erfc": (erfc, [])}  # what tf2onnx calls custom_op_handlers
