"""LSTM and GRU, from PyTorch and Keras, in both directions, as layers of PyTorch, Keras and Flax."""

from pathlib import Path

import keras
import numpy as np
import pytest
import torch

from rewriter.weights.check import flax, pytorch, tensorflow
from tests.interop.common import agree, onnx_of, random, torch_run, written

LAYERS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


RUNS = {"pytorch": pytorch.layer, "tensorflow": tensorflow.layer, "flax": flax.layer}


class First(torch.nn.Module):
    """The sequence of results of a layer."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


@pytest.mark.parametrize("target", RUNS)
@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
def test_of_pytorch(kind: str, both: bool, dynamo: bool, target: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, x = First(LAYERS[kind](6, 5, bidirectional=both, batch_first=True)), random(2, 7, 6)
    weights = written(onnx_of(net, torch.from_numpy(x), dynamo=dynamo), target, tmp_path)
    (entry,) = weights.layers(kind)
    assert weights.manifest["notes"] == []
    agree(RUNS[target](x, entry, weights), torch_run(net, x))


@pytest.mark.parametrize("target", RUNS)
@pytest.mark.parametrize("kind", LAYERS)
def test_without_biases(kind: str, target: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, x = First(LAYERS[kind](6, 5, batch_first=True, bias=False)), random(2, 7, 6)
    weights = written(onnx_of(net, torch.from_numpy(x)), target, tmp_path)
    (entry,) = weights.layers(kind)
    agree(RUNS[target](x, entry, weights), torch_run(net, x))


@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("target", RUNS)
def test_of_keras(target: str, kind: str, batch: int | None, tmp_path: Path) -> None:
    """tf2onnx makes an LSTM of Keras's; its GRU stays a Loop, which is known by what it gives."""
    import tensorflow as tf
    import tf2onnx

    keras.utils.set_random_seed(0)
    x = random(2, 7, 6)
    net = keras.Sequential(
        [keras.Input((7, 6), batch_size=batch), getattr(keras.layers, kind.upper())(5, return_sequences=True)]
    )
    net.set_weights([random(*array.shape) / 2 for array in net.get_weights()])
    signature = [tf.TensorSpec((batch, 7, 6), tf.float32)]
    model, _ = tf2onnx.convert.from_function(tf.function(net, input_signature=signature), signature, opset=17)
    weights = written(model, target, tmp_path)
    (entry,) = weights.layers()
    assert (entry["kind"], weights.manifest["notes"]) == (kind, [])
    agree(RUNS[target](x, entry, weights), net(x).numpy())
    if target == "tensorflow":
        for found, own in zip(weights.of(entry).values(), net.get_weights(), strict=True):
            np.testing.assert_allclose(found, own, atol=1e-7)
