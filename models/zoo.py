"""The zoo: real architectures of realistic size, most of them more than a plain CNN. Needs no framework.

Each shows a problem of layouts that its line names. Those of `transformers` have fewer layers than the published
ones where their files would be large; the layers themselves are as published.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from net import IMAGE, Net

Torch = Literal["dynamo", "legacy"]
STAGES = ["stage1", "stage2", "stage3", "stage4"]
LAST = (1, 224, 224, 3)
OPSETS = {"dynamo": 18, "legacy": 17}


def _own(name: str, about: str, make: str, exporter: Torch, shape: tuple[int, ...] = IMAGE) -> Net:
    """A net of `zoo_nets`."""
    return _torch(name, about, lambda nets: getattr(nets, make)(), shape, exporter, "zoo_nets")


def _hf(
    name: str, about: str, make: str, exporter: Torch, shape: tuple[int, ...] = IMAGE, *head: Any, **options: Any
) -> Net:
    """A net of `transformers`."""
    return _torch(name, about, lambda nets: nets.net(make, *head, **options), shape, exporter, "hf_nets")


def _torch(
    name: str, about: str, build: Callable[[Any], Any], shape: tuple[int, ...], exporter: Torch, module: str
) -> Net:
    """A net of PyTorch in the zoo."""
    return Net(f"torch_{name}", about, build, shape, exporter, OPSETS[exporter], folder="zoo", module=module)


def _keras(name: str, title: str, about: str, shape: tuple[int, ...] = LAST, **options: Any) -> Net:
    """A net of `keras.applications`, of its published size."""
    about = f"{title} of `keras.applications`: {about}"
    return _tf2onnx(name, about, lambda nets, shape: nets.application(title)(shape), shape, **options)


def _own_keras(name: str, about: str, make: str) -> Net:
    """A net of `keras_nets`."""
    return _tf2onnx(name, about, lambda nets, shape: getattr(nets, make)(shape), LAST)


def _tf2onnx(name: str, about: str, build: Callable[[Any, Any], Any], shape: tuple[int, ...], **options: Any) -> Net:
    """A net of Keras in the zoo."""
    return Net(f"keras_{name}", about, build, shape, "tf2onnx", 17, folder="zoo", **options)


OWN = [
    _own("shufflenet_v1", "ShuffleNet: grouped convolutions, channel shuffles of 3", "shufflenet_v1", "legacy"),
    _own("shufflenet_v2", "ShuffleNetV2: Split, Concat, channel shuffles of 2", "shufflenet_v2", "dynamo"),
    _own("se_resnet18", "SE-ResNet-18: squeeze-and-excite", "se_resnet", "legacy"),
    _own("yolo", "YOLOv5's head and decoding on a pyramid", "YOLO", "legacy", (1, 3, 320, 320)),
    _own("ssd", "SSD's heads on a pyramid", "SSD", "dynamo", (1, 3, 256, 256)),
    _own("crnn", "CRNN: a map read as a sequence by LSTMs", "CRNN", "legacy", (1, 3, 32, 160)),
    _own(
        "diffusion_unet", "Denoiser of DDPM: GroupNorm, attention over H x W", "DiffusionUNet", "dynamo", (1, 3, 64, 64)
    ),
    _own("espcn", "ESPCN: PixelShuffle at the output", "ESPCN", "legacy", (1, 3, 120, 160)),
    _own("heads", "Three heads on one Flatten", "Heads", "dynamo", (1, 3, 112, 112)),
    _own("flatten_norm", "Flatten, LayerNorm, Linear", "FlattenNorm", "legacy", (1, 3, 112, 112)),
    _own("mixer", "MLP-Mixer: patches, Transposes between two Linears", "Mixer", "dynamo"),
]

SEGMENT = ("SemanticSegmentation",)
DEPTH = ("DepthEstimation", ("predicted_depth",))
DETECT = ("ObjectDetection", ("logits", "pred_boxes"))
NARROW = {"embed_dim": 64, "depths": [2, 2, 2, 2]}
VIT = {"hidden_size": 192, "num_hidden_layers": 6, "num_attention_heads": 3, "intermediate_size": 768}
QUARTER = {"hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 4, 2]}
CONV_BACKBONE = {
    "model_type": "convnext",
    "depths": [2, 2, 2, 2],
    "hidden_sizes": [48, 96, 192, 384],
    "out_features": STAGES,
}
RES_BACKBONE = {
    "model_type": "resnet",
    "depths": [2, 2, 2, 2],
    "layer_type": "basic",
    "hidden_sizes": [64, 128, 256, 512],
    "out_features": STAGES[3:],
}
HF = [
    _hf(
        "regnet",
        "RegNet: grouped convolutions, squeeze-and-excite",
        "RegNet",
        "legacy",
        hidden_sizes=(48, 120, 336, 888),
        depths=(2, 5, 10, 1),
        groups_width=24,
    ),
    _hf("mobilenet_v1", "MobileNetV1", "MobileNetV1", "legacy"),
    _hf(
        "deeplab",
        "MobileNetV2 under DeepLabV3+: dilations, pooled branch, resizes",
        "MobileNetV2",
        "legacy",
        (1, 3, 256, 256),
        *SEGMENT,
        image_size=256,
    ),
    _hf("convnext", "ConvNeXt: LayerNorm over channels", "ConvNext", "dynamo", depths=(2, 2, 4, 2)),
    _hf("convnext_v2", "ConvNeXtV2: response normalisation", "ConvNextV2", "legacy", **QUARTER),
    _hf(
        "poolformer",
        "PoolFormer: GroupNorm and pooling in place of attention",
        "PoolFormer",
        "legacy",
        hidden_sizes=(64, 128, 320, 512),
    ),
    _hf("focalnet", "FocalNet: Linear and depthwise convolution in turn", "FocalNet", "legacy", **NARROW),
    _hf("swiftformer", "SwiftFormer: additive attention over H x W", "SwiftFormer", "dynamo"),
    _hf("levit", "LeViT: attention with BatchNorm on tokens", "Levit", "legacy"),
    _hf("cvt", "CvT: query, key and value by depthwise convolution", "Cvt", "legacy", depth=(1, 2, 4)),
    _hf("pvt", "PVT: attention over reduced maps", "Pvt", "legacy"),
    _hf("pvt_v2", "PVTv2: the same, convolutions between the Linears", "PvtV2", "dynamo"),
    _hf("segformer", "SegFormer-B0 with its segmentation head", "Segformer", "dynamo", IMAGE, *SEGMENT),
    _hf("glpn", "GLPN: depth by a SegFormer with selective fusion", "GLPN", "legacy", IMAGE, *DEPTH),
    _hf(
        "mobilevit",
        "MobileViT: maps unfolded into patches",
        "MobileViT",
        "legacy",
        (1, 3, 256, 256),
        hidden_sizes=(64, 80, 96),
    ),
    _hf("mobilevit_v2", "MobileViTV2: the same, with separable attention", "MobileViTV2", "dynamo", (1, 3, 256, 256)),
    _hf(
        "swin",
        "Swin: shifted windows",
        "Swin",
        "dynamo",
        **NARROW,
        num_heads=(2, 4, 8, 16),
        attn_implementation="eager",
    ),
    _hf(
        "swin_v2",
        "Swin, second version: cosine attention, norms behind",
        "Swinv2",
        "legacy",
        (1, 3, 256, 256),
        **NARROW,
        num_heads=(2, 4, 8, 16),
        image_size=256,
        window_size=8,
    ),
    _hf(
        "swin2sr",
        "Super-resolution by windows, PixelShuffle",
        "Swin2SR",
        "legacy",
        (1, 3, 64, 64),
        "ImageSuperResolution",
        ("reconstruction",),
        embed_dim=60,
        depths=(2, 2),
        num_heads=(3, 3),
    ),
    _hf("hiera", "Hiera: pooled windows", "Hiera", "dynamo", embed_dim=64, depths=(1, 2, 4, 1)),
    _hf("vit", "ViT: patches, then tokens alone", "ViT", "dynamo", **VIT),
    _hf("deit", "DeiT", "DeiT", "legacy", **VIT),
    _hf(
        "yolos",
        "YOLOS: detection tokens in a ViT",
        "Yolos",
        "legacy",
        IMAGE,
        *DETECT,
        **VIT,
        image_size=(224, 224),
        num_detection_tokens=50,
    ),
    _hf(
        "dpt",
        "DPT: tokens back to maps, fused",
        "DPT",
        "dynamo",
        IMAGE,
        *SEGMENT,
        **VIT,
        image_size=224,
        backbone_out_indices=(1, 3, 4, 5),
        neck_hidden_sizes=(48, 96, 192, 192),
        fusion_hidden_size=96,
        use_auxiliary_head=False,
    ),
    _hf(
        "upernet",
        "UPerNet: pooled pyramid on a ConvNeXt",
        "UperNet",
        "dynamo",
        IMAGE,
        *SEGMENT,
        backbone_config=CONV_BACKBONE,
        hidden_size=128,
        use_auxiliary_head=False,
    ),
    _hf(
        "detr",
        "DETR: transformer on a ResNet's map",
        "Detr",
        "legacy",
        IMAGE,
        *DETECT,
        d_model=128,
        encoder_layers=2,
        decoder_layers=2,
        encoder_ffn_dim=512,
        decoder_ffn_dim=512,
        num_queries=50,
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=RES_BACKBONE,
    ),
]

KERAS = [
    _keras("xception", "Xception", "separable convolutions", (1, 299, 299, 3)),
    _keras("nasnet_mobile", "NASNetMobile", "cells of many short branches, cropping"),
    _keras("mobilenet_v3_large", "MobileNetV3Large", "squeeze-and-excite", bias=False, deviation=127.5),
    _keras("efficientnet_v2_b0", "EfficientNetV2B0", "fused inverted residuals", deviation=127.5),
    _own_keras("convnext", "ConvNeXt: LayerNorm over channels, Linears as Dense", "convnext"),
    _own_keras("attention", "Transformer blocks between convolutions, as in CoAtNet", "attention"),
]

ZOO = OWN + HF + KERAS
