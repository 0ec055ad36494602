"""Padding of pools, from one framework's terms to another's.

Zeros before an average count as elements or not; TensorFlow never counts those of SAME and knows nothing of those of
``tf.pad``. A maximum is padded with minus infinity.
"""

from collections.abc import Sequence
from typing import Any

from rewriter.weights.padding import Axes, Ints, Pair, tf_pad, tf_same, torch_pads


def pool_padding(
    kernel: Ints,
    stride: Ints,
    padding: "Ints | Sequence[Pair]" = 0,
    dilation: Ints = 1,
    *,
    average: bool,
    count_include_pad: bool = False,
    ceil_mode: bool = False,
    to: str = "tensorflow",
    size: Sequence[int | str | None] | None = None,
) -> dict[str, Any]:
    """What a pool of these arguments is given in ``to``; ``size`` is that of the input's spatial axes, where known.

    As ``conv_padding``, and for an average ``count_include_pad``. ``pad_value`` is what to pad with if not with 0.
    ``divide_by_ones``: divide the result by the same pool, padding included, of a tensor of ones: only so are padded
    elements not counted. ``note`` instead of amounts: why they cannot be known. Sources: the operators AveragePool and
    MaxPool of ONNX, ``tf.nn.avg_pool``, ``flax.linen.avg_pool``. Raises UsageError on arguments that do not fit.
    """
    axes = Axes(kernel, stride, padding, dilation, to)
    counted = {"count_include_pad": count_include_pad} if average else {}
    if to == "pytorch":
        return {**torch_pool(axes, average, count_include_pad), **counted, "ceil_mode": ceil_mode}
    pads = whole_windows(axes, size) if ceil_mode else axes.pads
    if pads is None:
        return {"note": "ceil_mode adds a window where the input's size leaves a rest: it is not known here"}
    if pads != axes.pads and average and count_include_pad:
        return {"note": "ceil_mode adds elements that count_include_pad does not count: no padding says both"}
    if to == "flax":
        return {"padding": pads, **counted}
    padded = any(map(any, pads))
    same = {} if average and count_include_pad else tf_same(Axes(kernel, stride, pads, dilation), size)
    return same or {"padding": "VALID", **tf_pad(pads), **(special(average, count_include_pad) if padded else {})}


def torch_pool(axes: Axes, average: bool, count_include_pad: bool) -> dict[str, Any]:
    given = torch_pads(axes.pads)
    return {**given, **(special(average, count_include_pad) if "pad" in given else {})}


def special(average: bool, count_include_pad: bool) -> dict[str, Any]:
    """What padding by hand needs besides."""
    if not average:
        return {"pad_value": "-inf"}
    return {} if count_include_pad else {"divide_by_ones": True}


def whole_windows(axes: Axes, size: Sequence[int | str | None] | None) -> list[Pair] | None:
    """The padding with which every window that ``ceil_mode`` adds is whole; ``None`` if that depends on the size.

    A window that would start in the padding behind is none (the operator AveragePool; ``torch.nn.AvgPool2d``).
    """
    if size is None or not all(isinstance(n, int) for n in size):
        return None if any(s > 1 for s in axes.strides) else axes.pads
    pads = []
    for n, window, s, (before, after) in zip(size, axes.windows, axes.strides, axes.pads, strict=True):
        assert isinstance(n, int)
        rest = n + before + after - window
        results = -(-rest // s) + 1
        results -= (results - 1) * s >= n + before
        pads.append((before, max(after, after + (results - 1) * s - rest)))
    return pads
