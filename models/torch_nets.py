"""Well-known convolutional architectures in a few lines of PyTorch each.

Every net maps one float tensor to one float tensor. Images are [N, 3, H, W], sequences [N, C, T] and volumes
[N, C, D, H, W]. The defaults give the published, full-size nets; `catalog.py` passes arguments for tiny ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_blocks import Residual, classifier, conv_bn, randomise
from torch_mobile import TINY, V3_TINY, efficientnet, mobilenet_v2, mobilenet_v3

__all__ = [
    "TINY",
    "V3_TINY",
    "Conv3dNet",
    "FlattenNet",
    "SuperRes",
    "UNet",
    "Vocoder",
    "basic_block",
    "bottleneck",
    "densenet",
    "efficientnet",
    "mobilenet_v2",
    "mobilenet_v3",
    "randomise",
    "resnet",
]


def basic_block(cin: int, width: int, stride: int) -> Residual:
    """[N, cin, H, W] -> [N, width, H/stride, W/stride] by two 3x3 convolutions."""
    body = nn.Sequential(conv_bn(cin, width, 3, stride), conv_bn(width, width, 3, act=None))
    shortcut = conv_bn(cin, width, 1, stride, act=None) if stride > 1 or cin != width else None
    return Residual(body, shortcut, nn.ReLU())


def bottleneck(cin: int, width: int, stride: int) -> Residual:
    """[N, cin, H, W] -> [N, 4*width, H/stride, W/stride] by 1x1, 3x3 and 1x1 convolutions."""
    cout = 4 * width
    body = nn.Sequential(conv_bn(cin, width, 1), conv_bn(width, width, 3, stride), conv_bn(width, cout, 1, act=None))
    shortcut = conv_bn(cin, cout, 1, stride, act=None) if stride > 1 or cin != cout else None
    return Residual(body, shortcut, nn.ReLU())


def resnet(
    block: Callable[[int, int, int], Residual] = bottleneck,
    depths: Sequence[int] = (3, 4, 6, 3),
    width: int = 64,
    classes: int = 1000,
) -> nn.Sequential:
    """ResNet (He et al., arXiv:1512.03385), by default ResNet-50: [N, 3, H, W] -> [N, classes]."""
    expansion = 4 if block is bottleneck else 1
    layers: list[nn.Module] = [conv_bn(3, width, 7, 2), nn.MaxPool2d(3, 2, 1)]
    cin = width
    for stage, depth in enumerate(depths):
        for i in range(depth):
            layers.append(block(cin, width << stage, 2 if stage and i == 0 else 1))
            cin = expansion * width << stage
    return nn.Sequential(*layers, classifier(cin, classes))


def bn_conv(cin: int, cout: int, kernel: int) -> nn.Sequential:
    """Batch normalisation, ReLU and a convolution that keeps H and W."""
    conv = nn.Conv2d(cin, cout, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.BatchNorm2d(cin), nn.ReLU(), conv)


class DenseLayer(nn.Module):
    """[N, C, H, W] -> [N, C + growth, H, W]: the input, concatenated with new features."""

    def __init__(self, cin: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(bn_conv(cin, 4 * growth, 1), bn_conv(4 * growth, growth, 3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.body(x)], dim=1)


def densenet(growth: int = 32, depths: Sequence[int] = (6, 12, 24, 16), classes: int = 1000) -> nn.Sequential:
    """DenseNet (Huang et al., arXiv:1608.06993), by default DenseNet-121: [N, 3, H, W] -> [N, classes]."""
    cin = 2 * growth
    layers: list[nn.Module] = [conv_bn(3, cin, 7, 2), nn.MaxPool2d(3, 2, 1)]
    for i, depth in enumerate(depths):
        if i:
            layers += [bn_conv(cin, cin // 2, 1), nn.AvgPool2d(2)]
            cin //= 2
        for _ in range(depth):
            layers.append(DenseLayer(cin, growth))
            cin += growth
    return nn.Sequential(*layers, nn.BatchNorm2d(cin), nn.ReLU(), classifier(cin, classes))


class UNet(nn.Module):
    """U-Net (Ronneberger et al., arXiv:1505.04597): [N, 3, H, W] -> [N, classes, H, W].

    H and W are multiples of 2 ** (len(widths) - 1).
    """

    def __init__(self, widths: Sequence[int] = (64, 128, 256, 512, 1024), classes: int = 2) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.stem = self._double(3, widths[0])
        self.down = nn.ModuleList(self._double(a, b) for a, b in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in reversed(pairs))
        self.merge = nn.ModuleList(self._double(2 * a, a) for a, _ in reversed(pairs))
        self.head = nn.Conv2d(widths[0], classes, 1)

    @staticmethod
    def _double(cin: int, cout: int) -> nn.Sequential:
        return nn.Sequential(conv_bn(cin, cout), conv_bn(cout, cout))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(functional.max_pool2d(x, 2))
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([skips.pop(), up(x)], dim=1))
        return self.head(x)


class SuperRes(nn.Module):
    """Sub-pixel super-resolution (Shi et al., arXiv:1609.05158) on a bilinear skip.

    [N, 3, H, W] -> [N, 3, r*H, r*W]
    """

    def __init__(self, width: int = 64, r: int = 2) -> None:
        super().__init__()
        self.r = r
        self.features = nn.Sequential(
            nn.Conv2d(3, width, 5, padding=2),
            nn.PReLU(width),
            nn.Conv2d(width, width // 2, 3, padding=1),
            nn.PReLU(),
            nn.Conv2d(width // 2, 3 * r * r, 3, padding=1),
            nn.PixelShuffle(r),
        )

    def forward(self, x: Tensor) -> Tensor:
        skip = functional.interpolate(x, scale_factor=float(self.r), mode="bilinear", align_corners=False)
        return skip + self.features(x)


# ------------------------------------------------------------- flattened maps, sequences and volumes


class FlattenNet(nn.Module):
    """The net of Flax's guide "Convert PyTorch models to Flax": [N, 3, H, W] -> [N, classes].

    Nothing pools the map to 1x1 before it is flattened, so the rows of the first linear layer's weight follow
    the order of C, H and W. H and W are multiples of 4.
    """

    def __init__(self, widths: tuple[int, int] = (13, 7), size: tuple[int, int] = (28, 20), classes: int = 10) -> None:
        super().__init__()
        a, b = widths
        self.conv1, self.bn = nn.Conv2d(3, a, 3, 2, 1), nn.BatchNorm2d(a)
        self.conv2 = nn.Conv2d(a, b, 3, 2, 1)
        self.fc1, self.bn1 = nn.Linear(b * size[0] // 4 * size[1] // 4, 50), nn.BatchNorm1d(50)
        self.fc2 = nn.Linear(50, classes)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn(self.conv1(x)))
        x = functional.relu(self.conv2(x))
        x = x.reshape(x.shape[0], -1)
        x = functional.relu(self.bn1(self.fc1(x)))
        return self.fc2(self.drop(x))


class Vocoder(nn.Sequential):
    """Spectrogram to sound, after HiFi-GAN (Kong et al., arXiv:2010.05646).

    [N, mel, T] -> [N, 1, T * prod(rates)]
    """

    def __init__(self, mel: int = 80, width: int = 512, rates: Sequence[int] = (8, 8, 2, 2)) -> None:
        layers: list[nn.Module] = [nn.Conv1d(mel, width, 7, padding=3)]
        for r in rates:
            half = width // 2
            up = nn.ConvTranspose1d(width, half, 2 * r, r, padding=r // 2 + r % 2, output_padding=r % 2)
            layers += [nn.LeakyReLU(0.1), up, *(self._dilated(half, d) for d in (1, 3, 5))]
            width = half
        layers += [nn.LeakyReLU(0.1), nn.Conv1d(width, 1, 7, padding=3), nn.Tanh()]
        super().__init__(*layers)

    @staticmethod
    def _dilated(width: int, dilation: int) -> Residual:
        wide = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        near = nn.Conv1d(width, width, 3, padding=1)
        return Residual(nn.Sequential(nn.LeakyReLU(0.1), wide, nn.LeakyReLU(0.1), near))


class Conv3dNet(nn.Sequential):
    """A small net on volumes, after C3D (Tran et al., arXiv:1412.0767): [N, 1, D, H, W] -> [N, classes]."""

    def __init__(self, width: int = 5, classes: int = 11) -> None:
        a, b, c = width, 2 * width, 2 * width + 1
        super().__init__(
            nn.Conv3d(1, a, 3, padding=1),
            nn.BatchNorm3d(a),
            nn.ReLU(),
            nn.MaxPool3d((1, 2, 2)),
            nn.Conv3d(a, b, 3, stride=(1, 2, 2), padding=1),
            nn.BatchNorm3d(b),
            nn.ReLU(),
            nn.ConvTranspose3d(b, c, (2, 3, 3), 2, padding=(0, 1, 1), output_padding=(0, 1, 1)),
            nn.ReLU(),
            nn.AdaptiveAvgPool3d(1),
            nn.Flatten(),
            nn.Linear(c, classes),
        )
