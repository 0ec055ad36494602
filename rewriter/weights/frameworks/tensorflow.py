"""TensorFlow and Keras. Sources: ``tf.nn.conv2d`` (HWIO), ``tf.nn.conv2d_transpose`` (HWOI),
``tf.nn.depthwise_conv2d`` (HWCM), ``tf.nn.avg_pool``, and the Keras layers."""

from collections.abc import Iterator, Sequence

from rewriter.weights.framework import CONV_KINDS, Framework, kernel_layouts, parameter_names
from rewriter.weights.windows import Settings, Windows, cut_behind


class TensorFlow(Framework):
    """``tf.nn`` and ``tf.keras.layers``, which have no depthwise convolution in 3-D."""

    name = "tensorflow"
    safetensors_format = "tf"
    separator = "/"
    kernels = kernel_layouts(
        conv="WIO HWIO DHWIO", depthwise_conv="WCM HWCM DHWIO", conv_transpose="WOI HWOI DHWOI", dense="IO"
    )
    parameters = parameter_names("kernel bias", "gamma beta", "moving_mean moving_variance", "alpha", "embeddings")
    pads_same = True
    shuffle_modes = ("DCR",)

    def lacks(self, kind: str, spatial: int, settings: Settings) -> Iterator[str]:
        if kind in ("conv", "depthwise_conv") and spatial == 3 and settings["groups"] > 1:
            yield (
                "TensorFlow's CPU kernels know no groups in 3-D: call the layer in a tf.function with jit_compile=True"
            )
        if kind in CONV_KINDS and max(settings["dilations"], default=1) > 1 and max(settings["strides"], default=1) > 1:
            yield "Keras layers take no strides with dilations: use tf.nn.convNd or tf.nn.convNd_transpose"

    def conv_padding(self, windows: Windows) -> Settings:
        if not any(map(any, windows.pads)) or not windows.is_same(windows.size):
            return {"padding": "VALID", **self.pad(windows.pads)}
        return {"padding": "SAME"} | ({} if windows.is_same(None) else {"for_size": list(windows.size or ())})

    def conv_transpose_padding(self, windows: Windows, output_padding: Sequence[int]) -> Settings:
        """VALID is the whole result; SAME cuts as its definition says; else a ``crop`` does."""
        along = list(zip(windows.extents, windows.strides, windows.pads, output_padding, strict=True))
        lost = [before + after - more for _, _, (before, after), more in along]
        offsets = [w - s - t for (w, s, _, _), t in zip(along, lost, strict=True)]
        whole = [max(w - s, 0) for w, s, _, _ in along]  # what Keras gives; zeros end it where windows leave gaps
        if all(not b and -s < t <= 0 for (_, s, (b, _), _), t in zip(along, lost, strict=True)):
            return sized("VALID", windows, offsets, [-t for t in lost] if offsets != whole else None)
        cuts = zip(along, lost, offsets, strict=True)
        if all(-s < o <= 0 and b == max(t, 0) // 2 for (_, s, (b, _), _), t, o in cuts):
            behind = [o + s - w + w // 2 * 2 for (w, s, _, _), o in zip(along, offsets, strict=True)]
            return sized("SAME", windows, offsets, behind if any(offsets) else None)
        gaps = [(before, after + max(s - w, 0)) for w, s, (before, after), _ in along]
        cut, grown = cut_behind(gaps, output_padding)
        return {**sized("VALID", windows, whole, None), "crop": cut, **self.pad(grown)}


def sized(padding: str, windows: Windows, offset: list[int], output_padding: list[int] | None) -> Settings:
    """The output's size, for ``tf.nn``, is ``scale * input + offset``; a Keras layer takes ``output_padding``."""
    size = {"scale": windows.strides, "offset": offset}
    return {"padding": padding, "output_size": size, "output_padding": output_padding}
