"""TFLite. Sources: schema.fbs and the kernels of its builtin operators: CONV_2D (OHWI, in 1-D of height 1),
DEPTHWISE_CONV_2D (1HWC), TRANSPOSE_CONV, CONV_3D and CONV_3D_TRANSPOSE, FULLY_CONNECTED."""

from collections.abc import Iterator

from rewriter.weights.framework import kernel_layouts, parameter_names
from rewriter.weights.frameworks.tensorflow import TensorFlow
from rewriter.weights.windows import Settings


class TFLite(TensorFlow):
    """TFLite's builtin operators, which pad as TensorFlow's do."""

    name = "tflite"
    safetensors_format = "np"
    separator = ""
    kernels = kernel_layouts(
        conv="O1WI OHWI DHWIO", depthwise_conv="11WC 1HWC DHWIO", conv_transpose="O1WI OHWI DHWOI", dense="OI"
    )
    parameters = parameter_names("filter bias", "scale bias", "mean variance", "alpha", "params")

    def lacks(self, kind: str, spatial: int, settings: Settings) -> Iterator[str]:
        if kind in ("conv", "depthwise_conv") and spatial == 3 and settings["groups"] > 1:
            yield "TFLite's CONV_3D has no groups: split and concatenate"
        if kind == "conv_transpose" and max(settings["dilations"], default=1) > 1:
            yield "TFLite's TRANSPOSE_CONV has no dilation: write the kernel out with zeros between its elements"
        if kind == "batch_norm":
            yield "TFLite has no batch normalisation: fold it into the layer before or after it"
