"""Models from files."""

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto

from rewriter.errors import UsageError


def load(path: str | Path) -> ModelProto:
    """Read a model with its external data. Raises UsageError if there is no readable ONNX model."""
    try:
        model = onnx.load(path)
    except FileNotFoundError as error:
        raise UsageError(f"{error.filename or path}: no such file") from None
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise UsageError(f"{path}: not a readable ONNX model ({error})") from None
    if not model.graph.node and not model.graph.output:
        raise UsageError(f"{path}: not an ONNX model (it has no graph)")
    return model
