"""The padding of ONNX's convolutions and pools, as pairs: ``pads``, ``auto_pad`` or ``output_shape``."""

from collections.abc import Mapping, Sequence
from typing import Any

from rewriter.weights.windows import Pair, Windows, same_total


def pads_of(attrs: Mapping[str, Any], windows: Windows) -> list[Pair] | None:
    """The padding of a convolution or pool; ``None`` if it depends on a size that is not known."""
    auto, rank = attrs.get("auto_pad", "NOTSET"), len(windows.kernel)
    if auto.startswith("SAME"):
        along = zip(windows.extents, windows.strides, windows.size or [None] * rank, strict=True)
        totals = [same_total(*axis) for axis in along]
        return None if None in totals else [halves(total, auto) for total in totals if total is not None]
    pads = (attrs.get("pads") if auto == "NOTSET" else None) or [0] * 2 * rank
    return list(zip(pads[:rank], pads[rank:], strict=True))


def transpose_pads_of(attrs: Mapping[str, Any], windows: Windows, extra: Sequence[int]) -> list[Pair] | None:
    """Of a transposed convolution: ``pads``, or what ``output_shape`` or SAME (``input * stride``) leave to cut.

    ``extra``: its ``output_padding``. ``None`` if it depends on a size that is not known, or cuts what there is not.
    """
    auto, wanted = attrs.get("auto_pad", "NOTSET"), attrs.get("output_shape")
    if not wanted and not auto.startswith("SAME"):
        return pads_of(attrs, windows)
    over = [w - s + more for w, s, more in zip(windows.extents, windows.strides, extra, strict=True)]
    if not wanted:
        return cut(over, auto)
    if windows.size is None or not all(isinstance(n, int) for n in windows.size):
        return None
    whole = [int(n or 0) * s + more for n, s, more in zip(windows.size, windows.strides, over, strict=True)]
    return cut([w - out for w, out in zip(whole, wanted[-len(whole) :], strict=True)], auto)


def cut(totals: Sequence[int], auto_pad: str) -> list[Pair] | None:
    """Totals to cut off both ends, as pairs; ``None`` if one is negative."""
    return [halves(total, auto_pad) for total in totals] if min(totals) >= 0 else None


def halves(total: int, auto_pad: str) -> Pair:
    """A total as before and behind: the larger part is behind with SAME_UPPER, else before."""
    less, more = total // 2, total - total // 2
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)
