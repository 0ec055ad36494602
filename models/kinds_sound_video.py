"""Small nets of sound and of video in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_blocks import Residual, classifier, conv_bn, randomise

__all__ = [
    "TSM",
    "Codec",
    "KeywordsMap",
    "TimeSformer",
    "VideoFirst",
    "Wav2Vec",
    "Whisper",
    "keywords",
    "keywords_map",
    "randomise",
]


class Block(nn.Module):
    """A block of a transformer, norms first: [N, T, width], unchanged."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        n, t, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        scores = (q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(-1)
        x = x + self.out((scores @ v).transpose(1, 2).reshape(n, t, width))
        return x + self.mlp(self.norm2(x))


class Whisper(nn.Module):
    """Whisper's encoder (arXiv:2212.04356): mel spectrogram [N, mels, T] -> hidden states [N, T/2, width]."""

    def __init__(self, mels: int = 9, width: int = 14, frames: int = 15) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(mels, width, 3, 1, 1), nn.Conv1d(width, width, 3, 2, 1)
        self.positions = nn.Parameter(torch.zeros(frames, width))
        self.block, self.norm = Block(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.gelu(self.conv2(functional.gelu(self.conv1(x)))).permute(0, 2, 1)
        return self.norm(self.block(x + self.positions))


class Wav2Vec(nn.Module):
    """wav2vec 2.0 (arXiv:2006.11477): waveform [N, T] -> hidden states [N, frames, width], letters [N, frames, 11]."""

    def __init__(self, width: int = 14) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv1d(1, 10, 10, 5), nn.GroupNorm(10, 10)
        self.second = nn.Conv1d(10, 10, 3, 2)
        self.project = nn.Sequential(nn.LayerNorm(10), nn.Linear(10, width))
        self.positions = nn.Conv1d(width, width, 5, padding=2, groups=2)
        self.block, self.last = Block(width), nn.LayerNorm(width)
        self.head = nn.Linear(width, 11)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = functional.gelu(self.norm(self.first(x.unsqueeze(1))))
        x = self.project(functional.gelu(self.second(x)).transpose(1, 2))
        x = x + functional.gelu(self.positions(x.transpose(1, 2))).transpose(1, 2)
        x = self.last(self.block(x))
        return x, self.head(x)


def keywords(mels: int = 9) -> nn.Sequential:
    """Keyword spotting by Conv1d along time: mel spectrogram [N, mels, T] -> [N, 6]."""
    convs = nn.Conv1d(mels, 12, 5, 2, 2), nn.BatchNorm1d(12), nn.ReLU(), nn.Conv1d(12, 14, 3, padding=1), nn.ReLU()
    return nn.Sequential(*convs, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(14, 6))


def keywords_map() -> nn.Sequential:
    """Keyword spotting by Conv2d, the spectrogram an image of one channel: [N, 1, T, mels] -> [N, 6]."""
    return nn.Sequential(conv_bn(1, 7, 3, 2), Residual(conv_bn(7, 7)), classifier(7, 6))


class KeywordsMap(nn.Module):
    """The same on a spectrogram without an axis of channels: [N, mels, T] -> [N, 6]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = keywords_map()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x.unsqueeze(1))


class Codec(nn.Module):
    """A codec with an LSTM between encoder and decoder, as EnCodec (arXiv:2210.13438): [N, 1, T], unchanged."""

    def __init__(self, width: int = 9) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv1d(1, width, 7, padding=3), nn.ELU(), nn.Conv1d(width, width, 4, 2, 1))
        self.lstm = nn.LSTM(width, width)
        up = nn.ConvTranspose1d(width, width, 4, 2, 1)
        self.decoder = nn.Sequential(nn.ELU(), up, nn.ELU(), nn.Conv1d(width, 1, 7, padding=3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.encoder(x)
        steps = x.permute(2, 0, 1)
        return self.decoder((self.lstm(steps)[0] + steps).permute(1, 2, 0))


class TSM(nn.Module):
    """Temporal shift (Lin et al., arXiv:1811.08383): frames [N, T, 3, H, W] -> [N, 5]."""

    def __init__(self, width: int = 8, classes: int = 5) -> None:
        super().__init__()
        self.stem, self.body = conv_bn(3, width, 3, 2), conv_bn(width, width)
        self.head = classifier(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        n, t, c, h, w = x.shape
        x = self.stem(x.view(n * t, c, h, w))
        x = self.head(x + self.body(self._shift(x, n, t)))
        return x.view(n, t, -1).mean(1)

    @staticmethod
    def _shift(x: Tensor, n: int, t: int) -> Tensor:
        """One quarter of the channels comes from the next frame, one from the last."""
        nt, c, h, w = x.shape
        x = x.view(n, t, c, h, w)
        part = c // 4
        later = functional.pad(x[:, 1:, :part], (0, 0, 0, 0, 0, 0, 0, 1))
        sooner = functional.pad(x[:, :-1, part : 2 * part], (0, 0, 0, 0, 0, 0, 1, 0))
        return torch.cat([later, sooner, x[:, :, 2 * part :]], 2).view(nt, c, h, w)


class VideoFirst(nn.Module):
    """Frames behind the channels, each seen by Conv2d: [N, 3, T, H, W] -> [N, 3, T, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 7), nn.Conv2d(7, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        n, c, t, h, w = x.shape
        frames = self.body(x.transpose(1, 2).reshape(n * t, c, h, w))
        return frames.view(n, t, c, h, w).transpose(1, 2)


class TimeSformer(nn.Module):
    """Divided attention (Bertasius et al., arXiv:2102.05095): frames [N, T, 3, H, W] -> [N, 5]."""

    def __init__(self, width: int = 10, patches: int = 30) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.places, self.times = nn.Parameter(torch.zeros(patches, width)), nn.Parameter(torch.zeros(4, 1, width))
        self.time, self.space, self.norm = Block(width), Block(width), nn.LayerNorm(width)
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        n, t, c, h, w = x.shape
        x = self.patches(x.reshape(n * t, c, h, w)).flatten(2).transpose(1, 2)
        _, p, width = x.shape
        x = (x + self.places).reshape(n, t, p, width) + self.times
        x = self.time(x.transpose(1, 2).reshape(n * p, t, width)).reshape(n, p, t, width)
        x = self.space(x.transpose(1, 2).reshape(n * t, p, width)).reshape(n, t * p, width)
        return self.head(self.norm(x.mean(1)))
