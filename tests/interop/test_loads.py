"""One-line loads, each of a whole net: PyTorch's, Keras's and Flax's own ways to read a file."""

import json
from pathlib import Path
from typing import Any

import flax.linen as nn
import flax.serialization
import jax
import keras
import numpy as np
import onnx
import orbax.checkpoint as ocp
import pytest
import safetensors.torch
import torch

from rewriter import UsageError
from rewriter.weights import export_weights, fill_keras, flax_variables, save_weights
from tests.interop.common import agree, last, onnx_of, random, torch_run
from tests.interop.test_flax import randomise

X = random(2, 3, 12, 10)


def branch(channels: int) -> torch.nn.Module:
    """Two branches whose convolutions look alike."""

    class Branch(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = torch.nn.Conv2d(channels, channels, 3, padding=1)
            self.right = torch.nn.Conv2d(channels, channels, 3, padding=1)

        def forward(self, x: Any) -> Any:
            return self.left(x) - self.right(x).sigmoid()

    return Branch()


class Net(torch.nn.Module):
    """Convolutions with and without a bias, normalisations, a depthwise and a transposed one, a Flatten, a Linear."""

    def __init__(self, middle: torch.nn.Module) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(8)
        self.middle = middle
        self.depthwise = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.up = torch.nn.ConvTranspose2d(8, 4, 2, 2)
        self.bn2 = torch.nn.BatchNorm2d(4)
        self.fc = torch.nn.Linear(4 * 24 * 20, 5)

    def forward(self, x: Any) -> Any:
        x = self.middle(torch.relu(self.bn1(self.conv1(x))))
        x = torch.relu(self.bn2(self.up(self.depthwise(x))))
        return self.fc(x.flatten(1))


def torch_net(middle: torch.nn.Module | None = None) -> torch.nn.Module:
    torch.manual_seed(0)
    return randomise(Net(torch.nn.Identity() if middle is None else middle)).eval()


def onnx_file(net: torch.nn.Module, folder: Path) -> Path:
    """As docs/weights.md says to export."""
    onnx.save(onnx_of(net, torch.from_numpy(X), dynamo=True, fold=False), folder / "net.onnx")
    return folder / "net.onnx"


def exported(net: torch.nn.Module, target: str, file: str, folder: Path, **options: Any) -> Path:
    export = export_weights(onnx_file(net, folder), target, **options)
    assert all(note.startswith("reordered for a Flatten") for note in export.manifest.notes)
    save_weights(export, folder / file)
    return folder / file


# PyTorch


def test_load_state_dict(tmp_path: Path) -> None:
    expected = torch_run(torch_net(), X)
    for ending in ("safetensors", "pt"):
        file = exported(torch_net(), "pytorch", f"w.{ending}", tmp_path)
        empty = Net(torch.nn.Identity())
        if ending == "pt":
            empty.load_state_dict(torch.load(file, weights_only=True), strict=True)
        else:
            empty.load_state_dict(safetensors.torch.load_file(file), strict=True)
        agree(torch_run(empty, X), expected)


def test_types_that_numpy_has_not(tmp_path: Path) -> None:
    net = torch_net().to(torch.bfloat16)
    export = export_weights(onnx_file(torch_net(), tmp_path), "pytorch")
    torch.save(net.state_dict(), tmp_path / "half.pt")
    export = export_weights(tmp_path / "net.onnx", "pytorch", checkpoint=tmp_path / "half.pt")
    save_weights(export, tmp_path / "again.pt")
    again = torch.load(tmp_path / "again.pt", weights_only=True)
    assert again.keys() == net.state_dict().keys()
    assert all(torch.equal(tensor, net.state_dict()[name]) for name, tensor in again.items())


# Keras


def keras_net(middle: Any = None) -> keras.Model:
    layers = keras.layers
    inputs = keras.Input((12, 10, 3))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv1")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5, name="bn1")(x))
    x = middle(x) if middle else x
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Conv2DTranspose(4, 2, 2, name="up")(x)
    x = layers.Flatten()(layers.ReLU()(layers.BatchNormalization(epsilon=1e-5, name="bn2")(x)))
    return keras.Model(inputs, layers.Dense(5, name="fc")(layers.Dropout(0.5)(x)))


def test_load_weights(tmp_path: Path) -> None:
    model = keras_net()
    model.load_weights(exported(torch_net(), "keras", "net.weights.h5", tmp_path))
    agree(model(last(X)), torch_run(torch_net(), X))


def test_set_weights_of_a_whole_model(tmp_path: Path) -> None:
    """npz files are in the order of layers."""
    model = keras_net()
    with np.load(exported(torch_net(), "keras", "net.npz", tmp_path)) as file:
        model.set_weights(list(file.values()))
    agree(model(last(X)), torch_run(torch_net(), X))


def test_a_sequential_model(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3), torch.nn.Conv2d(8, 8, 3)
    )
    layers = keras.layers
    model = keras.Sequential([keras.Input((12, 10, 3)), layers.Conv2D(8, 3, activation="relu"), layers.Conv2D(8, 3)])
    model.add(layers.Conv2D(8, 3))
    model.load_weights(exported(net, "tensorflow", "net.weights.h5", tmp_path))
    agree(model(last(X)), last(torch_run(net, X)))


def in_branches(x: Any) -> Any:
    """The right one is made first: Keras counts it first."""
    right = keras.layers.Conv2D(8, 3, padding="same", name="middle.right", activation="sigmoid")(x)
    left = keras.layers.Conv2D(8, 3, padding="same", name="middle_left")(x)
    return left - right


def test_branches_are_filled_by_name(tmp_path: Path) -> None:
    net, model = torch_net(branch(8)), keras_net(in_branches)
    fill_keras(model, exported(net, "keras", "net.safetensors", tmp_path))
    agree(model(last(X)), torch_run(net, X))


def test_branches_that_look_alike_are_refused_in_h5(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="do not depend on each other"):
        exported(torch_net(branch(8)), "keras", "net.weights.h5", tmp_path)


def test_fill_keras_changes_nothing_where_names_differ(tmp_path: Path) -> None:
    file = exported(torch_net(), "keras", "net.safetensors", tmp_path)
    model = keras_net()
    model.get_layer("fc").name = "head"
    before = model.get_weights()
    with pytest.raises(UsageError, match=r"not in it: \['head'\], not in the model: \['fc'\]"):
        fill_keras(model, file)
    assert all(map(np.array_equal, before, model.get_weights()))
    fill_keras(model, exported(torch_net(), "keras", "net.safetensors", tmp_path, names={"fc": "head"}))
    agree(model(last(X)), torch_run(torch_net(), X))


# Flax


class FlaxNet(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.Conv(8, (3, 3), use_bias=False, name="conv1")(x)
        x = nn.relu(nn.BatchNorm(True, epsilon=1e-5, name="bn1")(x))
        x = nn.Conv(8, (3, 3), feature_group_count=8, name="depthwise")(x)
        x = nn.ConvTranspose(4, (2, 2), (2, 2), [(1, 1), (1, 1)], name="up")(x)
        x = nn.relu(nn.BatchNorm(True, epsilon=1e-5, name="bn2")(x))
        return nn.Dense(5, name="fc")(x.reshape(x.shape[0], -1))


def flax_agrees(variables: Any) -> None:
    shapes = jax.tree.map(np.shape, FlaxNet().init(jax.random.key(0), last(X)))
    assert jax.tree.map(np.shape, dict(variables)) == shapes
    agree(FlaxNet().apply(variables, last(X)), torch_run(torch_net(), X))


def test_flax_variables(tmp_path: Path) -> None:
    flax_agrees(flax_variables(exported(torch_net(), "jax", "w.safetensors", tmp_path)))


def test_msgpack(tmp_path: Path) -> None:
    file = exported(torch_net(), "flax", "w.msgpack", tmp_path)
    flax_agrees(flax.serialization.msgpack_restore(file.read_bytes()))
    flax_agrees(flax.serialization.from_bytes(FlaxNet().init(jax.random.key(0), last(X)), file.read_bytes()))


def test_orbax(tmp_path: Path) -> None:
    file = exported(torch_net(), "flax", "w.orbax", tmp_path)
    with ocp.StandardCheckpointer() as checkpointer:
        flax_agrees(checkpointer.restore(file.absolute()))
        flax_agrees(checkpointer.restore(file.absolute(), FlaxNet().init(jax.random.key(0), last(X))))


def test_nested_modules_and_names(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)), torch.nn.Conv2d(4, 4, 3))
    (tmp_path / "names.json").write_text(json.dumps({"0": "encoder", "0.0.bias": "encoder.0.bias"}))
    names = json.loads((tmp_path / "names.json").read_text())
    tree = flax_variables(exported(net, "flax", "w.safetensors", tmp_path, names=names))
    assert jax.tree.map(np.shape, tree["params"]) == {
        "encoder": {"0": {"kernel": (3, 3, 3, 4), "bias": (4,)}},
        "1": {"kernel": (3, 3, 4, 4), "bias": (4,)},
    }
