"""One-stage detectors in PyTorch: a pyramid of maps, and what their heads make of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_blocks import Residual, conv_bn


class Pyramid(nn.Module):
    """[N, 3, H, W] -> maps of strides 8, 16 and 32, of widths `w`, `2w` and `4w`, the coarser joined to the finer."""

    def __init__(self, w: int) -> None:
        super().__init__()
        stem = nn.Sequential(conv_bn(3, w // 4, 3, 2, act=nn.SiLU), conv_bn(w // 4, w // 2, 3, 2, act=nn.SiLU))
        self.fine = nn.Sequential(stem, self._stage(w // 2, w))
        self.middle, self.coarse = self._stage(w, 2 * w), self._stage(2 * w, 4 * w)
        self.up = nn.ModuleList([conv_bn(6 * w, 2 * w, 1, act=nn.SiLU), conv_bn(3 * w, w, 1, act=nn.SiLU)])

    @staticmethod
    def _stage(cin: int, cout: int) -> nn.Sequential:
        halve = nn.Sequential(conv_bn(cout, cout // 2, 1, act=nn.SiLU), conv_bn(cout // 2, cout, act=nn.SiLU))
        return nn.Sequential(conv_bn(cin, cout, 3, 2, act=nn.SiLU), Residual(halve), Residual(halve))

    def forward(self, x: Tensor) -> list[Tensor]:
        fine = self.fine(x)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.up[0](torch.cat([middle, functional.interpolate(coarse, scale_factor=2.0)], 1))
        fine = self.up[1](torch.cat([fine, functional.interpolate(middle, scale_factor=2.0)], 1))
        return [fine, middle, coarse]


class YOLO(nn.Module):
    """A one-stage detector with the head and decoding of YOLOv5: [N, 3, H, W] -> [N, boxes, 5 + classes]."""

    anchors = ((10, 13, 16, 30, 33, 23), (30, 61, 62, 45, 59, 119), (116, 90, 156, 198, 373, 326))

    def __init__(self, width: int = 64, classes: int = 80) -> None:
        super().__init__()
        self.fields = 5 + classes
        self.body = Pyramid(width)
        self.heads = nn.ModuleList(nn.Conv2d(width << i, 3 * self.fields, 1) for i in range(3))

    def forward(self, x: Tensor) -> Tensor:
        maps = zip(self.heads, self.body(x), self.anchors, (8, 16, 32), strict=True)
        return torch.cat([self._decode(head(m), anchors, stride) for head, m, anchors, stride in maps], 1)

    def _decode(self, x: Tensor, anchors: tuple[int, ...], stride: int) -> Tensor:
        n, _, h, w = x.shape
        x = x.view(n, 3, self.fields, h, w).permute(0, 1, 3, 4, 2).contiguous().sigmoid()
        rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        grid = torch.stack([columns, rows], -1).float() - 0.5
        size = torch.tensor(anchors).float().view(3, 1, 1, 2)
        xy, wh, scores = x.split((2, 2, self.fields - 4), -1)
        return torch.cat([(2 * xy + grid) * stride, (2 * wh) ** 2 * size, scores], -1).view(n, -1, self.fields)


class SSD(nn.Module):
    """A single-shot detector (Liu et al., arXiv:1512.02325): [N, 3, H, W] -> [N, boxes, classes + 4]."""

    def __init__(self, width: int = 64, boxes: int = 6, classes: int = 21) -> None:
        super().__init__()
        self.classes = classes
        self.body = Pyramid(width)
        self.scores = nn.ModuleList(nn.Conv2d(width << i, boxes * classes, 3, padding=1) for i in range(3))
        self.places = nn.ModuleList(nn.Conv2d(width << i, boxes * 4, 3, padding=1) for i in range(3))

    def forward(self, x: Tensor) -> Tensor:
        maps = self.body(x)
        scores, places = (
            torch.cat([self._rows(head(m), k) for head, m in zip(heads, maps, strict=True)], 1)
            for heads, k in ((self.scores, self.classes), (self.places, 4))
        )
        return torch.cat([scores.softmax(-1), places], -1)

    @staticmethod
    def _rows(x: Tensor, fields: int) -> Tensor:
        """[N, boxes * fields, H, W] -> [N, H * W * boxes, fields]."""
        return x.permute(0, 2, 3, 1).reshape(len(x), -1, fields)
