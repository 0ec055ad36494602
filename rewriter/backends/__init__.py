"""Files of other runtimes, by the suffix of ``-o``: a planned channels-last graph, handed on operator by operator.

A new one is a file, and a row here.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriter.backends.base import Backend

FOLDER = os.sep  # how a path ends that is to be one
BACKENDS = {".tflite": "tflite", FOLDER: "saved_model"}  # modules, by how the path of the result ends


def backend_name(path: str) -> str | None:
    """The backend for a result's path as it was written, ``None`` for ONNX."""
    return next((name for ending, name in BACKENDS.items() if path.lower().endswith(ending)), None)


def backend_of(name: str) -> Backend:
    """The backend; what it needs is imported when it is asked to do something."""
    backend: Backend = import_module(f"{__name__}.{name}").BACKEND
    return backend
