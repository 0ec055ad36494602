"""Windows of convolutions and pools, one entry per spatial axis; their padding in ONNX, and where SAME equals it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewriter.errors import UsageError

Pair = tuple[int, int]  # of padding: before, after
Ints = int | Sequence[int]
Pads = Ints | Sequence[Pair]
Sizes = Sequence[int | str | None] | None  # of the input's spatial axes, where known
Settings = dict[str, Any]


@dataclass(frozen=True)
class Windows:
    """The arguments of a convolution or pool. ``counted``: zeros of the padding are elements of an average."""

    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    pads: list[Pair]
    size: Sizes = None
    counted: bool = False

    @property
    def extents(self) -> list[int]:
        """Elements from the first to the last that a window reads."""
        return [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]

    def is_same(self, size: Sizes) -> bool:
        """Whether SAME pads this much before, and gives as many results, along every axis, and counts as much."""
        sizes = [None] * len(self.kernel) if size is None else size
        along = zip(self.extents, self.strides, self.pads, sizes, strict=True)
        return not self.counted and all(is_same_along(*axis) for axis in along)


def windows_of(kernel: Ints, stride: Ints, padding: Pads, dilation: Ints, size: Sizes = None) -> Windows:
    """The windows of a kernel with one entry per axis; the others may be one number for all axes, ``padding`` pairs.

    Raises UsageError on arguments that do not fit each other.
    """
    kernel = [kernel] if isinstance(kernel, int) else list(kernel)
    strides, dilations = spread(kernel, stride, "stride", 1), spread(kernel, dilation, "dilation", 1)
    if isinstance(padding, int) or all(isinstance(entry, int) for entry in padding):
        sides = [spread(kernel, padding, "padding")] * 2  # type: ignore[arg-type]
    else:
        sides = [spread(kernel, [pair[side] for pair in padding], "padding") for side in (0, 1)]  # type: ignore[index]
    return Windows(kernel, strides, dilations, list(zip(*sides, strict=True)), size)


def spread(kernel: Sequence[int], value: Ints, argument: str, least: int = 0) -> list[int]:
    """``value`` for every axis of the kernel. Raises UsageError where they are not as many, or less than ``least``."""
    values = [value] * len(kernel) if isinstance(value, int) else list(value)
    if len(values) != len(kernel) or any(v < least for v in values):
        raise UsageError(f"{argument} is {value}: give {len(kernel)} numbers of at least {least}, as the kernel has")
    return values


def is_same_along(extent: int, stride: int, pads: Pair, size: int | str | None) -> bool:
    """Along one axis: https://www.tensorflow.org/api_docs/python/tf/nn, notes on padding."""
    total = same_total(extent, stride, size)
    if total is None or pads[0] != total // 2:
        return False
    if stride == 1 or not isinstance(size, int):
        return sum(pads) == total
    return (size + sum(pads) - extent) // stride + 1 == -(-size // stride)


def same_total(extent: int, stride: int, size: int | str | None) -> int | None:
    """What SAME adds along one axis; ``None`` if that depends on a size that is not known."""
    if stride == 1:
        return extent - 1
    return max((-(-size // stride) - 1) * stride + extent - size, 0) if isinstance(size, int) else None


def whole_pads(windows: Windows) -> list[Pair] | None:
    """The padding with which every window that ``ceil_mode`` adds is whole; ``None`` if that depends on the size.

    A window that would start in the padding behind is none (the operator AveragePool; ``torch.nn.AvgPool2d``).
    """
    sizes = [n for n in windows.size or () if isinstance(n, int)]
    if windows.size is None or len(sizes) != len(windows.size):
        return None if any(s > 1 for s in windows.strides) else windows.pads
    pads = []
    for n, extent, s, (before, after) in zip(sizes, windows.extents, windows.strides, windows.pads, strict=True):
        rest = n + before + after - extent
        results = -(-rest // s) + 1
        results -= (results - 1) * s >= n + before
        pads.append((before, max(after, after + (results - 1) * s - rest)))
    return pads


def cut_behind(pads: Sequence[Pair], output_padding: Sequence[int]) -> tuple[list[Pair], list[Pair]]:
    """Of a transposed convolution: what to cut off the whole result, and the zeros to add behind."""
    behind = [after - more for (_, after), more in zip(pads, output_padding, strict=True)]
    cut = [(before, max(b, 0)) for (before, _), b in zip(pads, behind, strict=True)]
    return cut, [(0, max(-b, 0)) for b in behind]


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
    totals = [w - s + more for w, s, more in zip(windows.extents, windows.strides, extra, strict=True)]
    if wanted:
        sizes = [n for n in windows.size or () if isinstance(n, int)]
        if len(sizes) != len(totals):
            return None
        along = zip(sizes, windows.strides, totals, wanted[-len(totals) :], strict=True)
        totals = [n * s + total - out for n, s, total, out in along]
    return [halves(total, auto) for total in totals] if min(totals) >= 0 else None


def halves(total: int, auto_pad: str) -> Pair:
    """A total as before and behind: the larger part is behind with SAME_UPPER, else before."""
    less, more = total // 2, total - total // 2
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)
