"""TensorFlow's graphs as ONNX, by tf2onnx (the extra ``tf``)."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnx import ModelProto
from onnx.defs import has

from rewriter.errors import UsageError
from rewriter.extras import needed
from rewriter.frontends import Asked
from rewriter.frontends.tf_operators import HANDLERS, REWRITERS, dilated_same, whole_sizes

OPSET = 17
EXTRA = "tf"
NOT_INLINED = ("_XlaMustCompile", "_noinline")  # as Keras has it of a grouped convolution: ONNX has no such calls


def tensorflow(path: Path) -> Any:
    """The package, which takes no GPU: its memory is for the runtime. Raises UsageError without it or tf2onnx."""
    is_first = "tensorflow" not in sys.modules
    tf = needed("tensorflow", EXTRA, path)
    needed("tf2onnx", EXTRA, path)
    if is_first:  # else it is the caller's, who may use one
        tf.config.set_visible_devices([], "GPU")
    return tf


def sized(path: Path, asked: Asked, name: str, shape: Any) -> Any:
    """The ``tf.TensorShape`` of an input, of the sizes asked for. Raises UsageError where it has others."""
    wanted = asked.shapes.get(name)
    if wanted is None:
        return shape
    given = tensorflow(path).TensorShape(wanted)
    if not given.is_subtype_of(shape):
        raise UsageError(f"{path}: input {name!r} is {shape}, and cannot be {given}, as --input-shape says")
    return given


def refuse_unknown(path: Path, asked: Asked, names: Sequence[str]) -> None:
    """Raises UsageError if sizes are asked of what is no input."""
    for name in (name for name in asked.shapes if name not in names):
        raise UsageError(f"{path}: --input-shape {name}: there is no such input; it has {', '.join(names)}")


def of_function(path: Path, asked: Asked, function: Any, inputs: Sequence[str], outputs: Sequence[str]) -> ModelProto:
    """The model of a concrete function, whose inputs and outputs get these names."""
    from tf2onnx import tf_loader

    given = [tensor.name for tensor in function.inputs if tensor.dtype != tensorflow(path).resource][: len(inputs)]
    given_back = [tensor.name for tensor in function.outputs]
    graph = tf_loader.from_function(function, given, given_back)
    names = dict(zip(given, inputs, strict=True)), dict(zip(given_back, outputs, strict=True))
    return of_graph(path, asked, graph, *names)


def of_graph(path: Path, asked: Asked, graph: Any, inputs: dict[str, str], outputs: dict[str, str]) -> ModelProto:
    """The model of a GraphDef, by its tensors' names, and what they are to be called."""
    from tf2onnx.tf_loader import tf_optimize

    tf = tensorflow(path)
    for part in (*graph.node, *graph.library.function, *(node for f in graph.library.function for node in f.node_def)):
        for name in NOT_INLINED:
            part.attr.pop(name, None)
    with tf.device("/cpu:0"), tf.Graph().as_default():
        graph = tf_optimize([*inputs], [*outputs], graph)
    with tf.device("/cpu:0"), tf.Graph().as_default() as imported:
        tf.import_graph_def(graph, name="")
        ends = {"input_names": [*inputs], "output_names": [*outputs], "tensors_to_rename": {**inputs, **outputs}}
        return of_tf2onnx(path, asked, imported, **ends)


def of_tf2onnx(path: Path, asked: Asked, graph: Any, **options: Any) -> ModelProto:
    """The model. Raises UsageError if there are operators in it that tf2onnx has no form for."""
    from tf2onnx.optimizer import optimize_graph
    from tf2onnx.tfonnx import process_tf_graph

    made = process_tf_graph(graph, opset=OPSET, custom_op_handlers=HANDLERS, custom_rewriter=REWRITERS, **options)
    dilated_same(made)
    whole_sizes(made)
    if asked.optimise:  # it would fold normalisations into kernels, and these into constants of other names
        made = optimize_graph(made, catch_errors=True)
    model: ModelProto = made.make_model(path.name)
    if unknown := sorted({node.op_type for node in model.graph.node if not has(node.op_type, OPSET, node.domain)}):
        raise UsageError(
            f"{path}: tf2onnx has no ONNX form for {', '.join(unknown)}; build the model without these operators"
        )
    return model
