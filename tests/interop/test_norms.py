"""GroupNorm and LayerNorm as exporters write them, in one operator or in several, as layers of other frameworks."""

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf2onnx
import torch
from onnx import ModelProto

from rewriter.weights.check import flax, pytorch, tensorflow
from rewriter.weights.check.record import Weights
from tests.interop import in_torch
from tests.interop.common import Array, agree, first, last, onnx_of, random, torch_run, written


def in_pytorch(x: Array, entry: dict[str, Any], weights: Weights) -> Array:
    return (pytorch.layer if entry["kind"] == "layer_norm" else in_torch.layer)(x, entry, weights)


def not_optimised(net: torch.nn.Module, x: Array) -> ModelProto:
    """With every parameter as the module has it."""
    given = (torch.from_numpy(x),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.onnx.export(net.eval(), given, dynamo=True, verbose=False, optimize=False).model_proto


def of_keras(net: keras.Model) -> ModelProto:
    """As tf2onnx writes it."""
    signature = [tf.TensorSpec(net.input_shape, tf.float32)]
    return tf2onnx.convert.from_function(tf.function(net, input_signature=signature), signature, opset=17)[0]


RUNS = {"pytorch": in_pytorch, "tensorflow": tensorflow.layer, "flax": flax.layer}


@pytest.mark.parametrize("target", RUNS)
@pytest.mark.parametrize("exporter", ["old", "dynamo", "dynamo, not optimised"])
def test_group_norm_of_pytorch(exporter: str, target: str, tmp_path: Path) -> None:
    net, x = torch.nn.Sequential(torch.nn.GroupNorm(3, 6, eps=1e-3)), random(2, 6, 5, 7)
    torch.nn.init.normal_(net[0].weight)
    torch.nn.init.normal_(net[0].bias)
    if exporter.endswith("not optimised"):
        model = not_optimised(net, x)
    else:
        model = onnx_of(net, torch.from_numpy(x), dynamo=exporter == "dynamo")
    weights = written(model, target, tmp_path)
    (entry,) = weights.layers()
    agree(first(RUNS[target](last(x), entry, weights)), torch_run(net, x))


@pytest.mark.parametrize("target", RUNS)
@pytest.mark.parametrize("kind", ["layer_norm", "group_norm"])
def test_of_keras(kind: str, target: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    x = random(2, 5, 7, 8)
    layers = {"layer_norm": keras.layers.LayerNormalization, "group_norm": lambda: keras.layers.GroupNormalization(4)}
    net = keras.Sequential([keras.Input(x.shape[1:], batch_size=2), layers[kind]()])
    net.set_weights([random(*array.shape) + i for i, array in enumerate(net.get_weights())])
    signature = [tf.TensorSpec(x.shape, tf.float32)]
    model, _ = tf2onnx.convert.from_function(tf.function(net, input_signature=signature), signature, opset=17)
    weights = written(model, target, tmp_path)
    (entry,) = weights.layers(kind)
    agree(RUNS[target](x, entry, weights), net(x).numpy())


@pytest.mark.parametrize("without", ["", "center", "scale"])
@pytest.mark.parametrize("shape", [(2, 7, 8), (2, 8), (2, 5, 7, 8)])
def test_layer_norm_of_keras(shape: tuple[int, ...], without: str, tmp_path: Path) -> None:
    """In every rank, with or without its offset or its factor; nothing else is in the file."""
    x = random(*shape)
    made = keras.layers.LayerNormalization(epsilon=0.02, **({without: False} if without else {}))
    net = keras.Sequential([keras.Input(shape[1:], batch_size=2), made])
    net.set_weights([random(*array.shape) + i for i, array in enumerate(net.get_weights())])
    weights = written(of_keras(net), "tensorflow", tmp_path)
    (entry,) = weights.layers("layer_norm")
    assert (entry["epsilon"], len(weights.tensors)) == (0.02, len(net.get_weights()))
    options = {without: False} if without else {}
    again = keras.layers.LayerNormalization(entry["axis"], entry["epsilon"], **options)
    agree(tensorflow.filled(again, x, weights.of(entry)).numpy(), net(x).numpy())


@pytest.mark.parametrize("shared", [None, [1, 2]])
def test_prelu_of_keras(shared: Any, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    x = random(2, 7, 6, 3)
    layers = [keras.layers.Conv2D(4, 3), keras.layers.PReLU(shared_axes=shared), keras.layers.Conv2D(2, 3)]
    net = keras.Sequential([keras.Input(x.shape[1:], batch_size=2), *layers])
    net.set_weights([random(*array.shape) for array in net.get_weights()])
    weights = written(of_keras(net), "tensorflow", tmp_path)
    (entry,) = weights.layers("prelu")
    (alpha,) = weights.of(entry).values()
    np.testing.assert_array_equal(alpha, net.get_weights()[2])
    (entry,) = (weights := written(of_keras(net), "pytorch", tmp_path)).layers("prelu")
    (slope,) = weights.of(entry).values()
    np.testing.assert_array_equal(slope, first(alpha[None])[0].squeeze())


@pytest.mark.parametrize("slopes", [1, 8])
def test_prelu_through_unsqueeze(slopes: int, tmp_path: Path) -> None:
    """As an export that is not optimised has it; for PyTorch under its own name."""
    net, x = torch.nn.Sequential(torch.nn.PReLU(slopes)), random(2, 8, 5, 7)
    torch.nn.init.normal_(net[0].weight)
    model = not_optimised(net, x)
    weights = written(model, "pytorch", tmp_path)
    net.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.tensors.items()}, strict=True)
    (entry,) = weights.layers()
    agree(pytorch.layer(x, entry, weights), torch_run(net, x))


def test_a_transposed_convolution_of_keras_with_one_channel(tmp_path: Path) -> None:
    """tf2onnx leaves its bias, (1, 1, 1, 1), in an Add."""
    x = random(2, 7, 6, 3)
    made = keras.layers.Conv2DTranspose(1, 3, 2, "same", bias_initializer="normal")
    net = keras.Sequential([keras.Input(x.shape[1:], batch_size=2), made])
    signature = [tf.TensorSpec(x.shape, tf.float32)]
    model, _ = tf2onnx.convert.from_function(tf.function(net, input_signature=signature), signature, opset=17)
    weights = written(model, "tensorflow", tmp_path)
    (entry,) = weights.layers("conv_transpose")
    agree(tensorflow.layer(x, entry, weights), net(x).numpy())
    for found, own in zip(weights.of(entry).values(), net.get_weights(), strict=True):
        np.testing.assert_array_equal(found, own)


def test_a_weight_norm_that_was_not_folded(tmp_path: Path) -> None:
    conv = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv2d(3, 6, 3))
    x = random(2, 3, 9, 8)
    weights = written(not_optimised(conv, x), "tensorflow", tmp_path)
    (entry,) = weights.layers("conv")
    agree(first(tensorflow.layer(last(x), entry, weights)), torch_run(conv, x))
