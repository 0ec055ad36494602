"""Names and values of whole architectures: from the export that keeps them, and from any with a checkpoint."""

import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import ModelProto

from rewriter.weights import export_weights
from tests.interop.common import onnx_of, random

sys.path.insert(0, str(Path(__file__).parents[2] / "models"))

import catalog_torch  # the nets that are exported for models/
import torch_nets

TWICE = ("torch_unet_dynamo", "torch_flatten_legacy", "torch_vocoder_legacy", "torch_superres_legacy")
COUNTER = "num_batches_tracked"  # of PyTorch's BatchNorm: no operator reads it


class Transformer(torch.nn.Module):
    """A small ViT: patches, a class token, positions, an encoder's block."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 12, 4, 4)
        self.token = torch.nn.Parameter(torch.randn(1, 1, 12))
        self.positions = torch.nn.Parameter(torch.randn(1, 31, 12))
        self.norm1, self.norm2 = torch.nn.LayerNorm(12), torch.nn.LayerNorm(12)
        self.qkv, self.proj = torch.nn.Linear(12, 36), torch.nn.Linear(12, 12)
        self.mlp = torch.nn.Sequential(torch.nn.Linear(12, 29), torch.nn.GELU(), torch.nn.Linear(29, 12))
        self.head = torch.nn.Linear(12, 7)

    def forward(self, image: Any) -> Any:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        q, k, v = self.qkv(self.norm1(x)).chunk(3, -1)
        x = x + self.proj((q @ k.transpose(1, 2)).softmax(-1) @ v)
        return self.head((x + self.mlp(self.norm2(x)))[:, 0])


NETS: dict[str, Any] = {
    net.name: (lambda net=net: net.build(torch_nets), net.shape) for net in catalog_torch.SMALL if net.name not in TWICE
} | {"vit": (Transformer, (2, 3, 20, 24))}


def made(name: str) -> tuple[torch.nn.Module, torch.Tensor]:
    build, shape = NETS[name]
    torch.manual_seed(0)
    x = torch.from_numpy(random(*shape))
    return torch_nets.randomise(build(), x).eval(), x


@cache
def exported(name: str, dynamo: bool, fold: bool) -> ModelProto:
    net, x = made(name)
    return onnx_of(net, x, dynamo=dynamo, fold=fold)


def test_there_are_twelve() -> None:
    assert len(NETS) == 12


@pytest.mark.parametrize("name", NETS)
def test_names_of_the_export_that_keeps_them(name: str) -> None:
    net, _ = made(name)
    export = export_weights(exported(name, True, False), "pytorch")
    own = {key: tensor.numpy() for key, tensor in net.state_dict().items() if not key.endswith(COUNTER)}
    assert own.keys() <= export.tensors.keys()
    assert all(np.array_equal(export.tensors[key].ravel(), array.ravel()) for key, array in own.items())
    assert not any("folded" in note or "its bias" in note for note in export.manifest.notes)


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("dynamo", [True, False])
@pytest.mark.parametrize("name", NETS)
def test_any_export_with_the_checkpoint(name: str, dynamo: bool, fold: bool, tmp_path: Path) -> None:
    net, _ = made(name)
    torch.save(net.state_dict(), tmp_path / "own.pt")
    export = export_weights(exported(name, dynamo, fold), "pytorch", checkpoint=tmp_path / "own.pt")
    own = {key: tensor.numpy() for key, tensor in net.state_dict().items()}
    assert own.keys() == export.tensors.keys()
    assert all(np.array_equal(export.tensors[key], array) for key, array in own.items())
