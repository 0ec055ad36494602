"""Small nets near the border of what is an image, in PyTorch: caches, points, skeletons, features, lone frames."""

from __future__ import annotations

import torch
from kinds_detect import Attention
from kinds_sound_video import Block
from torch import Tensor, nn
from torch.nn import functional
from torch_blocks import conv_bn, randomise

__all__ = [
    "CLAP",
    "STGCN",
    "VSR",
    "Cached",
    "Conformer",
    "Diffusion",
    "Disputed",
    "PixelsHWC",
    "PointNet",
    "Stereo",
    "TextCNN",
    "ViT",
    "VideoMAE",
    "randomise",
]


class Conformer(nn.Module):
    """A speech encoder (Gulati et al., arXiv:2005.08100): frames [N, T, mels] -> hidden states [N, T/4, width]."""

    def __init__(self, mels: int = 20, width: int = 10) -> None:
        super().__init__()
        self.shrink = nn.Sequential(nn.Conv2d(1, 5, 3, 2, 1), nn.ReLU(), nn.Conv2d(5, 5, 3, 2, 1), nn.ReLU())
        self.project, self.block = nn.Linear(5 * mels // 4, width), Block(width)
        self.norm, self.last = nn.LayerNorm(width), nn.LayerNorm(width)
        wide, near = nn.Conv1d(width, 2 * width, 1), nn.Conv1d(width, width, 3, padding=1, groups=width)
        self.conv = nn.Sequential(wide, nn.GLU(1), near, nn.BatchNorm1d(width), nn.SiLU(), nn.Conv1d(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.shrink(x.unsqueeze(1)).transpose(1, 2).flatten(2)
        x = self.block(self.project(x))
        return self.last(x + self.conv(self.norm(x).transpose(1, 2)).transpose(1, 2))


class TextCNN(nn.Module):
    """Convolutions along embedded words (Kim, arXiv:1408.5882): [N, T, width] -> [N, 5]."""

    def __init__(self, width: int = 9) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(width, 7, kernel) for kernel in (2, 3))
        self.head = nn.Linear(14, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        return self.head(torch.cat([conv(x).relu().amax(2) for conv in self.convs], 1))


class Cached(nn.Module):
    """A step of a decoder with a cache: word [N, 1, width], keys and values [N, heads, T, d] -> the same, T longer."""

    def __init__(self, width: int = 14, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.q, self.k, self.v, self.out = nn.LayerNorm(width), *(nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        n, t, width = x.shape
        y = self.norm(x)
        q, k, v = (f(y).view(n, t, self.heads, width // self.heads).transpose(1, 2) for f in (self.q, self.k, self.v))
        keys, values = torch.cat([keys, k], 2), torch.cat([values, v], 2)
        seen = (q @ keys.transpose(2, 3) / 7**0.5).softmax(-1) @ values
        return x + self.out(seen.transpose(1, 2).flatten(2)), keys, values


class Diffusion(nn.Module):
    """A denoiser of latents with a prompt (Rombach et al., arXiv:2112.10752).

    Latents [N, 4, H, W], time [N], prompt [N, T, width] -> [N, 4, H, W].
    """

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first, self.time = nn.Conv2d(4, width, 3, padding=1), nn.Linear(1, width)
        self.norm, self.conv = nn.GroupNorm(2, width), nn.Conv2d(width, width, 3, padding=1)
        self.prompt, self.attention = nn.Linear(6, width), Attention(width)
        self.last = nn.Sequential(nn.GroupNorm(2, width), nn.SiLU(), nn.Conv2d(width, 4, 3, padding=1))

    def forward(self, x: Tensor, time: Tensor, prompt: Tensor) -> Tensor:
        x = self.first(x)
        x = x + self.conv(functional.silu(self.norm(x) + self.time(time[:, None])[:, :, None, None]))
        n, c, h, w = x.shape
        seen = self.attention(x.flatten(2).transpose(1, 2), self.prompt(prompt))
        return self.last(x + seen.transpose(1, 2).reshape(n, c, h, w))


class ViT(nn.Module):
    """Features of a ViT: [N, 3, H, W] -> tokens [N, T, width], a map [N, width, H/4, W/4], it flat [N, width, T]."""

    def __init__(self, width: int = 10) -> None:
        super().__init__()
        self.patches, self.block, self.norm = nn.Conv2d(3, width, 4, 4), Block(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.patches(x)
        n, c, h, w = x.shape
        tokens = self.norm(self.block(x.flatten(2).transpose(1, 2)))
        places = tokens.transpose(1, 2)
        return tokens, places.reshape(n, c, h, w), places * 1.5


class CLAP(nn.Module):
    """An encoder of spectrograms, normalised band by band (Wu et al., arXiv:2211.06687): [N, 1, T, mels] -> [N, 5]."""

    def __init__(self, mels: int = 20) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(mels)
        self.body = nn.Sequential(conv_bn(1, 7, 3, 2), conv_bn(7, 7, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(7, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.norm(x.transpose(1, 3)).transpose(1, 3)))


class VideoMAE(nn.Module):
    """Patches of some frames by Conv3D (Tong et al., arXiv:2203.12602): frames [N, T, 3, H, W] -> [N, 5]."""

    def __init__(self, width: int = 10) -> None:
        super().__init__()
        self.patches, self.block, self.norm = (
            nn.Conv3d(3, width, (2, 4, 4), (2, 4, 4)),
            Block(width),
            nn.LayerNorm(width),
        )
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x.permute(0, 2, 1, 3, 4)).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.block(x).mean(1)))


class PointNet(nn.Module):
    """Clouds of points (Qi et al., arXiv:1612.00593), turned by a net of their own: [N, 3, points] -> [N, 5]."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = nn.Sequential(nn.Conv1d(3, 7, 1), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(7, 9))
        self.body = nn.Sequential(nn.Conv1d(3, 7, 1), nn.BatchNorm1d(7), nn.ReLU(), nn.Conv1d(7, 11, 1))
        self.head = nn.Linear(11, 5)

    def forward(self, x: Tensor) -> Tensor:
        turned = torch.bmm(x.transpose(2, 1), self.turn(x).view(-1, 3, 3)).transpose(2, 1)
        return self.head(self.body(turned).amax(2))


class STGCN(nn.Module):
    """Skeletons (Yan et al., arXiv:1801.07455), normalised joint by joint: [N, 3, T, joints, persons] -> [N, 5]."""

    def __init__(self, joints: int = 5) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3 * joints)
        self.near = nn.Parameter(torch.zeros(joints, joints))
        self.space, self.time, self.head = nn.Conv2d(3, 7, 1), nn.Conv2d(7, 7, (3, 1), padding=(1, 0)), nn.Linear(7, 5)

    def forward(self, x: Tensor) -> Tensor:
        n, c, t, v, m = x.shape
        x = self.norm(x.permute(0, 4, 3, 1, 2).reshape(n * m, v * c, t))
        x = x.view(n * m, v, c, t).permute(0, 2, 3, 1)
        x = self.time((self.space(x) @ self.near).relu()).relu()
        return self.head(x.mean([2, 3]).view(n, m, -1).mean(1))


class Stereo(nn.Module):
    """Disparity by a volume of costs (Kendall et al., arXiv:1703.04309): two [N, 3, H, W] -> [N, H/2, W/2]."""

    def __init__(self, width: int = 5, most: int = 4) -> None:
        super().__init__()
        self.most = most
        self.features = nn.Sequential(conv_bn(3, width, 3, 2), nn.Conv2d(width, width, 3, padding=1))
        self.costs = nn.Sequential(nn.Conv3d(2 * width, 6, 3, padding=1), nn.ReLU(), nn.Conv3d(6, 1, 3, padding=1))

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        left, right = self.features(left), self.features(right)
        pairs = [torch.cat([left, functional.pad(right, (d, 0))[..., : left.shape[3]]], 1) for d in range(self.most)]
        costs = self.costs(torch.stack(pairs, 2)).squeeze(1).softmax(1)
        return (costs * torch.arange(self.most).float().view(1, -1, 1, 1)).sum(1)


class PixelsHWC(nn.Module):
    """A net that takes an image as cameras give it: bytes [H, W, 3] -> [1, 5]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 7, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(7, 5))

    def forward(self, x: Tensor) -> Tensor:
        mean = torch.tensor([110.0, 120.0, 130.0]).view(3, 1, 1)
        return self.body(((x.permute(2, 0, 1).float() - mean) / 60).unsqueeze(0))


class VSR(nn.Module):
    """Recurrent super-resolution of frames, one by one (Chan et al., arXiv:2012.02181).

    [N, T, 3, H, W] -> [N, T, 3, 2H, 2W]
    """

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.width = width
        self.step = nn.Sequential(nn.Conv2d(3 + width, width, 3, padding=1), nn.ReLU())
        self.up = nn.Sequential(nn.Conv2d(width, 12, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        n, t, _, h, w = x.shape
        state, results = x.new_zeros(n, self.width, h, w), []
        for i in range(t):
            state = self.step(torch.cat([x[:, i], state], 1))
            results.append(self.up(state))
        return torch.stack(results, 1)


class Disputed(nn.Module):
    """Read by a convolution along its last axis, and by a linear layer as features on it: [N, 7, 9] -> [N, 7, 9]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear = nn.Conv1d(7, 7, 3, padding=1), nn.Linear(9, 9, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * self.linear(x)
