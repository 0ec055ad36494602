"""Windows of convolutions and pools, one entry per spatial axis; their padding in ONNX, and where SAME equals it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, SupportsIndex

from rewriter.errors import UsageError
from rewriter.weights.coercion import entries, number, numbers, shown, whole

WORDS = SAME, VALID = ("SAME", "VALID")
Pair = tuple[int, int]  # of padding: before, after
Ints = SupportsIndex | Sequence[SupportsIndex]
Pads = Ints | Sequence[Sequence[SupportsIndex]] | str  # numbers, pairs, or a word
Size = SupportsIndex | str | None
Sizes = Size | Sequence[Size]  # of the input's spatial axes, where known
Settings = dict[str, Any]


@dataclass(frozen=True)
class Windows:
    """The arguments of a convolution or pool. ``counted``: zeros of the padding are elements of an average."""

    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    pads: list[Pair]
    size: list[int | str | None] | None = None
    counted: bool = False

    @property
    def extents(self) -> list[int]:
        """Elements from the first to the last that a window reads."""
        return [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]

    def is_same(self, size: Sequence[int | str | None] | None) -> bool:
        """Whether SAME pads this much before, and gives as many results, along every axis, and counts as much."""
        sizes = [None] * len(self.kernel) if size is None else size
        along = zip(self.extents, self.strides, self.pads, sizes, strict=True)
        return not self.counted and all(is_same_along(*axis) for axis in along)


def windows_of(kernel: Ints, stride: Ints, padding: Pads, dilation: Ints, size: Sizes = None) -> Windows:
    """The windows of a kernel with one entry per axis; the others may be one number for all axes, ``padding`` pairs.

    Raises UsageError on arguments that do not fit each other.
    """
    rank = 1 if whole(kernel) is not None else max(len(entries(kernel)), 1)
    kernel = numbers(kernel, "kernel", rank, 1, "one for each spatial axis", one_for_all=True)
    windows = Windows(kernel, spread(rank, stride, "stride", 1), spread(rank, dilation, "dilation", 1), [])
    windows = replace(windows, size=sizes_of(rank, size))
    return replace(windows, pads=pads_given(windows, padding))


def spread(rank: int, value: Ints, argument: str, least: int = 0) -> list[int]:
    """``value`` for every axis. Raises UsageError where they are not as many, or less than ``least``."""
    return numbers(value, argument, rank, least, "one for each axis of the kernel", one_for_all=True)


def sizes_of(rank: int, size: Sizes) -> list[int | str | None] | None:
    """A size for each axis; those that are not numbers are not known. Raises UsageError where they are not as many."""
    if size is None:
        return None
    known = [size] * rank if isinstance(size, str) or whole(size) is not None else entries(size)
    if len(known) != rank:
        raise UsageError(f"size is {shown(size)}: give one for each of the {rank} axes of the kernel, or one for all")
    return [n if n is None or isinstance(n, str) else number(n, "size", 0) for n in known]


def pads_given(windows: Windows, padding: Pads) -> list[Pair]:
    """Padding as numbers, pairs, or one of ``WORDS`` in capital letters or not. Raises UsageError on all else."""
    rank, given = len(windows.kernel), entries(padding)
    if isinstance(padding, str):
        return pads_in_word(windows, padding)
    if not any(entries(entry) for entry in given):
        return [(n, n) for n in spread(rank, padding, "padding")]  # type: ignore[arg-type]
    if len(given) != rank:
        raise UsageError(f"padding is {shown(padding)}: give {rank} pairs (before, after), one for each spatial axis")
    before, after = zip(*(numbers(pair, "a pair of padding", 2, 0, "before and after") for pair in given), strict=True)
    return list(zip(before, after, strict=True))


def says_same(padding: Pads) -> bool:
    """Whether padding is the word SAME."""
    return isinstance(padding, str) and padding.upper() == SAME


def pads_in_word(windows: Windows, word: str) -> list[Pair]:
    """What SAME or VALID pads. Raises UsageError where that depends on a size that is not given."""
    if word.upper() not in WORDS:
        raise UsageError(f"padding is {word!r}: give numbers, pairs (before, after), or {' or '.join(WORDS)}")
    if word.upper() == VALID:
        return [(0, 0)] * len(windows.kernel)
    sizes = windows.size or [None] * len(windows.kernel)
    totals = [same_total(*axis) for axis in zip(windows.extents, windows.strides, sizes, strict=True)]
    if None in totals:
        raise UsageError(f"padding is {word!r} with a stride, which depends on the input's size: give that as size")
    return [halves(total, "SAME_UPPER") for total in totals if total is not None]


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
