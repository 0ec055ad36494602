"""The nets that `export.py` exports: which, at what size, by which exporter. Needs no framework.

A small net is its architecture with fewer and narrower layers. Its channel counts are mostly odd and distinct
and its H differs from its W, so that a mistaken axis cannot pass for the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Net:
    """One file to export."""

    name: str
    about: str
    build: Callable[..., Any]
    """Makes the net out of the module of its definition and, for Keras, of the input's shape without N."""
    shape: tuple[int, ...]
    """The shape of the input: [N, C, ...] for torch and [N, ..., C] for Keras."""
    exporter: Literal["dynamo", "legacy", "tf2onnx"]
    opset: int
    dynamic: Mapping[int, str] = field(default_factory=dict)
    """The axes of the input that stay open in the file, and their names."""
    fold: bool = True
    """Whether torch's exporter may fold batch normalisations into convolutions."""
    bias: bool = True
    """Whether Keras biases are random, or 0 as Keras makes them.

    tf2onnx drops those of 0, and then fails to move Transposes past a scalar that hard-swish adds to a
    convolution without a bias: it leaves all of them."""
    deviation: float = 1.0
    """The standard deviation of inputs that suit the net: 127.5 where it begins by rescaling pixels."""
    folder: Literal["", "full", "zoo"] = ""
    """Where its file goes, below models/. Only those in models/ itself are committed."""
    module: str = ""
    """The module of its definition, if that is neither `torch_nets` nor `keras_nets`."""

    @property
    def framework(self) -> str:
        return "tensorflow" if self.exporter == "tf2onnx" else "torch"

    @property
    def path(self) -> Path:
        return Path(__file__).parent / self.folder / f"{self.name}.onnx"


N = {0: "N"}
IMAGE = (1, 3, 224, 224)

TORCH = [
    Net(
        "torch_resnet",
        "ResNet of basic blocks",
        lambda nets: nets.resnet(nets.basic_block, (2, 1, 1), width=11, classes=13),
        shape=(2, 3, 48, 56),
        exporter="dynamo",
        opset=18,
        dynamic=N,
    ),
    Net(
        "torch_resnet_bottleneck",
        "ResNet of bottlenecks, batch normalisations not folded",
        lambda nets: nets.resnet(nets.bottleneck, (1, 2, 1), width=7, classes=13),
        shape=(1, 3, 48, 56),
        exporter="legacy",
        opset=11,
        fold=False,
    ),
    Net(
        "torch_mobilenet_v2",
        "MobileNetV2: depthwise convolutions, ReLU6",
        lambda nets: nets.mobilenet_v2(nets.TINY, stem=13, head=90, classes=17),
        shape=(2, 3, 48, 56),
        exporter="legacy",
        opset=13,
        dynamic=N,
    ),
    Net(
        "torch_mobilenet_v3",
        "MobileNetV3: squeeze-and-excite, hard-swish",
        lambda nets: nets.mobilenet_v3(nets.V3_TINY, stem=10, head=70, classes=17),
        shape=(2, 3, 64, 48),
        exporter="dynamo",
        opset=18,
        dynamic=N,
    ),
    Net(
        "torch_efficientnet",
        "EfficientNet: squeeze-and-excite, SiLU",
        lambda nets: nets.efficientnet(nets.TINY, stem=13, head=90, classes=17),
        shape=(1, 3, 56, 48),
        exporter="legacy",
        opset=17,
    ),
    Net(
        "torch_densenet",
        "DenseNet: concatenations, batch normalisation before convolution",
        lambda nets: nets.densenet(growth=7, depths=(2, 3, 2), classes=19),
        shape=(2, 3, 48, 56),
        exporter="dynamo",
        opset=20,
        dynamic=N,
    ),
    Net(
        "torch_unet",
        "U-Net, any N, H and W",
        lambda nets: nets.UNet((7, 13, 22), classes=3),
        shape=(2, 3, 48, 56),
        exporter="legacy",
        opset=13,
        dynamic={0: "N", 2: "H", 3: "W"},
    ),
    Net(
        "torch_unet_dynamo",
        "U-Net",
        lambda nets: nets.UNet((7, 13, 22), classes=3),
        shape=(1, 3, 48, 56),
        exporter="dynamo",
        opset=18,
        fold=False,
    ),
    Net(
        "torch_flatten",
        "Flattened map into linear layers, with BatchNorm1d",
        lambda nets: nets.FlattenNet(),
        shape=(2, 3, 28, 20),
        exporter="dynamo",
        opset=18,
        dynamic=N,
    ),
    Net(
        "torch_flatten_legacy",
        "Flattened map into linear layers, with BatchNorm1d",
        lambda nets: nets.FlattenNet(),
        shape=(2, 3, 28, 20),
        exporter="legacy",
        opset=11,
        dynamic=N,
    ),
    Net(
        "torch_vocoder",
        "HiFi-GAN generator (1-D), any N and T",
        lambda nets: nets.Vocoder(mel=20, width=36, rates=(5, 2)),
        shape=(2, 20, 31),
        exporter="dynamo",
        opset=18,
        dynamic={0: "N", 2: "T"},
    ),
    Net(
        "torch_vocoder_legacy",
        "HiFi-GAN generator (1-D)",
        lambda nets: nets.Vocoder(mel=20, width=36, rates=(5, 2)),
        shape=(1, 20, 31),
        exporter="legacy",
        opset=17,
    ),
    Net(
        "torch_conv3d",
        "Convolutions on volumes (3-D), with a transposed one",
        lambda nets: nets.Conv3dNet(),
        shape=(2, 1, 4, 12, 10),
        exporter="dynamo",
        opset=18,
        dynamic=N,
    ),
    Net(
        "torch_superres",
        "Super-resolution: PReLU, PixelShuffle, bilinear resize, any N, H and W",
        lambda nets: nets.SuperRes(width=22, r=3),
        shape=(2, 3, 20, 27),
        exporter="dynamo",
        opset=18,
        dynamic={0: "N", 2: "H", 3: "W"},
    ),
    Net(
        "torch_superres_legacy",
        "Super-resolution: PReLU, PixelShuffle, bilinear resize",
        lambda nets: nets.SuperRes(width=22, r=2),
        shape=(1, 3, 20, 27),
        exporter="legacy",
        opset=11,
    ),
]

TORCH_FULL = [
    Net("torch_resnet50", "ResNet-50", lambda nets: nets.resnet(), IMAGE, "dynamo", 18, folder="full"),
    Net("torch_mobilenet_v2", "MobileNetV2", lambda nets: nets.mobilenet_v2(), IMAGE, "legacy", 17, folder="full"),
    Net(
        "torch_mobilenet_v3_small",
        "MobileNetV3 Small",
        lambda nets: nets.mobilenet_v3(),
        IMAGE,
        "dynamo",
        18,
        folder="full",
    ),
    Net(
        "torch_efficientnet_b0",
        "EfficientNet-B0",
        lambda nets: nets.efficientnet(),
        IMAGE,
        "dynamo",
        18,
        N,
        folder="full",
    ),
    Net("torch_densenet121", "DenseNet-121", lambda nets: nets.densenet(), IMAGE, "legacy", 17, N, folder="full"),
]

KERAS = [
    Net(
        "keras_resnet",
        "ResNet of basic blocks, with softmax",
        lambda nets, shape: nets.resnet(shape, (2, 1, 1), width=11, classes=13),
        shape=(2, 48, 56, 3),
        exporter="tf2onnx",
        opset=17,
        dynamic=N,
    ),
    Net(
        "keras_mobilenet_v2",
        "MobileNetV2 of `keras.applications`, narrow",
        lambda nets, shape: nets.mobilenet_v2(shape, alpha=0.07, classes=7),
        shape=(1, 48, 64, 3),
        exporter="tf2onnx",
        opset=15,
    ),
    Net(
        "keras_mobilenet_v3",
        "MobileNetV3 Small of `keras.applications`, narrow",
        lambda nets, shape: nets.mobilenet_v3(shape, alpha=0.2, head=26, classes=17),
        shape=(2, 64, 96, 3),
        exporter="tf2onnx",
        opset=17,
        dynamic=N,
        deviation=127.5,
    ),
    Net(
        "keras_mobilenet_v3_transposes",
        "The same, but for biases of 0, so that tf2onnx leaves its Transposes",
        lambda nets, shape: nets.mobilenet_v3(shape, alpha=0.15, head=26, classes=17),
        shape=(1, 64, 96, 3),
        exporter="tf2onnx",
        opset=13,
        bias=False,
        deviation=127.5,
    ),
    Net(
        "keras_unet",
        "U-Net",
        lambda nets, shape: nets.unet(shape, (7, 13, 22), classes=3),
        shape=(1, 48, 56, 3),
        exporter="tf2onnx",
        opset=17,
    ),
    Net(
        "keras_unet_dynamic",
        "U-Net, any N, H and W",
        lambda nets, shape: nets.unet(shape, (7, 13, 22), classes=3),
        shape=(2, 48, 56, 3),
        exporter="tf2onnx",
        opset=17,
        dynamic={0: "N", 1: "H", 2: "W"},
    ),
    Net(
        "keras_flatten",
        "Flattened map into dense layers, with batch normalisation",
        lambda nets, shape: nets.flatten_dense(shape, (13, 7), classes=10),
        shape=(2, 28, 20, 3),
        exporter="tf2onnx",
        opset=13,
        dynamic=N,
    ),
    Net(
        "keras_conv1d",
        "Dilated and transposed convolutions on sequences (1-D)",
        lambda nets, shape: nets.conv1d(shape, width=22),
        shape=(2, 44, 9),
        exporter="tf2onnx",
        opset=17,
        dynamic=N,
    ),
    Net(
        "keras_conv3d",
        "Convolutions on volumes (3-D), with a transposed one",
        lambda nets, shape: nets.conv3d(shape, width=5, classes=11),
        shape=(1, 4, 12, 10, 2),
        exporter="tf2onnx",
        opset=17,
    ),
    Net(
        "keras_superres",
        "Super-resolution: PReLU, depth_to_space, bilinear upsampling, any N",
        lambda nets, shape: nets.superres(shape, width=22, r=3),
        shape=(2, 20, 27, 3),
        exporter="tf2onnx",
        opset=17,
        dynamic=N,
    ),
]


def _application(name: str, title: str, **options: Any) -> Net:
    """A full-size net of `keras.applications`."""
    return Net(
        name,
        f"{title} of `keras.applications`",
        lambda nets, shape: nets.application(title)(shape),
        shape=(1, 224, 224, 3),
        exporter="tf2onnx",
        opset=17,
        folder="full",
        **options,
    )


KERAS_FULL = [
    _application("keras_resnet50", "ResNet50"),
    _application("keras_mobilenet_v2", "MobileNetV2"),
    _application("keras_mobilenet_v3_small", "MobileNetV3Small", bias=False, deviation=127.5),
    _application("keras_efficientnet_b0", "EfficientNetB0", dynamic=N, deviation=127.5),
    _application("keras_densenet121", "DenseNet121", dynamic=N),
]

SMALL = TORCH + KERAS
FULL = TORCH_FULL + KERAS_FULL
