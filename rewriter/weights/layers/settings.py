"""What a layer needs in the target besides its weights: strides, groups, padding, epsilon, conventions."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from rewriter.weights.framework import CONV_KINDS, NORM_KINDS, POOL_KINDS, Framework
from rewriter.weights.layers.layers import Layer
from rewriter.weights.windows import Settings, Windows, pads_of, transpose_pads_of, windows_of


def settings_of(layer: Layer, framework: Framework) -> tuple[Settings, list[str]]:
    """The settings, and notes on what the framework has not or what cannot be known."""
    settings = ROWS[layer.kind](layer, framework) if layer.kind in ROWS else {}
    notes = [f"{layer.name}: {note}" for note in notes_on(layer, framework, settings)]
    settings = {key: value for key, value in settings.items() if value is not None}
    return settings | layer.told | framework.layer_settings(layer.kind), notes


def notes_on(layer: Layer, framework: Framework, settings: Settings) -> Iterator[str]:
    """What is not in the file or not known, and what the framework, or any framework's layer, does not do."""
    for place, tensor in layer.computed.items():
        if place not in layer.parameters:
            parameter = framework.parameters[layer.kind][place]
            yield (
                f"its {parameter} {tensor.name!r} is computed in the graph, so it is not in the file; the constants it "
                "is made of are, as they were"
            )
    if "note" in settings:
        yield settings["note"]
    if layer.kind == "conv_transpose" and settings["groups"] > 1 and not framework.has_grouped_transpose:
        yield (
            f"{framework.name} has no grouped transposed convolution: split the input's channels into "
            f"{settings['groups']} parts and the kernel along I, convolve each, concatenate"
        )
    yield from framework.lacks(layer.kind, layer.spatial, settings)
    if layer.kind == "batch_norm" and layer.node.attrs.get("training_mode"):
        yield "it is in training mode in the model, and normalises by the batch"
    if "alpha" in settings or "beta" in settings:
        yield "scale the product by alpha and the bias by beta"


def windowed(layer: Layer, framework: Framework) -> Settings:
    """Convolutions and pools: what every framework calls alike, and their padding in the framework's terms."""
    attrs, ones = layer.node.attrs, [1] * len(layer.kernel)
    strides, dilations = (list(attrs.get(key) or ones) for key in ("strides", "dilations"))
    settings: Settings = {"kernel_size": layer.kernel, "strides": strides, "dilations": dilations}
    if layer.kind not in POOL_KINDS:
        settings["groups"] = attrs.get("group", 1)
    if not layer.kernel:
        return settings
    shape = layer.node.inputs[0].shape
    windows = windows_of(layer.kernel, strides, 0, dilations, None if shape is None else shape[2:])
    told = transpose_padding if layer.kind == "conv_transpose" else padding
    return settings | told(layer, framework, windows)


def padding(layer: Layer, framework: Framework, windows: Windows) -> Settings:
    """Of Conv, QLinearConv, ConvInteger and the pools; ``windows`` are not padded."""
    attrs = layer.node.attrs
    if framework.pads_same and attrs.get("auto_pad") == "SAME_UPPER" and not attrs.get("count_include_pad"):
        return {"padding": "SAME"}
    pads = pads_of(attrs, windows)
    if pads is None:
        return {"note": f"auto_pad {attrs['auto_pad']} with a stride pads by the input's size, which is not known here"}
    windows = replace(windows, pads=pads)
    if layer.kind not in POOL_KINDS:
        return framework.conv_padding(windows)
    own = {key: bool(attrs.get(key)) for key in ("count_include_pad", "ceil_mode")}
    return framework.pool_padding(windows, average=layer.kind == "average_pool", **own)


def transpose_padding(layer: Layer, framework: Framework, windows: Windows) -> Settings:
    """Of ConvTranspose; ``windows`` are not padded."""
    extra = list(layer.node.attrs.get("output_padding") or [0] * len(windows.kernel))
    pads = transpose_pads_of(layer.node.attrs, windows, extra)
    if pads is None:
        return {"note": "output_shape cuts by the input's size, not known here, or is more than there is"}
    return framework.conv_transpose_padding(replace(windows, pads=pads), extra)


def batch_norm(layer: Layer, framework: Framework) -> Settings:
    """``momentum`` weighs the old statistics in ONNX, Keras and Flax, the new ones in PyTorch."""
    old = decimal(layer.node.attrs.get("momentum", 0.9))
    momentum = old if framework.momentum_weighs == "old statistics" else decimal(1 - old)
    return {"epsilon": epsilon(layer), "momentum": momentum, "momentum_weighs": framework.momentum_weighs}


def norm(layer: Layer, _: Framework) -> Settings:
    """LayerNormalization, GroupNormalization, InstanceNormalization."""
    axis = {"axis": layer.node.attrs.get("axis", -1)} if layer.kind == "layer_norm" else {}
    return {"epsilon": epsilon(layer), **axis}


def dense(layer: Layer, _: Framework) -> Settings:
    """Gemm may scale its product and its bias, which no framework's layer does."""
    attrs = layer.node.attrs
    scales = {key: decimal(attrs[key]) for key in ("alpha", "beta") if attrs.get(key, 1.0) != 1.0}
    return {**scales, **({"transpose_input": True} if attrs.get("transA") else {})}


ROWS: dict[str, Callable[[Layer, Framework], Settings]] = {
    **dict.fromkeys((*CONV_KINDS, *POOL_KINDS), windowed),
    "dense": dense,
    "batch_norm": batch_norm,
    **dict.fromkeys(NORM_KINDS, norm),
}


def epsilon(layer: Layer) -> float:
    """The epsilon of a normalisation."""
    return decimal(layer.node.attrs.get("epsilon", 1e-5))


def decimal(value: float) -> float:
    """A float32 of the file as it was written: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(value)))
