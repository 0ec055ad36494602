"""The nets: ten committed ones, so that anybody can repeat the page, and full-size ones where they were exported."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from passes.layout.edit import Array
from tests.support.graphs import ROOT


class Net(NamedTuple):
    """A file below models/, the shape that its open sizes are set to, and the deviation of inputs that suit it."""

    name: str
    shape: tuple[int, ...]
    deviation: float = 1.0

    @property
    def path(self) -> Path:
        return ROOT / f"models/{self.name}.onnx"

    @property
    def stem(self) -> str:
        """Its name in the catalogs and in folders."""
        return self.path.stem

    @property
    def is_torch(self) -> bool:
        """Whether there is a PyTorch module of it."""
        return self.stem.startswith("torch_")

    def sample(self) -> Array:
        """A random input, float32."""
        return np.random.default_rng(0).normal(0, self.deviation, self.shape).astype(np.float32)


COMMITTED = (
    Net("torch_resnet", (1, 3, 48, 56)),
    Net("torch_mobilenet_v3", (1, 3, 64, 48)),
    Net("torch_efficientnet", (1, 3, 56, 48)),
    Net("torch_densenet", (1, 3, 48, 56)),
    Net("torch_unet_dynamo", (1, 3, 48, 56)),
    Net("torch_vocoder", (1, 20, 31)),
    Net("kinds/torch_conformer", (1, 32, 20)),
    Net("keras_mobilenet_v2", (1, 48, 64, 3)),
    Net("keras_mobilenet_v3_transposes", (1, 64, 96, 3), 127.5),
    Net("keras_unet", (1, 48, 56, 3)),
)
FULL = (
    Net("full/torch_resnet50", (1, 3, 224, 224)),
    Net("full/torch_mobilenet_v2", (1, 3, 224, 224)),
    Net("full/keras_efficientnet_b0", (1, 224, 224, 3), 127.5),
    Net("zoo/torch_convnext", (1, 3, 224, 224)),
)
NETS = (*COMMITTED, *(net for net in FULL if net.path.exists()))
