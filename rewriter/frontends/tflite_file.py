"""TFLite files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from passes.layout.edit import Array
from rewriter.errors import UsageError
from rewriter.frontends import Asked
from rewriter.frontends.converting import Converted
from rewriter.frontends.tf_graph import of_tf2onnx, tensorflow

IDENTIFIER = b"TFL3"  # at byte 4: https://flatbuffers.dev/, "file identifier"; schema.fbs of TFLite


def convert(path: Path, asked: Asked) -> Converted:
    """The model of a .tflite file. Raises UsageError if it is none."""
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:] != IDENTIFIER:
        raise UsageError(f"{path}: not a TFLite model")
    tf = tensorflow(path)
    model = of_tf2onnx(path, asked, None, tflite_path=str(path))
    return Converted(model, lambda feed: _run(tf, path, feed, [value.name for value in model.graph.output]))


def _run(tf: Any, path: Path, feed: Mapping[str, Array], names: list[str]) -> list[Array]:
    """The interpreter's outputs, of these names."""
    interpreter = tf.lite.Interpreter(str(path))
    inputs = interpreter.get_input_details()
    for one in inputs:
        interpreter.resize_tensor_input(one["index"], feed[one["name"]].shape)
    interpreter.allocate_tensors()
    for one in inputs:
        interpreter.set_tensor(one["index"], feed[one["name"]])
    interpreter.invoke()
    found = {one["name"]: interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()}
    return [found[name] for name in names]
