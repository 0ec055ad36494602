"""Which names and values of a module's parameters an export has, by architecture and exporter.

``make weights-table`` writes it into docs/weights.md; it needs PyTorch.
"""

import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from rewriter.weights import export_weights
from tests.interop.common import onnx_of
from tests.interop.test_architectures import COUNTER, NETS, made
from tests.support.graphs import ROOT

PAGE = ROOT / "docs/weights.md"
BLOCK = re.compile(r"(?<=<!-- names: by make weights-table -->\n).*(?=<!-- end -->)", re.S)
EXPORTS = {
    "`dynamo=True`": {"dynamo": True, "fold": True},
    "and `optimize=False`": {"dynamo": True, "fold": False},
    "`dynamo=False`": {"dynamo": False, "fold": True},
    "and `training=PRESERVE`, no folding": {"dynamo": False, "fold": False},
}
TITLES = {
    "torch_resnet": "ResNet",
    "torch_resnet_bottleneck": "ResNet, bottlenecks",
    "torch_mobilenet_v2": "MobileNetV2",
    "torch_mobilenet_v3": "MobileNetV3",
    "torch_efficientnet": "EfficientNet",
    "torch_densenet": "DenseNet",
    "torch_unet": "U-Net",
    "torch_flatten": "Flatten, BatchNorm1d",
    "torch_vocoder": "HiFi-GAN",
    "torch_conv3d": "3-D",
    "torch_superres": "PReLU, PixelShuffle",
    "vit": "ViT",
}


class Found(NamedTuple):
    """How many parameters of a module are in a file with their values, with others, not at all; by checkpoint all."""

    right: int
    wrong: int
    missing: int
    restored: bool

    def __str__(self) -> str:
        return f"{self.right} / {self.wrong} / {self.missing}" if self.wrong or self.missing else str(self.right)


def found_in(net: torch.nn.Module, proto: ModelProto) -> Found:
    """Its own names and values, in the export of a model of it for PyTorch."""
    state = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    tensors = export_weights(proto, "pytorch").tensors
    own = {name: array for name, array in state.items() if not name.endswith(COUNTER)}
    here = [name for name in own if name in tensors]
    right = sum(np.array_equal(tensors[name].ravel(), own[name].ravel()) for name in here)
    with tempfile.TemporaryDirectory() as folder:
        torch.save(net.state_dict(), Path(folder) / "own.pt")
        again = export_weights(proto, "pytorch", checkpoint=Path(folder) / "own.pt").tensors
    return Found(right, len(here) - right, len(own) - len(here), is_same(again, state))


def is_same(found: dict[str, NDArray[np.generic]], state: dict[str, NDArray[np.generic]]) -> bool:
    """Whether both have the same names and values."""
    return found.keys() == state.keys() and all(np.array_equal(array, state[name]) for name, array in found.items())


def table() -> str:
    """The paragraph and the table."""
    rows, restored = list[str](), list[bool]()
    for name in NETS:
        net, x = made(name)
        cells = [found_in(net, onnx_of(net, x, **options)) for options in EXPORTS.values()]
        rows.append(f"| {TITLES[name]} | {' | '.join(map(str, cells))} |")
        restored += [cell.restored for cell in cells]
        print(rows[-1], flush=True)
    head = f"| net | {' | '.join(EXPORTS)} |\n|---{'|---' * len(EXPORTS)}|"
    told = (
        "Parameters under their own name (with their own values / other values / missing), PyTorch "
        f"{torch.__version__.partition('+')[0]}; with `--checkpoint`\n{sum(restored)} of these {len(restored)} exports "
        "give the state dict itself:"
    )
    return "\n".join([told, "", head, *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda _: table(), PAGE.read_text()))
