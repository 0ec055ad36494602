"""Flax's guide "Convert PyTorch models to Flax": its net with a Flatten, as it has it and without its Transpose."""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import pytest
import torch

from rewriter.weights import export_weights, flax_variables, save_weights
from tests.interop.common import agree, first, last, onnx_of, random, torch_run


class Guide(torch.nn.Module):
    """``pools``: to one position, which needs no Transpose."""

    def __init__(self, pools: bool = False) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 2)
        self.pool = torch.nn.AdaptiveAvgPool2d(1) if pools else torch.nn.Identity()
        self.fc = torch.nn.Linear(4 if pools else 120, 2)

    def forward(self, x: Any) -> Any:
        x = self.pool(self.conv(x))
        return self.fc(x.reshape(x.shape[0], -1))


class FlaxGuide(nn.Module):
    transposes: bool
    pools: bool = False

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.Conv(4, (2, 2), padding="VALID", name="conv")(x)
        x = x.mean((1, 2), keepdims=True) if self.pools else x
        x = jnp.transpose(x, (0, 3, 1, 2)) if self.transposes else x
        return nn.Dense(2, name="fc")(x.reshape(x.shape[0], -1))


class Decoder(nn.Module):
    """A Dense before an Unflatten to channels first."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = jnp.transpose(nn.Dense(120, name="fc")(x).reshape(x.shape[0], 6, 4, 5), (0, 2, 3, 1))
        return nn.Conv(3, (1, 1), name="conv")(x)


def variables(net: torch.nn.Module, x: Any, dynamo: bool, keep: bool, folder: Path) -> tuple[Any, list[str]]:
    proto = onnx_of(net, torch.from_numpy(x), dynamo=dynamo, fold=False)
    export = export_weights(proto, "jax", keep_flatten_order=keep)
    save_weights(export, folder / "w.safetensors")
    return flax_variables(folder / "w.safetensors"), [note for note in export.manifest.notes if "Flatten" in note]


@pytest.mark.parametrize("dynamo", [True, False])
@pytest.mark.parametrize("transposes", [True, False])
def test_its_net(transposes: bool, dynamo: bool, tmp_path: Path) -> None:
    net, x = Guide(), random(2, 3, 6, 7)
    held, notes = variables(net, x, dynamo, transposes, tmp_path)
    agree(FlaxGuide(transposes).apply(held, last(x)), torch_run(net, x))
    assert ["'fc.weight'" in note for note in notes] == ([] if transposes else [True])


@pytest.mark.parametrize("transposes", [True, False])
def test_the_other_order_is_wrong(transposes: bool, tmp_path: Path) -> None:
    """What the note is for."""
    net, x = Guide(), random(2, 3, 6, 7)
    held, _ = variables(net, x, dynamo=True, keep=not transposes, folder=tmp_path)
    with pytest.raises(AssertionError):
        agree(FlaxGuide(transposes).apply(held, last(x)), torch_run(net, x))


@pytest.mark.parametrize("keep", [True, False])
def test_one_position_has_no_order(keep: bool, tmp_path: Path) -> None:
    net, x = Guide(pools=True), random(2, 3, 6, 7)
    held, notes = variables(net, x, dynamo=True, keep=keep, folder=tmp_path)
    agree(FlaxGuide(transposes=keep, pools=True).apply(held, last(x)), torch_run(net, x))
    assert not notes


def test_columns_before_an_unflatten(tmp_path: Path) -> None:
    names = {
        "fc": torch.nn.Linear(9, 120),
        "unflatten": torch.nn.Unflatten(1, (6, 4, 5)),
        "conv": torch.nn.Conv2d(6, 3, 1),
    }
    net, x = torch.nn.Sequential(), random(2, 9)
    for name, module in names.items():
        net.add_module(name, module)
    held, notes = variables(net, x, dynamo=True, keep=True, folder=tmp_path)
    agree(first(Decoder().apply(held, x)), torch_run(net, x))
    assert not notes
