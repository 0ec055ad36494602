"""Packages that one format or one front end needs, and nothing else: the extras of pyproject.toml."""

from importlib import import_module
from pathlib import Path
from typing import Any

from rewriter.errors import UsageError


def needed(module: str, extra: str, path: Path | str) -> Any:
    """The module that ``path`` or an option needs. Raises UsageError, which says what to install, without it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise missing(f"{module} ({error})", extra, path) from None


def missing(what: str, extra: str, path: Path | str) -> UsageError:
    """That ``path`` or an option needs what is not there."""
    return UsageError(f"{path}: this needs {what}: pip install 'onnx-layout-rewriter[{extra}]'")
