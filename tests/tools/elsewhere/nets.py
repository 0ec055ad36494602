"""The nets: ten committed ones, so that anybody can repeat the page, and full-size ones where they were exported, most
of them for LiteRT alone."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from passes.layout.edit import Array
from tests.support.graphs import ROOT


class Net(NamedTuple):
    """A file below models/, the shape that its open sizes are set to, the deviation of inputs that suit it, and which
    runtimes it is for; empty: all."""

    name: str
    shape: tuple[int, ...]
    deviation: float = 1.0
    runtimes: tuple[str, ...] = ()

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

    def is_for(self, runtime: str) -> bool:
        """Whether that runtime is asked to run it."""
        return not self.runtimes or runtime in self.runtimes

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
LITERT = (
    *(
        Net(name, (1, 3, 224, 224), runtimes=("litert",))
        for name in (
            "full/torch_mobilenet_v3_small",
            "full/torch_efficientnet_b0",
            "full/torch_densenet121",
            "zoo/torch_mobilenet_v1",
            "zoo/torch_se_resnet18",
            "zoo/torch_regnet",
            "zoo/torch_shufflenet_v1",
            "zoo/torch_shufflenet_v2",
            "zoo/torch_convnext_v2",
            "zoo/torch_poolformer",
            "zoo/torch_segformer",
            "zoo/torch_vit",
        )
    ),
    Net("zoo/torch_deeplab", (1, 3, 256, 256), runtimes=("litert",)),
    Net("zoo/torch_ssd", (1, 3, 256, 256), runtimes=("litert",)),
    Net("zoo/torch_yolo", (1, 3, 320, 320), runtimes=("litert",)),
    Net("zoo/torch_espcn", (1, 3, 120, 160), runtimes=("litert",)),
    Net("zoo/torch_diffusion_unet", (1, 3, 64, 64), runtimes=("litert",)),
    Net("full/keras_mobilenet_v3_small", (1, 224, 224, 3), 127.5, ("litert",)),
    Net("full/keras_resnet50", (1, 224, 224, 3), runtimes=("litert",)),
    Net("full/keras_densenet121", (1, 224, 224, 3), runtimes=("litert",)),
    Net("zoo/keras_xception", (1, 299, 299, 3), runtimes=("litert",)),
    Net("zoo/keras_nasnet_mobile", (1, 224, 224, 3), runtimes=("litert",)),
    Net("zoo/keras_mobilenet_v3_large", (1, 224, 224, 3), 127.5, ("litert",)),
    Net("zoo/keras_efficientnet_v2_b0", (1, 224, 224, 3), 127.5, ("litert",)),
    Net("zoo/keras_convnext", (1, 224, 224, 3), runtimes=("litert",)),
    Net("zoo/keras_attention", (1, 224, 224, 3), runtimes=("litert",)),
)
NETS = (*COMMITTED, *(net for net in (*FULL, *LITERT) if net.path.exists()))
