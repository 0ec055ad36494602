"""What the PyTorch nets share: small building blocks, and weights that make mistakes visible."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Activation = Callable[[], nn.Module]


def conv_bn(
    cin: int, cout: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: Activation | None = nn.ReLU
) -> nn.Sequential:
    """Convolution that keeps H and W (over `stride`), batch normalisation and, unless None, an activation."""
    conv = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(cout), *([act()] if act else []))


def classifier(cin: int, classes: int) -> nn.Sequential:
    """[N, cin, H, W] -> [N, classes]: global average pool, then a linear layer."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(cin, classes))


class Residual(nn.Module):
    """x + body(x), or shortcut(x) + body(x), and then an activation."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None, act: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut or nn.Identity()
        self.act = act or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.shortcut(x) + self.body(x))


class SqueezeExcite(nn.Module):
    """x * gate(x), the gate being [N, C, 1, 1] (Hu et al., arXiv:1709.01507)."""

    def __init__(self, channels: int, squeezed: int, act: Activation, gate: Activation) -> None:
        super().__init__()
        down, up = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), down, act(), up, gate())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


def randomise(net: nn.Module, *inputs: Tensor, seed: int = 0) -> nn.Module:
    """Random weights (He et al., arXiv:1502.01852) and batch statistics as if trained on `inputs`.

    Each batch normalisation gets affine parameters other than 1 and 0, and the mean and variance of what
    reaches it, put off at random (by a tenth of the deviation, by half of the variance), so that forgetting
    any of them shows. The net comes back in evaluation mode.
    """
    rng = np.random.default_rng(seed)

    def normal(like: Tensor, std: float = 0.1) -> Tensor:
        return torch.from_numpy(rng.normal(0, std, like.shape)).float()

    def uniform(like: Tensor, low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, like.shape)).float()

    def measure(bn: Any, read: tuple[Tensor]) -> None:
        var, mean = torch.var_mean(read[0], [0, *range(2, read[0].dim())])
        var += 0.01 * var.mean()  # lest a channel that hardly varies be blown up
        bn.running_mean.copy_(mean + normal(mean) * var.sqrt())
        bn.running_var.copy_(var * uniform(var, 0.5, 1.5))

    hooks = []
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, nn.modules.batchnorm._BatchNorm):
                m.weight.copy_(uniform(m.weight, 0.7, 1.3))
                m.bias.copy_(normal(m.bias))
                hooks.append(m.register_forward_pre_hook(measure))
            elif isinstance(m, nn.PReLU):
                m.weight.copy_(uniform(m.weight, 0.1, 0.4))
            elif isinstance(m, nn.Linear | nn.modules.conv._ConvNd):
                m.weight.copy_(normal(m.weight, math.sqrt(2 / _fan_in(m))))
                if m.bias is not None:
                    m.bias.copy_(normal(m.bias))
            elif isinstance(m, nn.LayerNorm | nn.GroupNorm):
                m.weight.copy_(uniform(m.weight, 0.7, 1.3))
                m.bias.copy_(normal(m.bias))
            elif not isinstance(m, nn.Embedding | nn.RNNBase):
                for own in m.parameters(recurse=False):  # layer scales, positions, tokens: often 0 or 1 when made
                    own.copy_(normal(own, 0.3))
        net.eval()(*inputs)
    for hook in hooks:
        hook.remove()
    return net


def _fan_in(layer: nn.Linear | nn.modules.conv._ConvNd) -> float:
    """How many inputs one output of the layer sees."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    taps = layer.in_channels // layer.groups * math.prod(layer.kernel_size)
    return taps / math.prod(layer.stride) if layer.transposed else taps
