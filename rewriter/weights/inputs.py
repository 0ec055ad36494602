"""What the command is given: a model of some kind, and names."""

import json
from os import PathLike
from pathlib import Path

from onnx import ModelProto

from rewriter.errors import UsageError
from rewriter.files.no_models import KERAS_SAVED, TORCH_EXPORT
from rewriter.files.reader import OnRead, load
from rewriter.frontends import NOTHING, Asked


def model_of(model: ModelProto | str | Path) -> ModelProto:
    """A model, or that of a file. Raises UsageError on what is neither, as a module, and what ``load_model`` raises."""
    if isinstance(model, ModelProto):
        return model
    if not isinstance(model, str | PathLike):
        told = f"model is a {type(model).__name__}: give an onnx.ModelProto or the path of a file"
        raise UsageError(f"{told}, which {TORCH_EXPORT} or {KERAS_SAVED} writes")
    return load_model(Path(model))


def load_model(path: Path, on_read: OnRead | None = None, asked: Asked = NOTHING) -> ModelProto:
    """The model of a file or folder. Raises UsageError, which says how to export where there is none."""
    return load(path, on_read, asked._replace(optimise=False))


def read_names(path: Path) -> dict[str, str]:
    """The names of a JSON file. Raises UsageError if it holds no object of strings."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"--names {path} cannot be read ({error})") from None
    if not isinstance(names, dict) or not all(isinstance(value, str) for value in names.values()):
        raise UsageError(f'--names {path}: write one object of names, {{"0.weight": "conv1.weight"}}')
    return names
