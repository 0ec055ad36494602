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
        told = f"{path}: this needs {module} ({error}): pip install 'onnx-layout-rewriter[{extra}]'"
        raise UsageError(told) from None
