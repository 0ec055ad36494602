"""Whether the channels of a layer can be: those that its kernel is for, and those that it reads."""

from rewriter.errors import UsageError
from rewriter.weights.framework import KERNEL_KINDS
from rewriter.weights.layers.layers import Layer

DENSE = "dense"


def refuse_channels(layer: Layer) -> None:
    """Raises UsageError where a kernel is for another number of channels than its layer reads, or not for its groups.

    Source: the operators Conv (W: M x C/group x ...), ConvTranspose (W: C x M/group x ...), Gemm and MatMul of ONNX.
    """
    attrs, shape = layer.node.attrs, layer.node.inputs[0].shape
    if layer.kind not in KERNEL_KINDS or 0 not in layer.parameters or attrs.get("transA"):
        return
    first, second, *_ = layer.parameters[0].shape
    groups = attrs.get("group", 1)
    is_conv = layer.kind not in (DENSE, "conv_transpose")
    held, read = (second * groups if is_conv else first), channels_of(layer.kind, shape)
    where = f"the model is broken: node {layer.name!r} ({layer.node.op}): its kernel"
    if first % groups:
        raise UsageError(f"{where} has {first} channels, which are not {groups} groups of as many")
    if read not in (None, held):
        raise UsageError(f"{where} is for {held} input channels, and what it reads has {read}")


def channels_of(kind: str, shape: "list[int | str] | tuple[int | str, ...] | None") -> int | None:
    """Those of what a layer reads; ``None`` where these are not known."""
    found = shape[-1 if kind == DENSE else 1] if shape else None
    return found if isinstance(found, int) else None
