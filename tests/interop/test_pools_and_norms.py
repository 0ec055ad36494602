"""Pools and normalisations in TensorFlow and Keras."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import torch

from rewriter.weights.check import flax, tensorflow
from tests.interop import in_torch
from tests.interop.common import agree, first, last, onnx_of, ort_run, random, torch_run, written
from tests.interop.test_flax import randomise

AVERAGES = {1: torch.nn.AvgPool1d, 2: torch.nn.AvgPool2d, 3: torch.nn.AvgPool3d}
MAXIMA = {1: torch.nn.MaxPool1d, 2: torch.nn.MaxPool2d, 3: torch.nn.MaxPool3d}
NORMS = {1: torch.nn.BatchNorm1d, 2: torch.nn.BatchNorm2d, 3: torch.nn.BatchNorm3d}
SIZES = (9, 8, 7)
WINDOWS = [(2, 2, 0), (3, 1, 1), (3, 2, 1), (4, 3, 2)]


RUNS = {"tensorflow": tensorflow.layer, "flax": flax.layer, "pytorch": in_torch.layer}


@pytest.mark.parametrize("target", RUNS)
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding"), WINDOWS)
@pytest.mark.parametrize("dims", AVERAGES)
def test_average_pool(
    dims: int,
    kernel: int,
    stride: int,
    padding: int,
    count_include_pad: bool,
    ceil_mode: bool,
    target: str,
    tmp_path: Path,
) -> None:
    net = AVERAGES[dims](kernel, stride, padding, ceil_mode, count_include_pad)
    x = random(2, 5, *SIZES[:dims])
    model = onnx_of(net, torch.from_numpy(x))
    weights = written(model, target, tmp_path)
    entry = weights.layers()[-1]
    if "note" in entry:
        assert ceil_mode
        assert count_include_pad
        return
    data = in_onnx(model, x)
    agree(first(np.asarray(RUNS[target](last(data), entry, weights))), torch_run(net, x))


def in_onnx(model: onnx.ModelProto, x: Any) -> Any:
    """What the pool reads: PyTorch's older exporter pads before an average that counts padding."""
    (pool,) = (node for node in model.graph.node if node.op_type in ("AveragePool", "MaxPool"))
    if pool.input[0] == model.graph.input[0].name:
        return x
    inner = onnx.ModelProto()
    inner.CopyFrom(model)
    del inner.graph.output[:]
    inner.graph.output.append(onnx.helper.make_empty_tensor_value_info(pool.input[0]))
    return ort_run(inner, x)


@pytest.mark.parametrize("target", RUNS)
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding"), WINDOWS)
@pytest.mark.parametrize("dims", MAXIMA)
def test_max_pool(
    dims: int, kernel: int, stride: int, padding: int, ceil_mode: bool, target: str, tmp_path: Path
) -> None:
    net = MAXIMA[dims](kernel, stride, padding, ceil_mode=ceil_mode)
    x = random(2, 5, *SIZES[:dims]) - 5  # all below 0, which padding with 0 would be above
    weights = written(onnx_of(net, torch.from_numpy(x)), target, tmp_path)
    (entry,) = weights.layers()
    agree(first(np.asarray(RUNS[target](last(x), entry, weights))), torch_run(net, x))


@pytest.mark.parametrize("dims", NORMS)
def test_batch_norm_in_keras(dims: int, tmp_path: Path) -> None:
    net, x = randomise(NORMS[dims](5, eps=1e-3)), random(2, 5, *SIZES[:dims])
    weights = written(onnx_of(net, torch.from_numpy(x), fold=False), "tensorflow", tmp_path)
    (entry,) = weights.layers("batch_norm")
    made = keras.layers.BatchNormalization(epsilon=entry["epsilon"], momentum=entry["momentum"])
    assert list(entry["parameters"]) == [weight.name for weight in built(made, last(x)).weights]
    agree(first(tensorflow.filled(made, last(x), weights.of(entry)).numpy()), torch_run(net, x))


def built(made: keras.layers.Layer, x: Any) -> keras.layers.Layer:
    made.build(x.shape)
    return made


def test_layer_norm_in_keras(tmp_path: Path) -> None:
    net, x = torch.nn.LayerNorm(7), random(2, 5, 7)
    torch.nn.init.normal_(net.weight)
    torch.nn.init.normal_(net.bias)
    weights = written(onnx_of(net, torch.from_numpy(x)), "tensorflow", tmp_path)
    (entry,) = weights.layers("layer_norm")
    made = keras.layers.LayerNormalization(entry["axis"], entry["epsilon"])
    agree(tensorflow.filled(made, x, weights.of(entry)).numpy(), torch_run(net, x))


@pytest.mark.parametrize("slopes", [1, 5])
def test_prelu_in_keras(slopes: int, tmp_path: Path) -> None:
    net, x = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), torch.nn.PReLU(slopes)), random(2, 3, 7, 6)
    torch.nn.init.normal_(net[1].weight)
    weights = written(onnx_of(net, torch.from_numpy(x)), "tensorflow", tmp_path)
    conv, prelu = weights.layers()
    y = tensorflow.layer(last(x), conv, weights)
    alpha = np.broadcast_to(weights.of(prelu)["alpha"], (1, 1, 5))
    made = keras.layers.PReLU(shared_axes=[1, 2])
    agree(first(tensorflow.filled(made, y, {"alpha": alpha}).numpy()), torch_run(net, x))


def test_embedding_in_keras(tmp_path: Path) -> None:
    net, x = torch.nn.Embedding(11, 4), np.asarray([[0, 10, 3]])
    weights = written(onnx_of(net, torch.from_numpy(x)), "tensorflow", tmp_path)
    (entry,) = weights.layers("embedding")
    made = keras.layers.Embedding(11, 4)
    agree(tensorflow.filled(made, x, weights.of(entry)).numpy(), torch_run(net, x))
