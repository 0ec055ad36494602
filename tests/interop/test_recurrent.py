"""LSTM and GRU, from PyTorch and Keras, in both directions, as layers of PyTorch, Keras and Flax."""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch

from tests.interop.common import Array, Weights, agree, onnx_of, random, torch_run, written

LAYERS = {"lstm": (torch.nn.LSTM, keras.layers.LSTM, nn.LSTMCell), "gru": (torch.nn.GRU, keras.layers.GRU, nn.GRUCell)}


def in_pytorch(x: Array, entry: dict[str, Any], weights: Weights) -> Array:
    both, hidden = entry["direction"] == "bidirectional", entry["hidden_size"]
    bias = "bias_ih_l0" in entry["parameters"]
    made = LAYERS[entry["kind"]][0](x.shape[-1], hidden, bidirectional=both, batch_first=True, bias=bias)
    made.load_state_dict({key: torch.from_numpy(array.copy()) for key, array in weights.of(entry).items()})
    with torch.no_grad():
        return made(torch.from_numpy(x))[0].numpy()


def in_keras(x: Array, entry: dict[str, Any], weights: Weights) -> Array:
    reset = {"reset_after": entry["reset_after"]} if "reset_after" in entry else {}
    bias = "bias" in entry["parameters"]
    made = LAYERS[entry["kind"]][1](entry["hidden_size"], return_sequences=True, use_bias=bias, **reset)
    made = keras.layers.Bidirectional(made) if entry["direction"] == "bidirectional" else made
    made.build(x.shape)
    made.set_weights(list(weights.of(entry).values()))
    return made(x).numpy()


def in_flax_cells(x: Array, entry: dict[str, Any], weights: Weights) -> Array:
    results = []
    for prefix in ("", "backward.")[: 1 + (entry["direction"] == "bidirectional")]:
        cell = LAYERS[entry["kind"]][2](entry["hidden_size"])
        params: dict[str, dict[str, Array]] = {}
        for name, array in weights.of(entry).items():
            if name.startswith("backward.") == bool(prefix):
                dense, parameter = name.removeprefix(prefix).split(".")
                params.setdefault(dense, {})[parameter] = jnp.asarray(array)
        run = nn.RNN(cell, reverse=bool(prefix), keep_order=True)
        results.append(run.apply({"params": {"cell": params}}, x))
    return np.concatenate(results, axis=-1)


RUNS = {"pytorch": in_pytorch, "tensorflow": in_keras, "flax": in_flax_cells}


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
    net, x = First(LAYERS[kind][0](6, 5, bidirectional=both, batch_first=True)), random(2, 7, 6)
    weights = written(onnx_of(net, torch.from_numpy(x), dynamo=dynamo), target, tmp_path)
    (entry,) = weights.layers(kind)
    assert weights.manifest["notes"] == []
    agree(RUNS[target](x, entry, weights), torch_run(net, x))


@pytest.mark.parametrize("target", RUNS)
@pytest.mark.parametrize("kind", LAYERS)
def test_without_biases(kind: str, target: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, x = First(LAYERS[kind][0](6, 5, batch_first=True, bias=False)), random(2, 7, 6)
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
    net = keras.Sequential([keras.Input((7, 6), batch_size=batch), LAYERS[kind][1](5, return_sequences=True)])
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
