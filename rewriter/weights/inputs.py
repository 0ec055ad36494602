"""What the command is given: a model of some kind, and names."""

import json
from pathlib import Path

from onnx import ModelProto

from rewriter.errors import UsageError
from rewriter.files.reader import OnRead, check_file, load
from rewriter.weights.exporters import KERAS_EXPORT, TORCH_EXPORT
from rewriter.weights.tflite_file import load_tflite

# files of frameworks, by ending, that say too little: what to do instead
NO_MODELS = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".bin"), f"a PyTorch file: export the model with {TORCH_EXPORT}"),
    **dict.fromkeys((".h5", ".keras"), f"a Keras file: export the model with {KERAS_EXPORT}"),
    **dict.fromkeys((".safetensors", ".npz", ".msgpack"), "a file of weights, which has no graph: export the model"),
}


def load_model(path: Path, on_read: OnRead | None = None) -> ModelProto:
    """The model of an .onnx or .tflite file. Raises UsageError, which says how to export where it is another."""
    if path.suffix in NO_MODELS:
        check_file(path)
        raise UsageError(f"{path}: {NO_MODELS[path.suffix]}, give the .onnx file, and this one as --checkpoint")
    return load_tflite(path) if path.suffix == ".tflite" else load(path, on_read)


def read_names(path: Path) -> dict[str, str]:
    """The names of a JSON file. Raises UsageError if it holds no object of strings."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"--names {path} cannot be read ({error})") from None
    if not isinstance(names, dict) or not all(isinstance(value, str) for value in names.values()):
        raise UsageError(f'--names {path}: write one object of names, {{"0.weight": "conv1.weight"}}')
    return names
