"""From each target to each other one, and types that are not float32: bit for bit."""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, TensorProto, numpy_helper

from rewriter import convert_layout, flatten_order
from rewriter.weights import TARGETS
from rewriter.weights.check.record import Weights
from rewriter.weights.tensors.transform import TensorTransform, of_json
from tests.interop.common import Array, onnx_of, random, written

MODELS = Path(__file__).parents[2] / "models"
TYPES = {"float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16}


class Everything(torch.nn.Module):
    """Every kind of kernel, and a Dense behind a Flatten."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = torch.nn.Sequential(
            torch.nn.Conv2d(3, 6, (3, 2)),
            torch.nn.Conv2d(6, 12, (2, 3), groups=6),
            torch.nn.Conv2d(12, 8, 3, groups=2),
            torch.nn.ConvTranspose2d(8, 5, (3, 2), 2),
            torch.nn.BatchNorm2d(5),
        )
        self.fc = torch.nn.Linear(5 * 9 * 10, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.convs(x).flatten(1))


def everything() -> ModelProto:
    return onnx_of(Everything(), torch.from_numpy(random(1, 3, 9, 10)), fold=False)


FILES: dict[str, Callable[[], ModelProto]] = {
    "every kind": everything,
    **{
        name: partial(onnx.load, MODELS / f"{name}.onnx")
        for name in ("torch_vocoder", "torch_conv3d", "keras_flatten", "torch_superres")
    },
}


@pytest.mark.parametrize(("one", "other"), [*itertools.permutations(TARGETS, 2)])
@pytest.mark.parametrize("file", FILES)
def test_between_two_targets(file: str, one: str, other: str, tmp_path: Path) -> None:
    """There by the two manifests, and back again."""
    model = FILES[file]()
    there, here = written(model, other, tmp_path), written(model, one, tmp_path)
    ours, theirs = by_source(here), by_source(there)
    assert ours.keys() == theirs.keys() != set()
    for source, name in ours.items():
        back, forth, expected = change(here, name), change(there, theirs[source]), there.tensors[theirs[source]]
        moved = forth.apply(back.undo(here.tensors[name]))
        assert same_bits(moved, expected)
        assert same_bits(back.apply(forth.undo(moved)), here.tensors[name])


def by_source(weights: Weights) -> dict[tuple[str, str], str]:
    """Names, which are each framework's own, by what the model calls a constant and its reader."""
    return {(entry["source"], entry["node"]): name for name, entry in weights.manifest["tensors"].items()}


@pytest.mark.parametrize(("one", "other"), [*itertools.permutations(TARGETS, 2)])
def test_between_two_targets_by_letters(one: str, other: str, tmp_path: Path) -> None:
    """The same through ``convert_layout`` and ``flatten_order``: the letters say all but flips and orders."""
    model = everything()
    there, here = written(model, other, tmp_path), written(model, one, tmp_path)
    kernels = [layer["parameters"] for layer in here.manifest["layers"].values() if layer["kind"] != "batch_norm"]
    for name in (next(iter(parameters.values())) for parameters in kernels):
        before, after = (weights.manifest["tensors"][name] for weights in (here, there))
        array = np.flip(here.tensors[name], before.get("flip", ()))
        array = reordered(array, before, "HWC", "CHW")
        array = convert_layout(array, before["letters"], after["letters"], groups=6)
        array = reordered(array, after, "CHW", "HWC")
        assert same_bits(np.flip(array, after.get("flip", ())), there.tensors[name])


def reordered(array: Array, entry: dict[str, object], order: str, to: str) -> Array:
    if "orders" not in entry:
        return array
    axis = str(entry["letters"]).index("I")
    return flatten_order(array, axis, [{"C": 5, "H": 9, "W": 10}[letter] for letter in order], to, order)


def change(weights: Weights, name: str) -> TensorTransform:
    return of_json(weights.manifest["tensors"][name])


def same_bits(one: Array, other: Array) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("target", TARGETS)
def test_half_precision(target: str, dtype: str, tmp_path: Path) -> None:
    """The numbers of the float32 export, rounded before instead of after."""
    model = everything()
    wide = written(model, target, tmp_path)
    numpy_type = np.dtype(getattr(ml_dtypes, dtype, dtype))
    narrow = written(narrowed(model, dtype), target, tmp_path)
    assert narrow.tensors.keys() == wide.tensors.keys()
    for name, array in narrow.tensors.items():
        assert narrow.manifest["tensors"][name]["dtype"] == dtype
        assert same_bits(array, wide.tensors[name].astype(numpy_type))


def narrowed(model: ModelProto, dtype: str) -> ModelProto:
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(tensor).astype(getattr(ml_dtypes, dtype, dtype))
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TYPES[dtype]
    del model.graph.value_info[:]
    return model


def test_frameworks_read_bfloat16(tmp_path: Path) -> None:
    """The file is what ``safetensors`` itself makes of a PyTorch tensor."""
    from safetensors.torch import load_file

    model = narrowed(everything(), "bfloat16")
    weights = written(model, "pytorch", tmp_path)
    loaded = load_file(tmp_path / "weights.safetensors")
    for name, array in weights.tensors.items():
        assert loaded[name].dtype == torch.bfloat16
        assert np.array_equal(loaded[name].float().numpy(), array.astype(np.float32))


class Transformer(torch.nn.Module):
    """Patches, positions and an encoder layer, as in ViT (arXiv:2010.11929)."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 12, 8, 8)
        self.positions = torch.nn.Parameter(torch.randn(1, 12, 12))
        self.layer = torch.nn.TransformerEncoderLayer(12, 3, 20, batch_first=True)
        self.head = torch.nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(self.patches(x).flatten(2).transpose(1, 2) + self.positions).mean(1))


@pytest.mark.parametrize("target", TARGETS)
def test_a_transformer_keeps_what_is_no_kernel(target: str, tmp_path: Path) -> None:
    """The plan moves axes in the attention; the weights do not follow."""
    model = onnx_of(Transformer(), torch.from_numpy(random(1, 3, 24, 32)))
    weights = written(model, target, tmp_path)
    assert weights.manifest["notes"] == []
    for entry in weights.manifest["tensors"].values():
        kernel = entry.get("parameter") in ("kernel", "weight", "filter") and len(entry["shape"]) > 1
        assert kernel or entry["layout"] == "as is"
        assert target != "pytorch" or entry["operator"] == "MatMul" or entry["layout"] == "as is"
    assert same_bits(weights.tensors["positions"], numpy_helper.to_array(held(model)["positions"]))


def held(model: ModelProto) -> dict[str, TensorProto]:
    return {tensor.name: tensor for tensor in model.graph.initializer}
