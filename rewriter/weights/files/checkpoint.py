"""Checkpoints: the names and values of a model's parameters, in its own layout. No code of a file is run."""

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from rewriter.errors import UsageError
from rewriter.weights.coercion import path_of, shown
from rewriter.weights.files.keras import read_h5
from rewriter.weights.files.safetensors import safetensors_checkpoint
from rewriter.weights.files.state_dict import entries_in
from rewriter.weights.files.torch import read_pt
from rewriter.weights.framework import Framework
from rewriter.weights.frameworks.pytorch import PyTorch
from rewriter.weights.frameworks.tensorflow import TensorFlow
from rewriter.weights.tensors.arrays import array_of
from rewriter.weights.tensors.letters import Array


@dataclass(frozen=True)
class Checkpoint:
    """``arrays`` in the layout of ``framework``, by ``module.weight`` or ``module/kernel``, in the file's order."""

    name: str
    framework: Framework
    arrays: dict[str, Array]


def checkpoint_of(given: Any) -> Checkpoint:
    """Of a path, or of a state dict of PyTorch's in memory. Raises UsageError on all else."""
    if not isinstance(given, Mapping):
        return read_checkpoint(path_of(given, "checkpoint"))
    arrays = {name: array_of(value, name) for name, value in entries_in(given)}
    if not arrays:
        raise UsageError(f"checkpoint is {shown(given)}: give a path, or a dict of tensors by name")
    return Checkpoint("checkpoint", PyTorch(), arrays)


def read_checkpoint(path: Path) -> Checkpoint:
    """A file of weights: .weights.h5 of Keras, others of PyTorch. Raises UsageError if it cannot be read."""
    ending = next((ending for ending in READERS if path.name.endswith(ending)), None)
    if ending is None:
        raise UsageError(f"{path}: checkpoints are read from {', '.join(READERS)} files; give one of these")
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    framework, read = READERS[ending]
    try:
        arrays = read(path)
    except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile,
            safetensors.SafetensorError) as error:  # fmt: skip
        raise UsageError(f"{path}: not a readable checkpoint ({error})") from None
    return Checkpoint(str(path), framework, arrays)


def read_npz(path: Path) -> dict[str, Array]:
    """Raises ValueError on pickles."""
    with np.load(path, allow_pickle=False) as data:
        return dict(data)


READERS: dict[str, tuple[Framework, Callable[[Path], dict[str, Array]]]] = {
    ".safetensors": (PyTorch(), safetensors_checkpoint),
    ".pt": (PyTorch(), read_pt),
    ".pth": (PyTorch(), read_pt),
    ".npz": (PyTorch(), read_npz),
    ".weights.h5": (TensorFlow(), read_h5),
}
