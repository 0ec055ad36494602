"""Mistakes planted in nets that compute in float16, where its rounding could hide them: all are found."""

import onnx
import pytest

from rewriter import rewrite, validate
from tests.support.float16 import in_float16
from tests.support.graphs import COMMITTED
from tests.support.planting import (
    Plant,
    changed,
    exchanged,
    missing,
    scaled,
    turned,
    upside_down,
    with_attribute,
    with_operands,
)

# net, converted to, what is wrong in the result
PLANTED: dict[str, tuple[str, str, Plant]] = {
    "two channels of a kernel": ("torch_resnet", "nhwc", changed("Conv", 0, 1, exchanged(0))),
    "two channels of a deep kernel": ("torch_densenet", "nhwc", changed("Conv", -1, 1, exchanged(0))),
    "two input channels of a kernel": ("keras_unet", "nchw", changed("Conv", 1, 1, exchanged(1))),
    "two channels of a transposed kernel": ("torch_unet", "nhwc", changed("ConvTranspose", 0, 1, exchanged(1))),
    "two channels of a depthwise kernel": ("torch_mobilenet_v2", "nhwc", changed("Conv", 1, 1, exchanged(0))),
    "a kernel's rows for its columns": ("keras_superres", "nchw", changed("Conv", 0, 1, turned)),
    "a kernel row by 3 %": ("torch_conv3d", "nhwc", changed("Conv", 0, 1, scaled(0, 0, 0, 0))),
    "a kernel row by 3 %, deep": ("torch_densenet", "nhwc", changed("Conv", -1, 1, scaled(0, 0, 0))),
    "a kernel row by 3 %, before many": ("torch_vocoder", "nhwc", changed("Conv", 0, 1, scaled(0, 0))),
    "a kernel row by 3 %, before softmax": ("keras_conv1d", "nchw", changed("Conv", 0, 1, scaled(0, 0))),
    "a channel by 3 %, before sigmoids": ("torch_efficientnet", "nhwc", changed("Conv", 0, 1, scaled(0))),
    "a channel by 0.5 %": ("torch_superres", "nhwc", changed("Conv", 0, 1, scaled(0, by=1.005))),
    "a bias": ("torch_flatten", "nhwc", changed("Conv", 1, 2, missing)),
    "a bias after noise": ("torch_mobilenet_v3", "nhwc", changed("Conv", -1, 2, missing)),
    "rows of a Dense": ("torch_flatten_legacy", "nhwc", changed("Gemm", 0, 1, upside_down)),
    "variances of a norm": ("torch_resnet_bottleneck", "nhwc", changed("BatchNormalization", 3, 4, exchanged(0))),
    "slopes of a PRelu": ("torch_superres_legacy", "nhwc", changed("PRelu", 0, 1, exchanged(0))),
    "order of a Concat": ("torch_unet_dynamo", "nhwc", with_operands("Concat", 0, lambda names: names[::-1])),
    "perm of a Transpose": ("torch_mobilenet_v3", "nhwc", with_attribute("Transpose", 0, "perm", [0, 3, 2, 1])),
    "pads of a Conv": ("torch_resnet", "nhwc", with_attribute("Conv", 1, "pads", [0, 1, 2, 1])),
}  # fmt: skip


@pytest.mark.parametrize("keep_io", [True, False], ids=["float32 interface", "float16 throughout"])
@pytest.mark.parametrize("what", PLANTED)
def test_planted_mistake_is_found(what: str, keep_io: bool) -> None:
    name, to, plant = PLANTED[what]
    original = in_float16(onnx.load(COMMITTED[name]), keep_io=keep_io)
    result = rewrite(original, to, dialect="onnx")
    plant(result.model)
    (verdict,) = validate(original, result.model, layouts=result.layouts, runs=1, providers=["cpu"]).providers
    assert verdict.fault == "differs from the original"
