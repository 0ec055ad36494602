"""PyTorch. Sources: ``torch.nn.Conv2d`` (OIHW), ``ConvTranspose2d`` (IOHW), ``AvgPool2d``, ``BatchNorm2d``."""

from collections.abc import Sequence

from rewriter.weights.framework import ONNX_KERNELS, Framework, parameter_names
from rewriter.weights.windows import Pair, Settings, Windows, cut_behind


class PyTorch(Framework):
    """``torch.nn``: kernels as in ONNX, and as much padding behind as before."""

    name = "pytorch"
    direction = "nchw"
    safetensors_format = "pt"
    separator = "."
    kernels = ONNX_KERNELS | {("dense", 0): "OI"}
    parameters = parameter_names("weight bias", "weight bias", "running_mean running_var", "weight", "weight")
    momentum_weighs = "new statistics"
    pool_settings = ("count_include_pad", "ceil_mode")
    shuffle_modes = ("CRD",)
    has_grouped_transpose = True
    has_flat_slopes = True

    def pad(self, pads: Sequence[Pair]) -> Settings:
        """``torch.nn.functional.pad`` counts axes from the last one."""
        return {"pad": [amount for pair in reversed(pads) for amount in pair]} if any(map(any, pads)) else {}

    def conv_padding(self, windows: Windows) -> Settings:
        if all(before == after for before, after in windows.pads):
            return {"padding": [before for before, _ in windows.pads]}
        return {"padding": [0] * len(windows.pads), **self.pad(windows.pads)}

    def conv_transpose_padding(self, windows: Windows, output_padding: Sequence[int]) -> Settings:
        """As much is cut before as behind; what is cut more before is added behind again by ``output_padding``."""
        most = map(max, windows.strides, windows.dilations)
        behind = [before - after + more for (before, after), more in zip(windows.pads, output_padding, strict=True)]
        if all(0 <= b < m for b, m in zip(behind, most, strict=True)):
            return {"padding": [before for before, _ in windows.pads], "output_padding": behind}
        cut, grown = cut_behind(windows.pads, output_padding)
        return {"padding": [0] * len(cut), "output_padding": [0] * len(cut), "crop": cut, **self.pad(grown)}
