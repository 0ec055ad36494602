"""What a layer needs in the target besides its weights: strides, groups, padding, epsilon, conventions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rewriter.weights.layers import Layer
from rewriter.weights.padding import Axes, Pair, conv_padding, conv_transpose_padding
from rewriter.weights.pooling import pool_padding
from rewriter.weights.targets import FLAX, NAMES, PYTORCH, TENSORFLOW, TFLITE

Settings = dict[str, Any]
UNKNOWN_PADS = "auto_pad {} with a stride pads by the input's size, which is not known here"
Sizes = Sequence[int | str | None] | None


def settings_of(layer: Layer, target: str) -> tuple[Settings, list[str]]:
    """The settings, and notes on what ``target`` has not or what cannot be known."""
    settings = ROWS[layer.kind](layer, target) if layer.kind in ROWS else {}
    notes = [
        f"{layer.name}: its {NAMES[layer.kind].of(target)[place]} {tensor.name!r} is computed in the graph, so it is "
        "not in the file; the constants it is made of are, as they were"
        for place, tensor in layer.computed.items()
    ]
    if "note" in settings:
        notes.append(f"{layer.name}: {settings['note']}")
    notes += [f"{layer.name}: {note}" for applies, note in absent(layer, target, settings) if applies]
    return {key: value for key, value in settings.items() if value is not None}, notes


def conv(layer: Layer, target: str) -> Settings:
    """Conv, QLinearConv, ConvInteger: the attributes of the ONNX operator, and its padding in the target's terms."""
    attrs, kernel = layer.node.attrs, kernel_of(layer)
    shape: Settings = windows(attrs, kernel) | {"groups": attrs.get("group", 1)}
    if not kernel:
        return shape
    if is_same(attrs, target):
        return shape | {"padding": "SAME"}
    strides, dilations, size = shape["strides"], shape["dilations"], sizes_of(layer)
    pads = pads_of(attrs, Axes(kernel, strides, 0, dilations), size)
    if pads is None:
        return shape | {"note": UNKNOWN_PADS.format(attrs["auto_pad"])}
    return shape | conv_padding(kernel, strides, pads, dilations, to=target, size=size)


def conv_transpose(layer: Layer, target: str) -> Settings:
    attrs, kernel = layer.node.attrs, kernel_of(layer)
    shape: Settings = windows(attrs, kernel) | {"groups": attrs.get("group", 1)}
    if not kernel:
        return shape
    strides, dilations = shape["strides"], shape["dilations"]
    extra = list(attrs.get("output_padding") or [0] * len(kernel))
    pads = transpose_pads(attrs, Axes(kernel, strides, 0, dilations), extra, sizes_of(layer))
    if pads is None:
        return shape | {"note": "output_shape cuts by the input's size, not known here, or is more than there is"}
    return shape | conv_transpose_padding(kernel, strides, pads, extra, dilations, to=target)


def pool(layer: Layer, target: str) -> Settings:
    attrs, kernel = layer.node.attrs, list(layer.node.attrs["kernel_shape"])
    shape = windows(attrs, kernel)
    if is_same(attrs, target) and not attrs.get("count_include_pad"):
        return shape | {"padding": "SAME"}
    strides, dilations, size = shape["strides"], shape["dilations"], sizes_of(layer)
    pads = pads_of(attrs, Axes(kernel, strides, 0, dilations), size)
    if pads is None:
        return shape | {"note": UNKNOWN_PADS.format(attrs["auto_pad"])}
    return shape | pool_padding(
        kernel,
        strides,
        pads,
        dilations,
        average=layer.kind == "average_pool",
        count_include_pad=bool(attrs.get("count_include_pad", 0)),
        ceil_mode=bool(attrs.get("ceil_mode", 0)),
        to=target,
        size=size,
    )


def batch_norm(layer: Layer, target: str) -> Settings:
    """``momentum`` weighs the old statistics in ONNX, Keras and Flax, the new ones in PyTorch."""
    kept = decimal(layer.node.attrs.get("momentum", 0.9))
    momentum = decimal(1 - kept) if target == PYTORCH else kept
    weighs = "new statistics" if target == PYTORCH else "old statistics"
    return {"epsilon": epsilon(layer), "momentum": momentum, "momentum_weighs": weighs}


def norm(layer: Layer, target: str) -> Settings:
    groups = {"groups": layer.node.attrs["num_groups"]} if layer.kind == "group_norm" else {}
    axis = {"axis": layer.node.attrs.get("axis", -1)} if layer.kind == "layer_norm" else {}
    return {"epsilon": epsilon(layer), **groups, **axis}


def dense(layer: Layer, target: str) -> Settings:
    """Gemm may scale its product and its bias, which no framework's layer does."""
    attrs = layer.node.attrs
    scales = {key: decimal(attrs[key]) for key in ("alpha", "beta") if attrs.get(key, 1.0) != 1.0}
    return {**scales, **({"transpose_input": True} if attrs.get("transA") else {})}


ROWS: dict[str, Callable[[Layer, str], Settings]] = {
    "conv": conv,
    "depthwise_conv": conv,
    "conv_transpose": conv_transpose,
    "dense": dense,
    "batch_norm": batch_norm,
    "layer_norm": norm,
    "group_norm": norm,
    "instance_norm": norm,
    "average_pool": pool,
    "max_pool": pool,
}


def absent(layer: Layer, target: str, settings: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """What a target cannot do, or not in one layer."""
    kernel = layer.kind in ("conv", "depthwise_conv", "conv_transpose")
    groups = kernel and settings.get("groups", 1) > 1
    dilated = max(settings.get("dilations", [1]), default=1) > 1
    strided = max(settings.get("strides", [1]), default=1) > 1
    transposed, conv3d = layer.kind == "conv_transpose", kernel and layer.spatial == 3
    return [
        (transposed and groups and target != PYTORCH,
         f"{target} has no grouped transposed convolution: split the input's channels into {settings.get('groups')} "
         "parts and the kernel along I, convolve each, concatenate"),
        (not transposed and conv3d and groups and target == TENSORFLOW,
         "TensorFlow's CPU kernels know no groups in 3-D: call the layer in a tf.function with jit_compile=True"),
        (not transposed and conv3d and groups and target == TFLITE,
         "TFLite's CONV_3D has no groups: split and concatenate"),
        (kernel and dilated and strided and target == TENSORFLOW,
         "Keras layers take no strides with dilations: use tf.nn.convNd or tf.nn.convNd_transpose"),
        (transposed and dilated and target == TFLITE,
         "TFLite's TRANSPOSE_CONV has no dilation: write the kernel out with zeros between its elements"),
        (layer.kind == "batch_norm" and target == TFLITE,
         "TFLite has no batch normalisation: fold it into the layer before or after it"),
        (layer.kind == "batch_norm" and bool(layer.node.attrs.get("training_mode")),
         "it is in training mode in the model, and normalises by the batch"),
        (layer.kind == "max_pool" and target == FLAX and dilated,
         "flax.linen.max_pool has no dilation: use jax.lax.reduce_window"),
        (layer.kind == "prelu" and target == FLAX, "flax.linen.PReLU has one slope for all channels: use jnp.where"),
        ("alpha" in settings or "beta" in settings, "scale the product by alpha and the bias by beta"),
    ]  # fmt: skip


def windows(attrs: Mapping[str, Any], kernel: Sequence[int]) -> Settings:
    ones = [1] * len(kernel)
    strides, dilations = (list(attrs.get(key) or ones) for key in ("strides", "dilations"))
    return {"kernel_size": list(kernel), "strides": strides, "dilations": dilations}


def kernel_of(layer: Layer) -> list[int]:
    """The kernel's spatial shape; empty if neither it nor the attribute is known."""
    shape = layer.parameters[0].shape[2:] if 0 in layer.parameters else layer.node.attrs.get("kernel_shape", ())
    return list(shape)


def sizes_of(layer: Layer) -> Sequence[int | str | None] | None:
    """The sizes of the input's spatial axes."""
    shape = layer.node.inputs[0].shape
    return None if shape is None else list(shape[2:])


def pads_of(attrs: Mapping[str, Any], axes: Axes, size: Sequence[int | str | None] | None) -> list[Pair] | None:
    """The padding of a convolution or pool; ``None`` if it depends on a size that is not known."""
    auto = attrs.get("auto_pad", "NOTSET")
    rank = len(axes.kernel)
    if not auto.startswith("SAME"):
        given = list(attrs.get("pads") or []) if auto == "NOTSET" else []
        given = given or [0] * 2 * rank
        return list(zip(given[:rank], given[rank:], strict=True))
    totals = [same_total(*axis) for axis in zip(axes.windows, axes.strides, size or [None] * rank, strict=True)]
    return None if None in totals else [halves(total, auto) for total in totals if total is not None]


def is_same(attrs: Mapping[str, Any], target: str) -> bool:
    """Whether the operator pads as TensorFlow's SAME does, whatever the input's size."""
    return attrs.get("auto_pad") == "SAME_UPPER" and target in (TENSORFLOW, TFLITE)


def same_total(window: int, stride: int, size: int | str | None) -> int | None:
    if stride == 1:
        return window - 1
    return max((-(-size // stride) - 1) * stride + window - size, 0) if isinstance(size, int) else None


def halves(total: int, auto_pad: str) -> Pair:
    less, more = total // 2, total - total // 2
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)


def transpose_pads(
    attrs: Mapping[str, Any], axes: Axes, extra: Sequence[int], size: Sequence[int | str | None] | None
) -> list[Pair] | None:
    """Of a transposed convolution: given, or what an ``output_shape`` or SAME (``input * stride``) leaves to cut."""
    auto, wanted = attrs.get("auto_pad", "NOTSET"), attrs.get("output_shape")
    along = list(zip(axes.windows, axes.strides, extra, strict=True))
    if not wanted and not auto.startswith("SAME"):
        return pads_of(attrs, axes, size)
    if not wanted:
        totals = [w - s + more for w, s, more in along]
    elif size is None or not all(isinstance(n, int) for n in size):
        return None
    else:
        whole = [(int(n or 0) - 1) * s + more + w for n, (w, s, more) in zip(size, along, strict=True)]
        totals = [w - out for w, out in zip(whole, wanted[-len(whole) :], strict=True)]
    return [halves(total, auto) for total in totals] if min(totals) >= 0 else None


def epsilon(layer: Layer) -> float:
    return decimal(layer.node.attrs.get("epsilon", 1e-5))


def decimal(value: float) -> float:
    """A float32 of the file as it was written: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(value)))
