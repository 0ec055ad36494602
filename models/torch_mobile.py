"""The nets of inverted residuals: MobileNetV2, MobileNetV3 and EfficientNet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn
from torch_blocks import Activation, Residual, SqueezeExcite, classifier, conv_bn


def inverted_residual(
    cin: int, hidden: int, cout: int, kernel: int, stride: int, act: Activation, se: nn.Module | None = None
) -> nn.Module:
    """1x1 expansion, depthwise convolution, squeeze-and-excite, 1x1 projection (arXiv:1801.04381)."""
    expand = [conv_bn(cin, hidden, 1, act=act)] if hidden != cin else []
    depthwise = conv_bn(hidden, hidden, kernel, stride, groups=hidden, act=act)
    body = nn.Sequential(*expand, depthwise, *([se] if se else []), conv_bn(hidden, cout, 1, act=None))
    return Residual(body) if stride == 1 and cin == cout else body


class Stage(NamedTuple):
    """`repeats` inverted residuals, the first of them with `stride`."""

    expand: int
    cout: int
    repeats: int
    stride: int
    kernel: int = 3


MOBILENET_V2 = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)
EFFICIENTNET_B0 = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)
TINY = (
    Stage(1, 11, 1, 1, 3),
    Stage(4, 14, 2, 2, 5),
    Stage(3, 23, 2, 2, 3),
)


def _inverted_residuals(
    stages: Sequence[Stage], stem: int, head: int, classes: int, act: Activation, squeeze: bool
) -> nn.Sequential:
    layers: list[nn.Module] = [conv_bn(3, stem, 3, 2, act=act)]
    cin = stem
    for stage in stages:
        for i in range(stage.repeats):
            hidden = cin * stage.expand
            se = SqueezeExcite(hidden, max(1, cin // 4), act, nn.Sigmoid) if squeeze else None
            stride = stage.stride if i == 0 else 1
            layers.append(inverted_residual(cin, hidden, stage.cout, stage.kernel, stride, act, se))
            cin = stage.cout
    return nn.Sequential(*layers, conv_bn(cin, head, 1, act=act), classifier(head, classes))


def mobilenet_v2(
    stages: Sequence[Stage] = MOBILENET_V2, stem: int = 32, head: int = 1280, classes: int = 1000
) -> nn.Sequential:
    """MobileNetV2 (Sandler et al., arXiv:1801.04381): [N, 3, H, W] -> [N, classes]."""
    return _inverted_residuals(stages, stem, head, classes, nn.ReLU6, squeeze=False)


def efficientnet(
    stages: Sequence[Stage] = EFFICIENTNET_B0, stem: int = 32, head: int = 1280, classes: int = 1000
) -> nn.Sequential:
    """EfficientNet (Tan and Le, arXiv:1905.11946), by default B0: [N, 3, H, W] -> [N, classes]."""
    return _inverted_residuals(stages, stem, head, classes, nn.SiLU, squeeze=True)


class V3Block(NamedTuple):
    """One row of table 2 of the MobileNetV3 paper; `hard` takes hard-swish where False takes ReLU."""

    kernel: int
    hidden: int
    cout: int
    squeeze: bool
    hard: bool
    stride: int


MOBILENET_V3_SMALL = (
    V3Block(3, 16, 16, True, False, 2),
    V3Block(3, 72, 24, False, False, 2),
    V3Block(3, 88, 24, False, False, 1),
    V3Block(5, 96, 40, True, True, 2),
    V3Block(5, 240, 40, True, True, 1),
    V3Block(5, 240, 40, True, True, 1),
    V3Block(5, 120, 48, True, True, 1),
    V3Block(5, 144, 48, True, True, 1),
    V3Block(5, 288, 96, True, True, 2),
    V3Block(5, 576, 96, True, True, 1),
    V3Block(5, 576, 96, True, True, 1),
)
V3_TINY = (
    V3Block(3, 10, 10, True, False, 2),
    V3Block(3, 34, 14, False, False, 2),
    V3Block(5, 46, 14, True, True, 1),
    V3Block(5, 58, 22, True, True, 2),
)


def mobilenet_v3(
    blocks: Sequence[V3Block] = MOBILENET_V3_SMALL, stem: int = 16, head: int = 1024, classes: int = 1000
) -> nn.Sequential:
    """MobileNetV3 (Howard et al., arXiv:1905.02244), by default Small: [N, 3, H, W] -> [N, classes]."""
    layers: list[nn.Module] = [conv_bn(3, stem, 3, 2, act=nn.Hardswish)]
    cin = stem
    for b in blocks:
        act: Activation = nn.Hardswish if b.hard else nn.ReLU
        se = SqueezeExcite(b.hidden, -(-b.hidden // 32) * 8, nn.ReLU, nn.Hardsigmoid) if b.squeeze else None
        layers.append(inverted_residual(cin, b.hidden, b.cout, b.kernel, b.stride, act, se))
        cin = b.cout
    layers += [conv_bn(cin, 6 * cin, 1, act=nn.Hardswish), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    layers += [nn.Linear(6 * cin, head), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(head, classes)]
    return nn.Sequential(*layers)
