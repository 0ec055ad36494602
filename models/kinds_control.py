"""Small nets with control flow in PyTorch, and one whose images are inside functions of its own, in onnxscript."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnxscript import FLOAT, script
from onnxscript import opset18 as op
from onnxscript.values import Opset
from torch import Tensor, nn
from torch_blocks import conv_bn, randomise

__all__ = ["If", "Loop", "functions", "randomise"]


@torch.jit.script
def _steps(x: Tensor, kernel: Tensor, steps: Tensor) -> Tensor:
    """The same convolution again and again; scripted, so that the exporter sees a loop."""
    for _ in range(int(steps)):
        x = x + torch.relu(torch.conv2d(x, kernel, padding=1)) * 0.5
    return x


class Loop(nn.Module):
    """A Conv in a Loop, which runs twice or thrice, and its output: [N, 3, H, W] -> [N, 7, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again = conv_bn(3, 7), nn.Conv2d(7, 7, 3)

    def forward(self, x: Tensor) -> Tensor:
        return _steps(self.first(x), self.again.weight, 2 + (x.mean() > 0).long())


class If(nn.Module):
    """One of two convolutions, as the input's mean says: [N, 3, H, W] -> [N, 5, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.near, self.far = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(3, 5, 3, padding=2, dilation=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.mean() > 0, self.near, self.far, (x,))


own = Opset("own.images", 1)


@script(own, default_opset=op)
def ConvRelu(x, w, b):  # type: ignore[no-untyped-def]
    return op.Relu(op.Conv(x, w, b, pads=[1, 1, 1, 1]))


@script(own, default_opset=op)
def Twice(x, w, b):  # type: ignore[no-untyped-def]
    return x + ConvRelu(ConvRelu(x, w, b), w, b)


def functions() -> onnx.ModelProto:
    """Every convolution is in a function of the model, one function in another: [1, 3, 20, 24] -> [1, 5, 20, 24]."""
    rng = np.random.default_rng(0)
    held = {
        name: onnx.numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name)
        for name, shape in {"w1": (5, 3, 3, 3), "b1": (5,), "w2": (5, 5, 3, 3), "b2": (5,)}.items()
    }
    w1, b1, w2, b2 = held.values()

    @script(default_opset=op)
    def net(input: FLOAT[1, 3, 20, 24]) -> FLOAT[1, 5, 20, 24]:  # noqa: A002
        x = ConvRelu(input, op.Constant(value=w1), op.Constant(value=b1))
        output = Twice(x, op.Constant(value=w2), op.Constant(value=b2))
        return output  # noqa: RET504 - the name of the output

    return net.to_model_proto()
