"""Small nets from image to image in PyTorch: restoration, generation, segmentation, flow; and unbatched images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_blocks import Residual, classifier, conv_bn, randomise
from torch_nets import UNet
from zoo_nets import ShuffleV2

__all__ = [
    "DCGAN",
    "RRDB",
    "ChannelShuffle",
    "Denoiser",
    "ESPCNGray",
    "Flow",
    "GroupNormed",
    "HalfInside",
    "MnistRank3",
    "Segment",
    "StyleGAN",
    "Unbatched",
    "randomise",
    "small_cnn",
    "small_half",
    "unet",
    "volumes",
]


def small_cnn(cin: int = 3, classes: int = 5) -> nn.Sequential:
    """[N, cin, H, W] -> [N, classes]."""
    return nn.Sequential(conv_bn(cin, 7, 3, 2), Residual(conv_bn(7, 7)), conv_bn(7, 11, 3, 2), classifier(11, classes))


def small_half() -> nn.Sequential:
    """[N, 3, H, W] -> [N, 5, H, W], all in float16."""
    return nn.Sequential(nn.Conv2d(3, 7, 3, padding=1), nn.ReLU(), nn.Conv2d(7, 5, 3, padding=1)).half()


def unet() -> UNet:
    """A U-Net of two levels: [N, 3, H, W] -> [N, 2, H, W]."""
    return UNet((5, 7))


class DenseBlock(nn.Module):
    """x + 0.2 of three convolutions, each of which sees all that came before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.grow = nn.ModuleList(nn.Conv2d(width + i * growth, growth, 3, padding=1) for i in range(2))
        self.back = nn.Conv2d(width + 2 * growth, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for conv in self.grow:
            seen = torch.cat([seen, functional.leaky_relu(conv(seen), 0.2)], 1)
        return x + 0.2 * self.back(seen)


class RRDB(nn.Module):
    """Real-ESRGAN's generator (arXiv:2107.10833), x2: pixel_unshuffle first. [N, 3, H, W] -> [N, 3, 2H, 2W]"""

    def __init__(self, width: int = 7) -> None:
        super().__init__()
        self.first, self.body = nn.Conv2d(12, width, 3, padding=1), DenseBlock(width, 5)
        self.ups = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(self.first(functional.pixel_unshuffle(x, 2)))
        for up in self.ups:
            x = functional.leaky_relu(up(functional.interpolate(x, scale_factor=2.0)), 0.2)
        return self.last(x)


class ESPCNGray(nn.Sequential):
    """Luminance super-resolution (Shi et al., arXiv:1609.05158): [N, 1, H, W] -> [N, 1, 3H, 3W]."""

    def __init__(self) -> None:
        convs = nn.Conv2d(1, 11, 5, padding=2), nn.Tanh(), nn.Conv2d(11, 9, 3, padding=1)
        super().__init__(*convs, nn.PixelShuffle(3))


class Denoiser(nn.Module):
    """DnCNN (Zhang et al., arXiv:1608.03981): the noise is subtracted. [N, C, H, W], unchanged."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn(channels, 7), conv_bn(7, 7), nn.Conv2d(7, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x - self.body(x)


class DCGAN(nn.Sequential):
    """A generator (Radford et al., arXiv:1511.06434) from noise [N, 9, 1, 1] to [N, 3, 20, 24]."""

    def __init__(self) -> None:
        def up(cin: int, cout: int, kernel: tuple[int, int] | int, stride: int, padding: int) -> nn.Sequential:
            conv = nn.ConvTranspose2d(cin, cout, kernel, stride, padding, bias=False)
            return nn.Sequential(conv, nn.BatchNorm2d(cout), nn.ReLU())

        last = nn.ConvTranspose2d(6, 3, 4, 2, 1)
        super().__init__(up(9, 11, (5, 6), 1, 0), up(11, 6, 4, 2, 1), last, nn.Tanh())


class ModulatedConv(nn.Module):
    """StyleGAN2's convolution (arXiv:1912.04958), its kernel scaled by a style; images as groups of channels."""

    def __init__(self, cin: int, cout: int, kernel: int, style: int, demodulate: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, cout, cin, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(1, cout, 1, 1))
        self.style, self.demodulate = nn.Linear(style, cin), demodulate

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        n, cin, h, w = x.shape
        _, cout, _, kernel, _ = self.weight.shape
        weight = self.weight * (self.style(style).view(n, 1, cin, 1, 1) + 1)
        if self.demodulate:
            weight = weight * torch.rsqrt(weight.pow(2).sum([2, 3, 4], keepdim=True) + 1e-8)
        weight = weight.view(n * cout, cin, kernel, kernel)
        y = functional.conv2d(x.view(1, n * cin, h, w), weight, padding=kernel // 2, groups=n)
        return y.view(n, cout, h, w) + self.bias


class StyleGAN(nn.Module):
    """The synthesis of StyleGAN2 from a learnt constant: styles [1, 9] -> [1, 3, 20, 24]."""

    def __init__(self, style: int = 9) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(1, 11, 10, 12))
        self.mapping = nn.Sequential(nn.Linear(style, style), nn.LeakyReLU(0.2))
        self.convs = nn.ModuleList(ModulatedConv(a, b, 3, style, True) for a, b in ((11, 11), (11, 7)))
        self.rgb = nn.ModuleList(ModulatedConv(c, 3, 1, style, False) for c in (11, 7))

    def forward(self, z: Tensor) -> Tensor:
        style = self.mapping(z)
        x = functional.leaky_relu(self.convs[0](self.start, style), 0.2)
        image = self.rgb[0](x, style)
        x = functional.interpolate(x, scale_factor=2.0, mode="bilinear")
        x = functional.leaky_relu(self.convs[1](x, style), 0.2)
        return self.rgb[1](x, style) + functional.interpolate(image, scale_factor=2.0, mode="bilinear")


class Flow(nn.Module):
    """Optical flow with the convex upsampling of RAFT (arXiv:2003.12039): two [N, 3, H, W] -> [N, 2, H, W]."""

    def __init__(self, width: int = 7, r: int = 2) -> None:
        super().__init__()
        self.r = r
        self.features = nn.Sequential(conv_bn(3, width, 3, 2), nn.Conv2d(width, width, 3, padding=1))
        self.hidden = nn.Sequential(nn.Conv2d(2 * width, 11, 3, padding=1), nn.ReLU())
        self.flow, self.mask = nn.Conv2d(11, 2, 3, padding=1), nn.Conv2d(11, 9 * r * r, 1)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        hidden = self.hidden(torch.cat([self.features(first), self.features(second)], 1))
        flow, r = self.flow(hidden), self.r
        n, _, h, w = flow.shape
        mask = self.mask(hidden).view(n, 1, 9, r, r, h, w).softmax(2)
        near = functional.unfold(r * flow, [3, 3], padding=1).view(n, 2, 9, 1, 1, h, w)
        return (mask * near).sum(2).permute(0, 1, 4, 2, 5, 3).reshape(n, 2, r * h, r * w)


class Segment(nn.Module):
    """Segmentation: [N, 3, H, W] -> scores [N, classes, H, W] and labels [N, H, W]."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 7, 3, 2), conv_bn(7, 11, 3), nn.Conv2d(11, classes, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scores = functional.interpolate(self.body(x), scale_factor=2.0, mode="bilinear")
        return scores, scores.argmax(1)


class GroupNormed(nn.Sequential):
    """A convolution and GroupNorm before the output: [N, 3, H, W] -> [N, 6, H, W]."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 6, 3, padding=1), nn.GroupNorm(3, 6))


class ChannelShuffle(nn.Sequential):
    """Units of ShuffleNetV2, a channel shuffle before the output: [N, 3, H, W] -> [N, 12, H/2, W/2]."""

    def __init__(self) -> None:
        super().__init__(conv_bn(3, 8), ShuffleV2(8, 12, 2), ShuffleV2(12, 12, 1))


class MnistRank3(nn.Module):
    """Images without an axis of channels: [N, 28, 20] -> [N, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = small_cnn(1, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x.unsqueeze(1))


class Unbatched(nn.Module):
    """An image without a batch: [3, H, W] -> [3, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 7), nn.Conv2d(7, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        mean = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
        return self.body(((x - mean) / 0.7).unsqueeze(0)).squeeze(0).sigmoid()


class HalfInside(nn.Module):
    """float32 outside, float16 inside: [N, 3, H, W] -> [N, 5, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 7, 3, padding=1), nn.ReLU(), nn.Conv2d(7, 5, 3, padding=1)).half()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x.half()).float()


def volumes() -> nn.Sequential:
    """Segmentation of volumes: [N, 1, D, H, W] -> [N, 2, D, H, W]."""
    down = nn.Conv3d(1, 4, 3, (1, 2, 2), 1), nn.BatchNorm3d(4), nn.ReLU()
    up = nn.ConvTranspose3d(4, 5, (1, 2, 2), (1, 2, 2)), nn.ReLU()
    return nn.Sequential(*down, *up, nn.Conv3d(5, 2, 1))
