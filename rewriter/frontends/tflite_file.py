"""TFLite files."""

from collections.abc import Mapping
from contextlib import suppress
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
    own = _own_names(tf, path)
    model = of_tf2onnx(path, asked, None, tflite_path=str(path), tensors_to_rename=own)
    return Converted(model, lambda feed: _run(tf, path, feed, [value.name for value in model.graph.output], own))


def _own_names(tf: Any, path: Path) -> dict[str, str]:
    """What the signature calls inputs and outputs, by their tensors' names; none if two would be alike.

    Raises UsageError if there are several.
    """
    with suppress(ValueError, RuntimeError):  # of operators that it does not know: tf2onnx may
        interpreter = tf.lite.Interpreter(str(path))
        signature, *others = interpreter.get_signature_list()
        if others:
            told = ", ".join([signature, *others])
            raise UsageError(f"{path}: tf2onnx converts one signature, and it has {told}; make a file of each")
        runner = interpreter.get_signature_runner(signature)
        ends = [*runner.get_input_details().items(), *runner.get_output_details().items()]
        names = {details["name"]: name for name, details in ends}
        inner = {one["name"] for one in interpreter.get_tensor_details()} - {*names}
        if len(ends) == len(names) == len({*names.values()} - inner):
            return names
    return {}


def _run(tf: Any, path: Path, feed: Mapping[str, Array], names: list[str], own: Mapping[str, str]) -> list[Array]:
    """The interpreter's outputs, of these names; ``own``: those that its tensors have in the model."""
    interpreter = tf.lite.Interpreter(str(path))
    inputs = {own.get(one["name"], one["name"]): one["index"] for one in interpreter.get_input_details()}
    for name, index in inputs.items():
        interpreter.resize_tensor_input(index, feed[name].shape)
    interpreter.allocate_tensors()
    for name, index in inputs.items():
        interpreter.set_tensor(index, feed[name])
    interpreter.invoke()
    found = {own.get(one["name"], one["name"]): one["index"] for one in interpreter.get_output_details()}
    return [interpreter.get_tensor(found[name]) for name in names]
