"""Small detectors and heads of masks in PyTorch: boxes, queries, prompts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_blocks import conv_bn, randomise

__all__ = ["DETR", "NMS", "SAM", "DeformableAttention", "MaskFormer", "MaskRCNN", "Retina", "randomise"]


class RoiAlign(torch.autograd.Function):
    """ONNX's RoiAlign with one sample a bin: maps [1, C, H, W] and boxes [K, 4] -> [K, C, size, size]."""

    @staticmethod
    def symbolic(g: Any, x: Any, boxes: Any, images: Any, size: int, scale: float) -> Any:
        attributes = {"output_height_i": size, "output_width_i": size, "sampling_ratio_i": 1, "spatial_scale_f": scale}
        return g.op(
            "RoiAlign", x, boxes, images, **attributes, mode_s="avg", coordinate_transformation_mode_s="half_pixel"
        )

    @staticmethod
    def forward(ctx: Any, x: Tensor, boxes: Tensor, images: Tensor, size: int, scale: float) -> Tensor:
        h, w = x.shape[2:]
        bins = (torch.arange(size) + 0.5) / size
        left, top, right, bottom = (boxes * scale).unbind(1)
        columns = left[:, None] + bins * (right - left)[:, None]
        rows = top[:, None] + bins * (bottom - top)[:, None]
        grid = torch.stack(torch.broadcast_tensors(columns[:, None] * 2 / w, rows[:, :, None] * 2 / h), -1) - 1
        x = x.expand(len(boxes), -1, -1, -1)
        return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


class Suppression(torch.autograd.Function):
    """ONNX's NonMaxSuppression: boxes [1, K, 4] and scores [1, classes, K] -> [found, 3]."""

    overlap, least = 0.4, 0.3

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any) -> Any:
        most = g.op("Constant", value_t=torch.tensor([5]))
        overlap, least = (g.op("Constant", value_t=torch.tensor([x])) for x in (Suppression.overlap, Suppression.least))
        return g.op("NonMaxSuppression", boxes, scores, most, overlap, least)

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, scores: Tensor) -> Tensor:
        found = []
        for kind, row in enumerate(scores[0]):
            kept: list[int] = []
            for i in row.argsort(descending=True).tolist():
                free = all(_overlap(boxes[0, i], boxes[0, j]) <= Suppression.overlap for j in kept)
                if row[i] > Suppression.least and free and len(kept) < 5:
                    kept.append(i)
            found += [[0, kind, i] for i in kept]
        return torch.tensor(found)


def _overlap(a: Tensor, b: Tensor) -> float:
    """Intersection over union of two boxes (x, y, x, y)."""
    sides = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).clamp(min=0)
    areas = ((box[2:] - box[:2]).prod() for box in (a, b))
    common = sides.prod()
    return float(common / (sum(areas) - common))


def _boxes(deltas: Tensor, h: int, w: int, stride: int) -> Tensor:
    """One box around each place of a map, moved by deltas [..., H * W, 4], as (x, y, x, y)."""
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    centre = (torch.stack([columns, rows], -1).view(-1, 2).float() + 0.5) * stride + deltas[..., :2].tanh()
    half = 3 + 2 * deltas[..., 2:].sigmoid()
    return torch.cat([(centre - half).clamp(min=0), centre + half], -1)


class MaskRCNN(nn.Module):
    """Mask R-CNN (arXiv:1703.06870), its image unbatched as torchvision's: [3, H, W] -> boxes, labels, scores, masks.

    Boxes are [6, 4], labels and scores [6], masks [6, 1, 8, 8].
    """

    def __init__(self, width: int = 8, classes: int = 5) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 7, 3, 2), conv_bn(7, width, 3, 2))
        self.objectness, self.deltas = nn.Conv2d(width, 1, 1), nn.Conv2d(width, 4, 1)
        self.scores = nn.Sequential(nn.Flatten(), nn.Linear(width * 16, 12), nn.ReLU(), nn.Linear(12, classes))
        up = nn.ConvTranspose2d(width, 6, 2, 2)
        self.masks = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), up, nn.ReLU(), nn.Conv2d(6, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
        x = self.body((image - mean).unsqueeze(0))
        best = self.objectness(x).flatten().topk(6).indices
        deltas = self.deltas(x).flatten(2).transpose(1, 2)[0]
        boxes = _boxes(deltas, x.shape[2], x.shape[3], 4)[best].clamp(max=19.0)
        regions = RoiAlign.apply(x, boxes, torch.zeros(6, dtype=torch.int64), 4, 0.25)
        scores, labels = self.scores(regions).softmax(1).max(1)
        return boxes, labels, scores, self.masks(regions).sigmoid()


class NMS(nn.Module):
    """A one-stage detector with NonMaxSuppression: [1, 3, H, W] -> what was found: (0, class, place), boxes."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 7, 3, 2), conv_bn(7, 11, 3, 2))
        self.scores, self.deltas = nn.Conv2d(11, classes, 1), nn.Conv2d(11, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body(x)
        boxes = _boxes(self.deltas(x).flatten(2).transpose(1, 2), x.shape[2], x.shape[3], 4)
        found = Suppression.apply(boxes, self.scores(x).flatten(2).sigmoid())
        return found, boxes[0, found[:, 2]]


class Retina(nn.Module):
    """Scores of anchors on two maps, as RetinaNet (arXiv:1708.02002): [N, 3, H, W] -> [N, anchors, classes]."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.fine, self.coarse = conv_bn(3, 7, 3, 2), conv_bn(7, 7, 3, 2)
        self.classes, self.head = classes, nn.Conv2d(7, 2 * classes, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        return torch.cat([self._rows(self.head(m)) for m in (fine, self.coarse(fine))], 1).sigmoid()

    def _rows(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        return x.view(n, 2, self.classes, h, w).permute(0, 3, 4, 1, 2).reshape(n, -1, self.classes)


class Attention(nn.Module):
    """Queries [N, Q, width] attend to [N, K, width], and are normalised."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.norm = nn.LayerNorm(width)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        q, k, v = (self._split(f(x)) for f, x in ((self.q, queries), (self.k, keys), (self.v, keys)))
        scores = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1)
        return self.norm(queries + self.out((scores @ v).transpose(1, 2).flatten(2)))

    def _split(self, x: Tensor) -> Tensor:
        n, t, width = x.shape
        return x.view(n, t, self.heads, width // self.heads).transpose(1, 2)


class DETR(nn.Module):
    """Queries on a flattened map (arXiv:2005.12872): [N, 3, H, W] -> scores [N, 7, 5] and boxes [N, 7, 4]."""

    def __init__(self, width: int = 10, queries: int = 7) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn(3, 7, 3, 2), nn.Conv2d(7, width, 3, 2, 1))
        self.queries = nn.Parameter(torch.zeros(1, queries, width))
        self.encoder, self.decoder = Attention(width), Attention(width)
        self.scores, self.boxes = nn.Linear(width, 5), nn.Linear(width, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body(x).flatten(2).transpose(1, 2)
        x = self.decoder(self.queries.expand(len(x), -1, -1), self.encoder(x, x))
        return self.scores(x), self.boxes(x).sigmoid()


class MaskFormer(nn.Module):
    """Queries times a map of features (arXiv:2107.06278): [N, 3, H, W] -> scores [N, 7, 5], masks [N, 7, H/2, W/2]."""

    def __init__(self, width: int = 10, queries: int = 7) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Sequential(conv_bn(3, width, 3, 2)), nn.Conv2d(width, width, 3, 2, 1)
        self.queries = nn.Parameter(torch.zeros(1, queries, width))
        self.decoder, self.scores, self.embed = Attention(width), nn.Linear(width, 5), nn.Linear(width, width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(x)
        coarse = self.coarse(fine).flatten(2).transpose(1, 2)
        x = self.decoder(self.queries.expand(len(x), -1, -1), coarse)
        return self.scores(x), torch.einsum("bqc,bchw->bqhw", self.embed(x), fine)


class SAM(nn.Module):
    """SAM's decoder of masks (arXiv:2304.02643): a map, points and a coarse mask -> masks, their quality.

    Map [1, 8, 5, 6], points [1, 2, 8], mask [1, 1, 10, 12] -> masks [1, 3, 10, 12], quality [1, 3].
    """

    def __init__(self, width: int = 8, masks: int = 3) -> None:
        super().__init__()
        self.shrink = nn.Sequential(nn.Conv2d(1, 4, 2, 2), nn.GELU(), nn.Conv2d(4, width, 1))
        self.tokens = nn.Parameter(torch.zeros(1, 1 + masks, width))
        self.to_tokens, self.to_map = Attention(width), Attention(width)
        self.up = nn.ConvTranspose2d(width, 4, 2, 2)
        self.hyper, self.quality = nn.Linear(width, 4), nn.Linear(width, masks)

    def forward(self, features: Tensor, points: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        x = features + self.shrink(mask)
        n, c, h, w = x.shape
        tokens = torch.cat([self.tokens.expand(n, -1, -1), points], 1)
        places = x.flatten(2).permute(0, 2, 1)
        tokens = self.to_tokens(tokens, places)
        places = self.to_map(places, tokens)
        x = functional.gelu(self.up(places.transpose(1, 2).view(n, c, h, w)))
        _, c, h, w = x.shape
        masks = (self.hyper(tokens[:, 1:4]) @ x.view(n, c, h * w)).view(n, -1, h, w)
        return masks, self.quality(tokens[:, 0])


def _centres(size: int) -> Tensor:
    """The middles of `size` pixels, from 0 to 1."""
    return (torch.arange(int(size)).float() + 0.5) / int(size)


class DeformableAttention(nn.Module):
    """Deformable attention on one map (arXiv:2010.04159): [N, 3, H, W] -> [N, 8, H/2, W/2]."""

    def __init__(self, width: int = 8, heads: int = 2, points: int = 3) -> None:
        super().__init__()
        self.heads, self.points = heads, points
        self.body = conv_bn(3, width, 3, 2)
        self.value, self.offsets = nn.Linear(width, width), nn.Linear(width, heads * points * 2)
        self.weights, self.out = nn.Linear(width, heads * points), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        n, c, h, w = x.shape
        query = x.flatten(2).transpose(1, 2)
        rows, columns = torch.meshgrid(_centres(h), _centres(w), indexing="ij")
        here = torch.stack([columns, rows], -1).view(1, h * w, 1, 1, 2)
        offsets = self.offsets(query).view(n, h * w, self.heads, self.points, 2)
        grid = (2 * (here + offsets / torch.tensor([float(w), float(h)])) - 1).transpose(1, 2).flatten(0, 1)
        value = self.value(query).view(n, h * w, self.heads, -1).permute(0, 2, 3, 1).reshape(n * self.heads, -1, h, w)
        seen = functional.grid_sample(value, grid, align_corners=False)
        weights = self.weights(query).view(n, h * w, self.heads, self.points).softmax(-1).transpose(1, 2)
        seen = (seen * weights.reshape(n * self.heads, 1, h * w, self.points)).sum(-1).view(n, c, h * w)
        return x + self.out(seen.transpose(1, 2)).transpose(1, 2).view(n, c, h, w)
