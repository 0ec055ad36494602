"""Every layer of an export is made in the target's framework, and run on what onnxruntime gives the model's own."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from onnx import ModelProto

from rewriter.errors import ResultDiffers, UsageError
from rewriter.extras import needed
from rewriter.frontends.converting import quiet
from rewriter.steps import step
from rewriter.validation.compare import RTOL
from rewriter.weights.check.record import NotRun, Weights
from rewriter.weights.check.values import values_of
from rewriter.weights.inputs import model_of
from rewriter.weights.layers.plain import plain
from rewriter.weights.manifest.checked import Checked
from rewriter.weights.manifest.ends import End, Ends
from rewriter.weights.manifest.manifest import Export, LayerEntry
from rewriter.weights.tensors.letters import Array

SEED = 0
SINGLE = np.dtype(np.float32)
# Of a layer's scale, by the coarser type of model and framework: of the sums, in whatever order, and of the result.
LEAST = 1e-4
TOLERANCE = {dtype: max(LEAST, 2 * rtol) for dtype, rtol in RTOL.items()}


class Row(NamedTuple):
    """A framework: what is imported, the extra that installs it, the file here, and what it computes in."""

    label: str
    packages: tuple[str, ...]
    extra: str
    module: str
    dtype: "np.dtype[Any]" = np.dtype(np.float64)


ROWS = {
    "pytorch": Row("PyTorch", ("torch",), "torch", "pytorch"),
    "tensorflow": Row("TensorFlow", ("tensorflow", "keras"), "tensorflow", "tensorflow"),
    "tflite": Row("LiteRT", ("tensorflow", "ai_edge_litert"), "tensorflow", "tflite", SINGLE),
    "flax": Row("Flax", ("flax", "jax"), "flax", "flax"),
}


def check_weights(export: Export, model: ModelProto | str | Path, *, seed: int = SEED) -> Export:
    """The export, its manifest with what was ``checked``.

    ``model``: the one whose weights these are, or its file. Of every layer the input is onnxruntime's, in one run on
    random inputs of ``seed``, in the target's layout; it is made from the tensors and the manifest's record alone, and
    runs in float64 where the framework does. Errors are fractions of its scale: the largest magnitude that it gives.
    Raises ResultDiffers if a layer differs by more than its type's noise (float32: 1e-4), or the framework refuses it;
    UsageError without the framework, or a model; CouldNotValidate if the model does not run.
    """
    proto = model_of(model)
    row, framework = runner_of(export.manifest.target)
    layers = export.manifest.layers
    around = [entry.ends for entry in layers.values() if isinstance(entry.ends, Ends)]
    names = [name for ends in around for name in (ends.reads.name, ends.gives.name, *ends.zeros)]
    values = values_of(plain(proto)[0], names, seed)
    run = _Run(export, values, row, framework)
    checked = Checked(row.label, framework.version(), seed, {}, {})
    for name, entry in layers.items():
        try:
            with step(f"{row.label} runs the layer {name}"):
                checked.errors[name] = run.error(name, entry)
        except NotRun as why:
            checked.others[name] = str(why)
    return replace(export, manifest=replace(export.manifest, checked=checked))


def runner_of(target: str) -> tuple[Row, Any]:
    """The framework's row, and its file here. Raises UsageError, which says what to install."""
    row = ROWS.get(target)
    if row is None:
        raise UsageError(f"--check does not know how layers of {target} are made: leave it out")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet(verbose=False):
        for package in row.packages:
            needed(package, row.extra, "--check")
        return row, import_module(f"rewriter.weights.check.{row.module}")


class _Run:
    """The layers of an export in a framework (a file of this folder), on the values of a model."""

    def __init__(self, export: Export, values: dict[str, Array], row: Row, framework: Any) -> None:
        self.values, self.row, self.framework = values, row, framework
        tensors = {name: self._wide(array) for name, array in export.tensors.items()}
        self.weights = Weights(tensors, json.loads(export.manifest.dumps()))  # as a user reads it: lists, no tuples

    def error(self, name: str, entry: LayerEntry) -> float:
        """Of a layer, as a fraction of its scale. Raises NotRun, and ResultDiffers beyond the tolerance."""
        if isinstance(entry.ends, str):
            raise NotRun(entry.ends)
        if reason := next(self._reasons(entry), None):
            raise NotRun(reason)
        for state in entry.ends.zeros:
            if state not in self.values or self.values[state].any():
                raise NotRun("it does not start from zeros")
        x, expected = self._value(entry.ends.reads), self._value(entry.ends.gives)
        if not x.any() and x.dtype in RTOL:
            raise NotRun("it reads nothing but zeros on these inputs")
        if not np.isfinite(expected).all():
            raise NotRun("it gives numbers that are not finite on these inputs")
        found = self._found(name, self._wide(x))
        allowed = max(TOLERANCE.get(dtype, LEAST) for dtype in (expected.dtype, self.row.dtype))
        return compared(f"{name} in {self.row.label}", expected, found, allowed)

    def _found(self, name: str, x: Array) -> Array:
        """What the framework gives. Raises NotRun, and ResultDiffers where it refuses the layer."""
        try:
            with quiet(verbose=False):
                return np.asarray(self.framework.layer(x, self.weights.manifest["layers"][name], self.weights))
        except NotRun:
            raise
        except Exception as error:  # frameworks' errors have no narrower base
            short = " ".join(str(error).split())[:200]
            raise ResultDiffers(f"--check: {self.row.label} refuses the layer {name} as exported ({short})") from error

    def _reasons(self, entry: LayerEntry) -> Iterator[str]:
        """Why the record alone makes no layer."""
        if entry.kind not in self.framework.LAYERS:
            yield f"--check does not know how {self.row.label} makes it"
        if "quantization" in entry.settings:
            yield "its weights stay integers"
        if "note" in entry.settings:
            yield entry.settings["note"]

    def _value(self, end: End) -> Array:
        """In the target's layout."""
        if end.name not in self.values:
            raise NotRun("what it reads or gives is not in the model's main graph")
        value = self.values[end.name]
        if not end.layout.is_natural and not end.layout.fits(value.shape):
            raise NotRun("what it reads or gives has another shape than planned")
        return np.ascontiguousarray(end.layout.apply(value))

    def _wide(self, array: Array) -> Array:
        """Floats as the framework computes with them."""
        return array.astype(self.row.dtype) if array.dtype in RTOL else array


def compared(layer: str, expected: Array, found: Array, allowed: float) -> float:
    """The largest error as a fraction of the scale. Raises ResultDiffers if it is more than allowed."""
    if found.size != expected.size:
        raise ResultDiffers(f"--check: {layer} gives shape {list(found.shape)} instead of {list(expected.shape)}")
    wide = expected.astype(np.float64)
    scale = float(np.abs(wide).max(initial=0)) or 1.0
    error = float(np.abs(found.reshape(wide.shape) - wide).max(initial=0)) / scale
    if not error <= allowed:
        limit = f"{allowed:.0e} is allowed"
        raise ResultDiffers(f"--check: {layer} differs from onnxruntime by {error:.1e} of its scale; {limit}")
    return error
