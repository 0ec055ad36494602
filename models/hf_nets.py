"""Nets of Hugging Face's `transformers`, from their configurations alone: nothing is downloaded."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch_blocks import randomise

__all__ = ["net", "randomise"]


class Picked(nn.Module):
    """The fields of the model's output, side by side along their last axis."""

    def __init__(self, model: nn.Module, fields: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.fields = fields

    def forward(self, x: Tensor) -> Tensor:
        found = self.model(pixel_values=x)
        return torch.cat([found[field] for field in self.fields], -1) if self.fields[1:] else found[self.fields[0]]


def net(name: str, head: str = "ImageClassification", fields: tuple[str, ...] = ("logits",), **options: Any) -> Picked:
    """The architecture of that name under that head: [N, 3, H, W] -> the fields."""
    config = getattr(transformers, f"{name}Config")(**{"num_labels": 100, **options})
    return Picked(getattr(transformers, f"{name}For{head}")(config), fields)
