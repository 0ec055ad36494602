"""PixelShuffle and depth_to_space, run by the operator of the other framework on layers from the file."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

from rewriter.weights import export_weights
from rewriter.weights.check import tensorflow
from rewriter.weights.check.record import Weights
from rewriter.weights.check.run import check_weights
from tests.interop import in_torch
from tests.interop.common import agree, first, last, onnx_of, random, torch_run, written
from tests.interop.test_norms import of_keras

X = random(2, 3, 8, 6)
RUN = {"depth_to_space": tf.nn.depth_to_space, "space_to_depth": tf.nn.space_to_depth}
TORCH = {"depth_to_space": torch.nn.functional.pixel_shuffle, "space_to_depth": torch.nn.functional.pixel_unshuffle}


def in_order(x: Any, told: dict[str, Any]) -> Any:
    shape = x.shape
    return np.asarray(x).reshape(*shape[:-1], *told["sizes"]).swapaxes(-1, -2).reshape(shape)


def in_tf(weights: Weights) -> Any:
    """Layers one after the other, as the records say; a Relu behind each convolution but the last."""
    x, entries = last(X), weights.layers()
    for entry in entries:
        if entry["kind"] in RUN:
            told = entry.get("reorder_channels", {"of": ""})
            x = in_order(x, told) if told["of"] == "input" else x
            x = RUN[entry["kind"]](x, entry["block_size"])
            x = in_order(x, told) if told["of"] == "result" else x
        elif entry["kind"] == "prelu":
            x = np.where(np.asarray(x) < 0, x * weights.of(entry)["alpha"], x)
        else:
            x = tensorflow.layer(x, entry, weights)
    return x


class Up(torch.nn.Module):
    """Both, with a PReLU between the first and its convolution."""

    def __init__(self, seen: bool) -> None:
        super().__init__()
        self.seen = seen
        self.conv = torch.nn.Conv2d(3, 12, 3, padding=1)
        self.slope = torch.nn.PReLU(12)
        self.up, self.down = torch.nn.PixelShuffle(2), torch.nn.PixelUnshuffle(2)
        self.middle, self.out = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Conv2d(16, 5, 1)
        torch.nn.init.normal_(self.slope.weight)

    def forward(self, x: Any) -> Any:
        x = self.conv(x)
        x = x.mul(2).sub(x) if self.seen else x  # read twice
        return self.out(self.down(self.middle(self.up(self.slope(x)))))


@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("exporter", ["old", "dynamo", "not optimised"])
def test_of_pytorch(exporter: str, seen: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Up(seen)
    fold = exporter != "not optimised"
    model = onnx_of(net, torch.from_numpy(X), fold=fold, dynamo=exporter != "old")
    weights = written(model, "tensorflow", tmp_path)
    assert ["reorder_channels" in entry for entry in weights.layers("depth_to_space")] == [seen]
    agree(in_tf(weights), last(torch_run(net, X)))
    checked = check_weights(export_weights(model, "tensorflow"), model).manifest.checked
    assert checked is not None
    assert len(checked.errors) >= 3
    weights = written(model, "pytorch", tmp_path)
    state = net.state_dict()
    kernels = {name: array for name, array in weights.tensors.items() if array.ndim == 4}
    assert all(np.array_equal(array, state[name]) for name, array in kernels.items())


def test_of_keras(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    up, down = layers.Lambda(lambda x: tf.nn.depth_to_space(x, 2)), layers.Lambda(lambda x: tf.nn.space_to_depth(x, 2))
    convs = [layers.Conv2D(12, 3, padding="same"), layers.Conv2D(4, 3, padding="same"), layers.Conv2D(5, 1)]
    net = keras.Sequential([keras.Input((8, 6, 3), batch_size=2), convs[0], up, convs[1], down, convs[2]])
    weights = written(of_keras(net), "pytorch", tmp_path)
    x = last(X)
    for entry in weights.layers():
        if entry["kind"] in TORCH:
            assert entry["mode"] == "CRD"
            image = torch.from_numpy(np.ascontiguousarray(first(x)))
            x = last(TORCH[entry["kind"]](image, entry["block_size"]).numpy())
        else:
            x = in_torch.layer(x, entry, weights)
    agree(x, net(last(X)).numpy())
