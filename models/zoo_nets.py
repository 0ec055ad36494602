"""Architectures with a layout problem of their own, in a few lines of PyTorch each.

Channel shuffles, detection heads, attention over H x W, sequences read off a map, flattened maps with more than a
linear layer behind them. Every net maps [N, 3, H, W] to one float tensor.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_blocks import Residual, SqueezeExcite, classifier, conv_bn, randomise
from zoo_detectors import SSD, YOLO

__all__ = [
    "CRNN",
    "ESPCN",
    "SSD",
    "YOLO",
    "DiffusionUNet",
    "FlattenNorm",
    "Heads",
    "Mixer",
    "randomise",
    "se_resnet",
    "shufflenet_v1",
    "shufflenet_v2",
]


# ------------------------------------------------------------------------------------------- channel shuffles


def shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleaves the channels of the groups."""
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


class ShuffleV2(nn.Module):
    """Unit of ShuffleNetV2: two branches, concatenated, and their channels interleaved."""

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        half = cout // 2
        side = cin if stride > 1 else cin // 2
        near = [conv_bn(side, side, 3, stride, groups=side, act=None), conv_bn(side, half, 1)]
        self.near = nn.Sequential(*near) if stride > 1 else None
        far = conv_bn(half, half, 3, stride, groups=half, act=None)
        self.far = nn.Sequential(conv_bn(side, half, 1), far, conv_bn(half, half, 1))

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=1) if self.near is None else (self.near(x), x)
        return shuffle(torch.cat([a, self.far(b)], dim=1), 2)


def shufflenet_v2(widths: tuple[int, ...] = (116, 232, 464), depths: tuple[int, ...] = (4, 8, 4)) -> nn.Sequential:
    """ShuffleNetV2 (Ma et al., arXiv:1807.11164), by default 1x: [N, 3, H, W] -> [N, 1000]."""
    layers: list[nn.Module] = [conv_bn(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1)]
    cin = 24
    for width, depth in zip(widths, depths, strict=True):
        layers += [ShuffleV2(cin if i == 0 else width, width, 2 if i == 0 else 1) for i in range(depth)]
        cin = width
    return nn.Sequential(*layers, conv_bn(cin, 1024, 1), classifier(1024, 1000))


class ShuffleV1(nn.Module):
    """Unit of ShuffleNet: grouped 1x1, shuffle, depthwise, grouped 1x1; added, or concatenated where it strides."""

    def __init__(self, cin: int, cout: int, stride: int, groups: int) -> None:
        super().__init__()
        width, self.groups = cout // 4, groups
        self.shrink = conv_bn(cin, width, 1, groups=groups if cin > 24 else 1)
        grown = cout - cin if stride > 1 else cout
        depthwise = conv_bn(width, width, 3, stride, groups=width, act=None)
        self.grow = nn.Sequential(depthwise, conv_bn(width, grown, 1, groups=groups, act=None))
        self.pool = nn.AvgPool2d(3, 2, 1) if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.grow(shuffle(self.shrink(x), self.groups))
        return functional.relu(x + y if self.pool is None else torch.cat([self.pool(x), y], dim=1))


def shufflenet_v1(groups: int = 3, widths: tuple[int, ...] = (240, 480, 960)) -> nn.Sequential:
    """ShuffleNet (Zhang et al., arXiv:1707.01083), by default 1x, g = 3: [N, 3, H, W] -> [N, 1000]."""
    layers: list[nn.Module] = [conv_bn(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1)]
    cin = 24
    for width, depth in zip(widths, (4, 8, 4), strict=True):
        layers += [ShuffleV1(cin if i == 0 else width, width, 2 if i == 0 else 1, groups) for i in range(depth)]
        cin = width
    return nn.Sequential(*layers, classifier(cin, 1000))


# ------------------------------------------------------------------------ sequences, attention, images, vectors


class CRNN(nn.Module):
    """Text recognition (Shi et al., arXiv:1507.05717): [N, 3, 32, W] -> [W/4 + 1, N, classes]."""

    def __init__(self, classes: int = 37, hidden: int = 256) -> None:
        super().__init__()
        tall = nn.MaxPool2d((2, 2), (2, 1), (0, 1))
        self.body = nn.Sequential(
            *(conv_bn(3, 64), nn.MaxPool2d(2), conv_bn(64, 128), nn.MaxPool2d(2)),
            *(conv_bn(128, 256), conv_bn(256, 256), tall, conv_bn(256, 512), tall),
            *(nn.Conv2d(512, 512, (2, 2)), nn.ReLU()),
        )
        self.lstm = nn.LSTM(512, hidden, bidirectional=True)
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        features, _ = self.lstm(self.body(x).squeeze(2).permute(2, 0, 1))
        return self.head(features)


class Attention(nn.Module):
    """Self-attention over H x W with query, key and value by 1x1 convolutions (SAGAN, arXiv:1805.08318)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.q, self.k, self.v = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        y = self.norm(x)
        q = self.q(y).view(n, c, h * w).permute(0, 2, 1)
        k, v = self.k(y).view(n, c, h * w), self.v(y).view(n, c, h * w)
        weight = (q @ k * c**-0.5).softmax(-1)
        return x + self.out((v @ weight.permute(0, 2, 1)).view(n, c, h, w))


class DiffusionUNet(nn.Module):
    """The denoiser of DDPM (Ho et al., arXiv:2006.11239), without its time: [N, 3, H, W] -> [N, 3, H, W]."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        a, b, c = width, 2 * width, 4 * width
        self.stem = nn.Conv2d(3, a, 3, padding=1)
        self.down = nn.ModuleList([self._step(a, a), self._step(b, b), self._step(c, c)])
        self.shrink = nn.ModuleList([nn.Conv2d(a, b, 3, 2, 1), nn.Conv2d(b, c, 3, 2, 1)])
        self.middle = nn.Sequential(Attention(c), self._step(c, c))
        self.grow = nn.ModuleList([nn.Conv2d(c, b, 3, padding=1), nn.Conv2d(b, a, 3, padding=1)])
        self.up = nn.ModuleList([nn.Sequential(self._step(2 * b, b), Attention(b)), self._step(2 * a, a)])
        self.head = nn.Sequential(nn.GroupNorm(8, a), nn.SiLU(), nn.Conv2d(a, 3, 3, padding=1))

    @staticmethod
    def _step(cin: int, cout: int) -> Residual:
        first = (nn.GroupNorm(8, cin), nn.SiLU(), nn.Conv2d(cin, cout, 3, padding=1))
        second = (nn.GroupNorm(8, cout), nn.SiLU(), nn.Conv2d(cout, cout, 3, padding=1))
        return Residual(nn.Sequential(*first, *second), nn.Conv2d(cin, cout, 1) if cin != cout else None)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down[0](self.stem(x))
        coarse = self.down[1](self.shrink[0](fine))
        x = self.middle(self.down[2](self.shrink[1](coarse)))
        for grow, up, skip in zip(self.grow, self.up, (coarse, fine), strict=True):
            x = up(torch.cat([skip, grow(functional.interpolate(x, scale_factor=2.0))], 1))
        return self.head(x)


class ESPCN(nn.Sequential):
    """Sub-pixel super-resolution (Shi et al., arXiv:1609.05158): [N, 3, H, W] -> [N, 3, rH, rW]."""

    def __init__(self, r: int = 3) -> None:
        first = (nn.Conv2d(3, 64, 5, padding=2), nn.Tanh(), nn.Conv2d(64, 32, 3, padding=1), nn.Tanh())
        super().__init__(*first, nn.Conv2d(32, 3 * r * r, 3, padding=1), nn.PixelShuffle(r), nn.Sigmoid())


def se_resnet(depths: tuple[int, ...] = (2, 2, 2, 2), width: int = 64) -> nn.Sequential:
    """SE-ResNet (Hu et al., arXiv:1709.01507), by default of 18 layers: [N, 3, H, W] -> [N, 1000]."""
    layers: list[nn.Module] = [conv_bn(3, width, 7, 2), nn.MaxPool2d(3, 2, 1)]
    cin = width
    for stage, depth in enumerate(depths):
        cout = width << stage
        for stride in [2 if stage else 1] + [1] * (depth - 1):
            gate = SqueezeExcite(cout, cout // 16, nn.ReLU, nn.Sigmoid)
            body = nn.Sequential(conv_bn(cin, cout, 3, stride), conv_bn(cout, cout, act=None), gate)
            short = conv_bn(cin, cout, 1, stride, act=None) if stride > 1 or cin != cout else None
            layers.append(Residual(body, short, nn.ReLU()))
            cin = cout
    return nn.Sequential(*layers, classifier(cin, 1000))


def features(width: int) -> nn.Sequential:
    """[N, 3, H, W] -> [N, 2 * width, H/16, W/16]: a plain stack of strided convolutions."""
    widths = ((3, width // 2), (width // 2, width), (width, 2 * width), (2 * width, 2 * width))
    return nn.Sequential(*(conv_bn(a, b, 3, 2) for a, b in widths))


class Heads(nn.Module):
    """Three heads on one flattened map, as age, pose and identity nets have: [N, 3, 112, 112] -> [N, 139]."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.body = features(width)
        self.heads = nn.ModuleList(nn.Linear(2 * width * 49, k) for k in (128, 8, 3))

    def forward(self, x: Tensor) -> Tensor:
        flat = torch.flatten(self.body(x), 1)
        return torch.cat([head(flat) for head in self.heads], 1)


class FlattenNorm(nn.Sequential):
    """Embedding net whose flattened map is normalised before its linear layer: [N, 3, 112, 112] -> [N, 128]."""

    def __init__(self, width: int = 64) -> None:
        flat = 2 * width * 49
        super().__init__(features(width), nn.Flatten(), nn.LayerNorm(flat), nn.Linear(flat, 256), nn.GELU())
        self.append(nn.Linear(256, 128))


class MixerBlock(nn.Module):
    """One mixing of tokens and one of channels: [N, tokens, channels], unchanged."""

    def __init__(self, tokens: int, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.tokens = nn.Sequential(nn.Linear(tokens, 2 * tokens), nn.GELU(), nn.Linear(2 * tokens, tokens))
        self.channels = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Mixer(nn.Module):
    """MLP-Mixer (Tolstikhin et al., arXiv:2105.01601), narrow: [N, 3, 224, 224] -> [N, 1000]."""

    def __init__(self, channels: int = 256, depth: int = 6) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, channels, 16, 16)
        self.blocks = nn.Sequential(*(MixerBlock(196, channels) for _ in range(depth)), nn.LayerNorm(channels))
        self.head = nn.Linear(channels, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.patches(x).flatten(2).transpose(1, 2)).mean(1))
