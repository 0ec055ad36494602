"""What the command is given: a model of some kind, and names."""

import json
from pathlib import Path
from typing import Any

from onnx import ModelProto

from rewriter.errors import UsageError
from rewriter.files.no_models import KERAS_SAVED, TORCH_EXPORT
from rewriter.files.reader import OnRead, load
from rewriter.frontends import NOTHING, Asked


def path_of_model(model: Any) -> Path:
    """The path of a model. Raises UsageError on what is none, as a module."""
    try:
        return Path(model)
    except TypeError:
        told = f"model is a {type(model).__name__}: give an onnx.ModelProto or the path of a file"
        raise UsageError(f"{told}, which {TORCH_EXPORT} or {KERAS_SAVED} writes") from None


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
