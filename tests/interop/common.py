"""From a PyTorch module to an exported file, and the one comparison that every test makes."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from rewriter.weights import export_weights, read_weights, save_weights
from rewriter.weights.check.record import Weights
from tests.interop.noted import note
from tests.support.engines import default

Array = NDArray[Any]
TOLERANCE = 1e-5  # of the largest absolute value of the original's output


def onnx_of(net: torch.nn.Module, *inputs: torch.Tensor, fold: bool = True, dynamo: bool = False) -> ModelProto:
    """The net in evaluation mode, as PyTorch's exporter writes it; ``fold``: batch normalisations into convolutions."""
    net.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            return torch.onnx.export(net, inputs, dynamo=True, optimize=fold, verbose=False).model_proto
        file, mode = io.BytesIO(), torch.onnx.TrainingMode
        training = mode.EVAL if fold else mode.PRESERVE
        torch.onnx.export(
            net, inputs, file, dynamo=False, opset_version=17, training=training, do_constant_folding=fold
        )
    return onnx.load_from_string(file.getvalue())


def written(model: ModelProto, target: str, folder: Path, **options: Any) -> Weights:
    """Through a file, so that nothing but the file tells the target anything."""
    save_weights(export_weights(model, target, **options), folder / "weights.safetensors")
    return Weights(*read_weights(folder / "weights.safetensors"))


def torch_run(net: torch.nn.Module, x: Array) -> Array:
    with torch.no_grad():
        return net.eval()(torch.from_numpy(x)).numpy()


def ort_run(model: ModelProto, x: Array) -> Array:
    return default(model, {model.graph.input[0].name: x})[0]


def random(*shape: int) -> Array:
    """Numbers that depend on the shape alone."""
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


def last(x: Array) -> Array:
    """Channels last."""
    return np.moveaxis(x, 1, -1)


def first(x: Array) -> Array:
    return np.moveaxis(x, -1, 1)


def agree(found: Any, expected: Array, tolerance: float = TOLERANCE) -> None:
    """To ``tolerance`` of the expected output's scale."""
    found = np.asarray(found)
    assert found.shape == expected.shape
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    assert error <= tolerance
    note(error)


def spread(value: int | Sequence[int], dims: int) -> list[int]:
    return [value] * dims if isinstance(value, int) else list(value)
