"""ResNet-18 and MobileNetV2, from PyTorch into Keras models of the same architecture: the logits agree.

Both run in float64, on the float32 weights: in float32 a MobileNetV2 differs from itself by 5e-5 of its scale (PyTorch
in float32 against PyTorch in float64), which would hide a small mistake.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

from rewriter.weights.check.record import Weights
from tests.interop.common import TOLERANCE, agree, last, onnx_of, random, torch_run, written

sys.path.insert(0, str(Path(__file__).parents[2] / "models"))

import torch_nets  # the nets that are exported for models/


class Net:
    """Keras layers named after PyTorch's modules, with the settings of the manifest."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.entries = {next(iter(e["parameters"].values()), ""): e for e in weights.layers()}
        self.pools = iter(weights.layers("max_pool"))

    def conv_bn(self, x: Any, path: str, act: Any = None) -> Any:
        """``torch_blocks.conv_bn``: the exporter may have folded the normalisation into the convolution."""
        entry = self.entries[f"{path}.0.weight"]
        kernel = self.weights.of(entry)["kernel"]
        shared = {
            "strides": entry["strides"],
            "padding": entry["padding"].lower(),
            "use_bias": "bias" in entry["parameters"],
            "name": f"{path}.0",
        }
        x = self.padded(x, entry)
        if entry["kind"] == "depthwise_conv":
            x = keras.layers.DepthwiseConv2D(entry["kernel_size"], **shared)(x)
        else:
            x = keras.layers.Conv2D(kernel.shape[-1], entry["kernel_size"], **shared)(x)
        if f"{path}.1.weight" in self.entries:
            x = keras.layers.BatchNormalization(epsilon=self.entries[f"{path}.1.weight"]["epsilon"], name=f"{path}.1")(
                x
            )
        return act(x) if act else x

    def padded(self, x: Any, entry: Any) -> Any:
        return keras.layers.ZeroPadding2D([tuple(p) for p in entry["pad"][1:-1]])(x) if "pad" in entry else x

    def max_pool(self, x: Any) -> Any:
        """Behind a ReLU, where zeros are as good as minus infinity."""
        entry = next(self.pools)
        return keras.layers.MaxPooling2D(entry["kernel_size"], entry["strides"], entry["padding"].lower())(
            self.padded(x, entry)
        )

    def classifier(self, x: Any, path: str, classes: int) -> Any:
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.layers.Dense(classes, name=f"{path}.3")(x)

    def filled(self, inputs: Any, outputs: Any) -> keras.Model:
        model = keras.Model(inputs, outputs)
        for name, entry in self.entries.items():
            if name:
                model.get_layer(name.removesuffix(".weight")).set_weights(list(self.weights.of(entry).values()))
        return model


def resnet18(weights: Weights, shape: tuple[int, ...], classes: int) -> keras.Model:
    net, inputs = Net(weights), keras.Input(shape)
    x = net.max_pool(net.conv_bn(inputs, "0", keras.layers.ReLU()))
    for i in range(2, 10):
        first = f"{i}.shortcut"
        skip = net.conv_bn(x, first) if f"{first}.0.weight" in net.entries else x
        y = net.conv_bn(net.conv_bn(x, f"{i}.body.0", keras.layers.ReLU()), f"{i}.body.1")
        x = keras.layers.ReLU()(skip + y)
    return net.filled(inputs, net.classifier(x, "10", classes))


def mobilenet_v2(weights: Weights, shape: tuple[int, ...], classes: int, torch_net: Any) -> keras.Model:
    net, inputs = Net(weights), keras.Input(shape)
    x = net.conv_bn(inputs, "0", keras.layers.ReLU(6))
    for i, module in enumerate(list(torch_net)[1:-2], 1):
        residual = isinstance(module, torch_nets.Residual)
        path = f"{i}.body" if residual else f"{i}"
        parts = list(module.body if residual else module)
        y = x
        for k in range(len(parts)):
            y = net.conv_bn(y, f"{path}.{k}", keras.layers.ReLU(6) if k < len(parts) - 1 else None)
        x = x + y if residual else y
    count = len(torch_net)
    x = net.conv_bn(x, f"{count - 2}", keras.layers.ReLU(6))
    return net.filled(inputs, net.classifier(x, f"{count - 1}", classes))


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


def logits_agree(model: keras.Model, net: torch.nn.Module, x: Any, tolerance: float = 1e-10) -> None:
    wide = x.astype(np.float64)
    agree(model(last(wide)), torch_run(net.double(), wide), tolerance)


@pytest.mark.parametrize("folded", [True, False])
def test_resnet18(folded: bool, tmp_path: Path) -> None:
    """With its batch normalisations, and with these folded, in float32, into the convolutions by PyTorch's exporter."""
    x = random(2, 3, 64, 96)
    torch.manual_seed(0)
    net = torch_nets.randomise(torch_nets.resnet(torch_nets.basic_block, (2, 2, 2, 2)), torch.from_numpy(x))
    weights = written(onnx_of(net, torch.from_numpy(x), dynamo=folded, fold=folded), "tensorflow", tmp_path)
    assert bool(weights.layers("batch_norm")) != folded
    logits_agree(resnet18(weights, (64, 96, 3), 1000), net, x, TOLERANCE if folded else 1e-10)


def test_mobilenet_v2(tmp_path: Path) -> None:
    x = random(2, 3, 64, 96)
    torch.manual_seed(0)
    net = torch_nets.randomise(torch_nets.mobilenet_v2(), torch.from_numpy(x))
    weights = written(onnx_of(net, torch.from_numpy(x), fold=False), "tensorflow", tmp_path)
    logits_agree(mobilenet_v2(weights, (64, 96, 3), 1000, net), net, x)
