"""Flax. Sources: ``flax.linen`` (Conv, ConvTranspose, avg_pool), ``jax.lax.conv_general_dilated``,
``jax.lax.conv_transpose``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rewriter.weights.framework import Framework, kernel_layouts, parameter_names
from rewriter.weights.windows import Settings, Windows

HELP = "kernels for ConvTranspose(transpose_kernel=True), which has them unflipped"
CHANNELS_LAST = "WIO HWIO DHWIO"


@dataclass(frozen=True)
class Flax(Framework):
    """``flax.linen``: padding as pairs; ``lax.conv_transpose`` correlates where others convolve."""

    name = "flax"
    safetensors_format = "flax"
    separator = "/"
    kernels = kernel_layouts(conv=CHANNELS_LAST, depthwise_conv=CHANNELS_LAST, conv_transpose=CHANNELS_LAST, dense="IO")
    parameters = parameter_names("kernel bias", "scale bias", "mean var", "negative_slope", "embedding")
    pool_settings = ("count_include_pad",)

    transpose_kernel: bool = field(default=False, metadata={"help": HELP})

    def kernel_letters(self, kind: str, spatial: int) -> str:
        letters = super().kernel_letters(kind, spatial)
        return letters.replace("IO", "OI") if kind == "conv_transpose" and self.transpose_kernel else letters

    def flips_kernel(self, kind: str) -> bool:
        return kind == "conv_transpose" and not self.transpose_kernel

    def collection(self, parameter: str) -> str:
        return "batch_stats" if parameter in ("mean", "var") else "params"

    def layer_settings(self, kind: str) -> Settings:
        return {"transpose_kernel": self.transpose_kernel} if kind == "conv_transpose" else {}

    def lacks(self, kind: str, spatial: int, settings: Settings) -> Iterator[str]:
        if kind == "max_pool" and max(settings["dilations"], default=1) > 1:
            yield "flax.linen.max_pool has no dilation: use jax.lax.reduce_window"
        if kind == "prelu":
            yield "flax.linen.PReLU has one slope for all channels: use jnp.where"

    def conv_padding(self, windows: Windows) -> Settings:
        return {"padding": windows.pads}

    def conv_transpose_padding(self, windows: Windows, output_padding: Sequence[int]) -> Settings:
        """How far the window goes over both ends, for both values of ``transpose_kernel``."""
        along = zip(windows.extents, windows.pads, output_padding, strict=True)
        return {"padding": [(w - 1 - before, w - 1 - after + more) for w, (before, after), more in along]}
