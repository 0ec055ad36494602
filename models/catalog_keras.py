"""The nets of Keras to export, small and full-size."""

from typing import Any

from net import N, Net

SMALL = [
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


FULL = [
    _application("keras_resnet50", "ResNet50"),
    _application("keras_mobilenet_v2", "MobileNetV2"),
    _application("keras_mobilenet_v3_small", "MobileNetV3Small", bias=False, deviation=127.5),
    _application("keras_efficientnet_b0", "EfficientNetB0", dynamic=N, deviation=127.5),
    _application("keras_densenet121", "DenseNet121", dynamic=N),
]
