"""What the command is given: a model of some kind, and names."""

import json
from pathlib import Path

from onnx import ModelProto

from rewriter.errors import UsageError
from rewriter.files.reader import OnRead, check_file, convert, load
from rewriter.frontends import NOTHING, Asked, front_end_of
from rewriter.weights.exporters import TORCH_EXPORT

# files of frameworks, by ending, that say too little: what to do instead
NO_MODELS = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".bin"), f"a PyTorch file: export the model with {TORCH_EXPORT}"),
    ".weights.h5": "a file of weights of Keras: give the model itself, saved by model.save('net.keras')",
    **dict.fromkeys((".safetensors", ".npz", ".msgpack"), "a file of weights, which has no graph: export the model"),
}


def load_model(path: Path, on_read: OnRead | None = None, asked: Asked = NOTHING) -> ModelProto:
    """The model of a file or folder. Raises UsageError, which says how to export where there is none."""
    for ending, what in NO_MODELS.items():
        if path.name.endswith(ending):
            check_file(path)
            raise UsageError(f"{path}: {what}, and give this file as --checkpoint")
    front = front_end_of(path)
    return load(path, on_read) if front is None else convert(path, front, on_read, asked._replace(optimise=False)).model


def read_names(path: Path) -> dict[str, str]:
    """The names of a JSON file. Raises UsageError if it holds no object of strings."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"--names {path} cannot be read ({error})") from None
    if not isinstance(names, dict) or not all(isinstance(value, str) for value in names.values()):
        raise UsageError(f'--names {path}: write one object of names, {{"0.weight": "conv1.weight"}}')
    return names
