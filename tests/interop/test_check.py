"""``--check``: every layer of committed models, run by each framework as exported; and faults that it must find."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from rewriter.errors import ResultDiffers
from rewriter.weights import TARGETS, Export, check_weights, export_weights
from rewriter.weights.cli import main
from tests.interop.noted import note
from tests.support.graphs import ROOT, conv, model, random

MODEL_FOLDER = ROOT / "models"
KINDS = MODEL_FOLDER / "kinds"
MODELS = [
    *(MODEL_FOLDER / f"{name}.onnx" for name in ("torch_resnet", "torch_superres", "torch_vocoder", "torch_conv3d")),
    *(MODEL_FOLDER / f"{name}.onnx" for name in ("keras_conv1d", "keras_flatten", "keras_unet_dynamic")),
    *(KINDS / f"{name}.onnx" for name in ("keras_bilstm", "keras_frames", "keras_group_norm", "keras_int8")),
    *(KINDS / f"{name}.onnx" for name in ("torch_codec", "torch_groupnorm", "torch_half", "torch_vit")),
]
LACKING = {
    "tflite": {
        "TFLite has no operator for it",
        "TFLite has no 3-D pools",
        "--check does not know how LiteRT makes it",
    },
    "flax": {"--check does not know how Flax makes it"},  # it has no depth_to_space
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_all_layers_of_a_model(path: Path, target: str) -> None:
    proto = onnx.load(path)
    checked = check_weights(export_weights(proto, target), proto).manifest.checked
    assert checked is not None
    assert checked.errors or target == "tflite"
    assert set(checked.others.values()) <= LACKING.get(target, set())
    errors = {name: error for name, error in checked.errors.items() if path.stem != "torch_half"}
    assert max(errors.values(), default=0) < 5e-6  # float16 rounds more
    note(max(errors.values(), default=0.0))


def kernel(export: Export) -> str:
    return next(iter(export.tensors))


def swapped(export: Export) -> Export:
    """The two spatial axes of a square kernel."""
    name = kernel(export)
    letters = str(export.manifest.tensors[name].new)
    array = export.tensors[name].swapaxes(letters.index("H"), letters.index("W"))
    return replace(export, tensors={**export.tensors, name: np.ascontiguousarray(array)})


def flipped(export: Export) -> Export:
    """The output channels in reverse order."""
    name = kernel(export)
    axis = str(export.manifest.tensors[name].new).index("O")
    return replace(export, tensors={**export.tensors, name: np.flip(export.tensors[name], axis).copy()})


def without_bias(export: Export) -> Export:
    return with_layer(export, lambda entry: replace(entry, parameters=dict([*entry.parameters.items()][:1])))


def padded_otherwise(export: Export) -> Export:
    """One more before, and one less behind, along the first axis of space."""
    told: dict[str, dict[str, Any]] = {
        "pytorch": {"padding": [0, 0], "pad": [1, 1, 2, 0]},
        "flax": {"padding": [(2, 0), (1, 1)]},
    }
    other = {"padding": "VALID", "pad": [(0, 0), (2, 0), (1, 1), (0, 0)]}
    new = told.get(export.manifest.target, other)
    return with_layer(export, lambda entry: replace(entry, settings={**entry.settings, **new}))


def cut_less(export: Export) -> Export:
    """No padding at all: another shape."""
    none = {"pytorch": [0, 0], "flax": [(0, 0), (0, 0)]}.get(export.manifest.target, "VALID")
    return with_layer(export, lambda entry: replace(entry, settings={**entry.settings, "padding": none}))


def transposed(export: Export) -> Export:
    """A kernel in the source's layout, or for PyTorch in TensorFlow's: the framework refuses it."""
    name = kernel(export)
    array = export.tensors[name]
    return replace(export, tensors={**export.tensors, name: np.ascontiguousarray(np.moveaxis(array, 0, -1))})


def with_layer(export: Export, change: Callable[[Any], Any]) -> Export:
    layers = {name: change(entry) for name, entry in export.manifest.layers.items()}
    return replace(export, manifest=replace(export.manifest, layers=layers))


FAULTS = (swapped, flipped, without_bias, padded_otherwise, cut_less, transposed)


@pytest.fixture
def net() -> onnx.ModelProto:
    node = conv("x", "y", pads=[1, 1, 1, 1])
    node.input.append("b")
    held = {"w": random(10, 3, 3, 3), "b": random(10)}
    return model([node], {"x": [2, 3, 7, 7]}, {"y": None}, held)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_found(fault: Callable[[Export], Export], target: str, net: onnx.ModelProto) -> None:
    export = export_weights(net, target)
    assert check_weights(export, net).manifest.checked
    with pytest.raises(ResultDiffers, match=r"--check: .*\by\b"):
        check_weights(fault(export), net)


@pytest.mark.parametrize("target", TARGETS)
def test_the_command(target: str, net: onnx.ModelProto, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(net, path)
    assert main([str(path), "--for", target, "--check", "-v"]) == 0
    told = json.loads(path.with_name(f"net.{target}.json").read_text())["checked"]
    assert list(told["largest_error"]) == ["y"]
    text = capsys.readouterr().out
    assert f"checked 1 of 1 layers in {told['framework']}: largest error" in text
    assert "of scale (y)" in text
    assert "y: " in text
