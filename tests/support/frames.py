"""A net that takes frames, and what frames a camera gives."""

from typing import Any

from onnx import ModelProto

from tests.support.graphs import model, node, random

IMAGENET = "uint8,bgr,scale=1/255,mean=0.485,0.456,0.406,std=0.229,0.224,0.225"


def one_conv(channels: int = 3, **attrs: Any) -> ModelProto:
    """An image [1, channels, 11, 13] to a Conv with a bias, and a Relu."""
    group = attrs.get("group", 1)
    nodes = [node("Conv", ["x", "w", "b"], ["c"], "conv1", **attrs), node("Relu", ["c"], ["y"])]
    constants = {"w": random(7 * group, channels // group, 3, 2), "b": random(7 * group)}
    return model(nodes, {"x": [1, channels, 11, 13]}, {"y": None}, constants)
