"""What people ask when they move a PyTorch model to Flax; models written as one writes them in Flax."""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from rewriter.weights.check import flax
from rewriter.weights.check.record import Weights
from tests.interop.common import agree, first, last, onnx_of, random, torch_run, written


def filled(weights: Weights, **names: str) -> dict[str, Any]:
    """Variables for a module whose submodules are ``names``, given with the kind of layer each one is."""
    layers = {kind: iter(weights.layers(kind)) for kind in set(names.values())}
    collections: dict[str, dict[str, Any]] = {}
    for name, kind in names.items():
        for collection, found in flax.variables(next(layers[kind]), weights).items():
            collections.setdefault(collection, {})[name] = found
    return collections


def randomise(net: torch.nn.Module) -> torch.nn.Module:
    """Statistics and affine parameters that matter."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            for tensor in (module.weight, module.running_var):
                torch.nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                torch.nn.init.normal_(tensor)
    return net


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 7), (3, 5, 7)])
def test_linear(shape: tuple[int, ...], bias: bool, tmp_path: Path) -> None:
    """[N, F] is a Gemm in ONNX, [N, T, F] a MatMul and an Add."""
    net, x = torch.nn.Linear(7, 4, bias), random(*shape)
    weights = written(onnx_of(net, torch.from_numpy(x)), "flax", tmp_path)
    (entry,) = weights.layers("dense")
    assert sorted(entry["parameters"]) == (["bias", "kernel"] if bias else ["kernel"])
    agree(flax.layer(x, entry, weights), torch_run(net, x))


class ConvFlattenDense(nn.Module):
    """No Transpose between the convolution and the flatten."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.relu(nn.Conv(7, (3, 3), 2, [(1, 1), (1, 1)], name="conv")(x))
        return nn.Dense(10, name="fc")(x.reshape(x.shape[0], -1))


@pytest.mark.parametrize("dynamo", [False, True])
def test_conv_flatten_linear_without_transpose(dynamo: bool, tmp_path: Path) -> None:
    between = [torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Identity(), torch.nn.Flatten()]
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 7, 3, 2, 1), *between, torch.nn.Linear(7 * 5 * 4, 10))
    x = random(2, 3, 10, 8)
    weights = written(onnx_of(net, torch.from_numpy(x), dynamo=dynamo), "flax", tmp_path)
    variables = filled(weights, conv="conv", fc="dense")
    agree(ConvFlattenDense().apply(variables, last(x)), torch_run(net, x))


class WithNormBehindFlatten(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.Conv(7, (3,), 1, [(0, 0)], name="conv")(x)
        x = nn.BatchNorm(True, name="bn")(x.reshape(x.shape[0], -1))
        return nn.Dense(10, name="fc")(x)


def test_batch_norm_between_flatten_and_linear(tmp_path: Path) -> None:
    """Its vectors are reordered too."""
    net = randomise(
        torch.nn.Sequential(
            torch.nn.Conv1d(3, 7, 3), torch.nn.Flatten(), torch.nn.BatchNorm1d(42), torch.nn.Linear(42, 10)
        )
    )
    x = random(2, 3, 8)
    weights = written(onnx_of(net, torch.from_numpy(x), fold=False), "flax", tmp_path)
    variables = filled(weights, conv="conv", bn="batch_norm", fc="dense")
    agree(WithNormBehindFlatten().apply(variables, last(x)), torch_run(net, x))


class Decoder(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = nn.relu(nn.Dense(6 * 4 * 5, name="fc")(x)).reshape(x.shape[0], 4, 5, 6)
        return nn.ConvTranspose(3, (4, 4), (2, 2), [(2, 2), (2, 2)], name="up")(x)


@pytest.mark.parametrize("dynamo", [False, True])
def test_linear_before_unflatten(dynamo: bool, tmp_path: Path) -> None:
    """A decoder: the columns of the Dense, and its bias, are reordered."""
    unflatten, x = torch.nn.Unflatten(1, (6, 4, 5)), random(2, 9)
    up = torch.nn.ConvTranspose2d(6, 3, 4, 2, 1)
    net = torch.nn.Sequential(torch.nn.Linear(9, 120), torch.nn.ReLU(), unflatten, up)
    weights = written(onnx_of(net, torch.from_numpy(x), dynamo=dynamo), "flax", tmp_path)
    agree(first(Decoder().apply(filled(weights, fc="dense", up="conv_transpose"), x)), torch_run(net, x))


@pytest.mark.parametrize(
    ("dims", "net"), [(1, torch.nn.BatchNorm1d), (2, torch.nn.BatchNorm2d), (3, torch.nn.BatchNorm3d)]
)
def test_batch_norm(dims: int, net: type[torch.nn.Module], tmp_path: Path) -> None:
    made, x = randomise(net(5, eps=1e-3, momentum=0.03)), random(2, 5, *(4, 3, 6)[:dims])
    weights = written(onnx_of(made, torch.from_numpy(x), fold=False), "flax", tmp_path)
    (entry,) = weights.layers("batch_norm")
    assert entry["epsilon"] == 1e-3
    assert entry["momentum"] == 0.97  # Flax's weighs the old statistics
    agree(first(flax.layer(last(x), entry, weights)), torch_run(made, x))


def test_batch_norm_in_training(tmp_path: Path) -> None:
    """The momentum: one step of training moves the running mean alike."""
    made, x = randomise(torch.nn.BatchNorm2d(5, momentum=0.2)), random(2, 5, 4, 3)
    weights = written(onnx_of(made, torch.from_numpy(x), fold=False), "flax", tmp_path)
    (entry,) = weights.layers("batch_norm")
    bn = nn.BatchNorm(False, momentum=entry["momentum"], epsilon=entry["epsilon"])
    _, moved = bn.apply(flax.variables(entry, weights), last(x), mutable=["batch_stats"])
    made.train()(torch.from_numpy(x))
    agree(moved["batch_stats"]["mean"], made.running_mean.numpy())


@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 1, 1), (3, 2, 1), (4, 3, 2)])
def test_average_pool(kernel: int, stride: int, padding: int, count_include_pad: bool, tmp_path: Path) -> None:
    net = torch.nn.AvgPool2d(kernel, stride, padding, count_include_pad=count_include_pad)
    x = random(2, 5, 9, 8)
    weights = written(onnx_of(net, torch.from_numpy(x)), "flax", tmp_path)
    (entry,) = weights.layers()
    agree(first(flax.layer(last(x), entry, weights)), torch_run(net, x))


@pytest.mark.parametrize("transpose_kernel", [False, True])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_conv_transpose_2d(stride: int, padding: int, transpose_kernel: bool, tmp_path: Path) -> None:
    net, x = torch.nn.ConvTranspose2d(3, 5, (4, 3), stride, padding), random(2, 3, 7, 6)
    weights = written(onnx_of(net, torch.from_numpy(x)), "flax", tmp_path, transpose_kernel=transpose_kernel)
    (entry,) = weights.layers()
    up = nn.ConvTranspose(
        5, (4, 3), (stride, stride), [tuple(p) for p in entry["padding"]], transpose_kernel=transpose_kernel
    )
    agree(first(up.apply({"params": weights.of(entry)}, jnp.asarray(last(x)))), torch_run(net, x))


def test_the_wrong_order_is_caught() -> None:
    """The comparison itself: rows in C·H·W order do not pass."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(7 * 5 * 4, 10))
    x = random(2, 7, 5, 4)
    wrong = np.reshape(last(x), (2, -1)) @ net[1].weight.detach().numpy().T + net[1].bias.detach().numpy()
    with pytest.raises(AssertionError):
        agree(wrong, torch_run(net, x))
