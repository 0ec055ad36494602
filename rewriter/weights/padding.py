"""Padding of convolutions and pools, from one framework's terms to another's.

Amounts are pairs (before, after), one per spatial axis. TensorFlow's SAME depends on the input's size as soon as there
is a stride, and puts an odd pixel behind: it is written only where it is exactly equal, else ``tf.pad`` amounts are.
"""

from collections.abc import Sequence
from typing import Any

from rewriter.errors import UsageError

TARGETS = ("pytorch", "tensorflow", "tflite", "flax")
Pair = tuple[int, int]
Ints = int | Sequence[int]


def conv_padding(
    kernel: Ints,
    stride: Ints = 1,
    padding: "Ints | Sequence[Pair]" = 0,
    dilation: Ints = 1,
    *,
    to: str = "tensorflow",
    size: Sequence[int | str | None] | None = None,
) -> dict[str, Any]:
    """What a convolution of PyTorch's ``kernel``, ``stride``, ``padding``, ``dilation`` is given in ``to``.

    ``kernel`` has one entry per spatial axis; other arguments may be one number for all. ``padding`` may hold pairs.
    ``size``: that of the input's spatial axes, where known. The result:

    * pytorch: ``padding``, and where it is asymmetric ``pad``, the list for ``torch.nn.functional.pad``
    * tensorflow, tflite: ``padding`` SAME or VALID; with VALID perhaps ``pad``, the list for ``tf.pad``; with SAME
      ``for_size`` where it is equal for inputs of this size but not of any
    * flax: ``padding``, pairs

    Sources: ``tf.nn.convolution`` ("SAME" and "VALID"), ``jax.lax.conv_general_dilated``, ``torch.nn.Conv2d``.
    Raises UsageError on arguments that do not fit each other.
    """
    axes = Axes(kernel, stride, padding, dilation, to)
    if to == "flax":
        return {"padding": axes.pads}
    if to == "pytorch":
        return torch_pads(axes.pads)
    return tf_same(axes, size) or {"padding": "VALID", **tf_pad(axes.pads)}


def conv_transpose_padding(
    kernel: Ints,
    stride: Ints = 1,
    padding: "Ints | Sequence[Pair]" = 0,
    output_padding: Ints = 0,
    dilation: Ints = 1,
    *,
    to: str = "tensorflow",
) -> dict[str, Any]:
    """What a transposed convolution of PyTorch's arguments is given in ``to``. None of it depends on the input's size.

    * pytorch: ``padding`` and ``output_padding``; where these cannot say it, ``crop`` of the result and ``pad`` after
    * tensorflow, tflite: ``padding`` SAME or VALID; ``output_size``, with which ``tf.nn.convN_transpose`` is given
      ``scale * input + offset``; ``output_padding``, with which a Keras layer gives that size; then ``crop``, and
      ``pad`` for ``tf.pad``, of the result (before its bias)
    * flax: ``padding``, pairs, for both values of ``transpose_kernel``

    Why: the whole result has ``(input - 1) * stride + window`` elements, ``window = (kernel - 1) * dilation + 1``.
    PyTorch cuts ``padding`` from both ends and adds ``output_padding`` behind; TensorFlow's VALID is the whole result;
    ``lax.conv_transpose`` is told how far the window goes over both ends. Sources: the operator ConvTranspose of ONNX,
    ``tf.nn.conv2d_transpose``, ``jax.lax.conv_transpose``. Raises UsageError on arguments that do not fit each other.
    """
    axes = Axes(kernel, stride, padding, dilation, to)
    extra = axes.spread(output_padding, "output_padding")
    if to == "flax":
        reach = zip(axes.windows, axes.pads, extra, strict=True)
        return {"padding": [(w - 1 - before, w - 1 - after + more) for w, (before, after), more in reach]}
    if to == "pytorch":
        return torch_transpose(axes, extra)
    return tf_transpose(axes, extra)


class Axes:
    """The arguments of a convolution with one entry per spatial axis, and its windows."""

    def __init__(
        self, kernel: Ints, stride: Ints, padding: "Ints | Sequence[Pair]", dilation: Ints, to: str = "flax"
    ) -> None:
        if to not in TARGETS:
            raise UsageError(f"to is {to!r}; it must be {', '.join(TARGETS)}")
        self.kernel = [kernel] if isinstance(kernel, int) else list(kernel)
        self.strides = self.spread(stride, "stride", least=1)
        self.dilations = self.spread(dilation, "dilation", least=1)
        self.pads = self._pairs(padding)
        self.windows = [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]

    def spread(self, value: Ints, what: str, least: int = 0) -> list[int]:
        values = [value] * len(self.kernel) if isinstance(value, int) else list(value)
        if len(values) != len(self.kernel) or any(v < least for v in values):
            raise UsageError(
                f"{what} is {value}: give {len(self.kernel)} numbers of at least {least}, as the kernel has"
            )
        return values

    def _pairs(self, padding: "Ints | Sequence[Pair]") -> list[Pair]:
        if not isinstance(padding, int) and any(not isinstance(entry, int) for entry in padding):
            sides = [self.spread([pair[side] for pair in padding], "padding") for side in (0, 1)]  # type: ignore[index]
            return list(zip(*sides, strict=True))
        return [(p, p) for p in self.spread(padding, "padding")]  # type: ignore[arg-type]

    def is_same(self, size: Sequence[int | str | None] | None = None) -> bool:
        """Whether TensorFlow's SAME pads this much before, and gives as many results, along every axis."""
        sizes = list(size) if size is not None else [None] * len(self.kernel)
        along = zip(self.windows, self.strides, self.pads, sizes, strict=True)
        return all(same_along(*axis) for axis in along)


def same_along(window: int, stride: int, pads: Pair, size: int | str | None) -> bool:
    if stride == 1:
        return pads == ((window - 1) // 2, window // 2)
    if not isinstance(size, int):
        return False
    results = -(-size // stride)
    total = max((results - 1) * stride + window - size, 0)
    return pads[0] == total // 2 and (size + sum(pads) - window) // stride + 1 == results


def tf_same(axes: Axes, size: Sequence[int | str | None] | None) -> dict[str, Any]:
    """SAME where it is equal to padding that is not 0; else nothing."""
    if not any(map(any, axes.pads)) or not axes.is_same(size):
        return {}
    return {"padding": "SAME"} if axes.is_same() else {"padding": "SAME", "for_size": list(size or ())}


def tf_pad(pads: Sequence[Pair]) -> dict[str, Any]:
    """The list for ``tf.pad`` of a channels-last tensor; nothing where nothing is padded."""
    return {"pad": [(0, 0), *pads, (0, 0)]} if any(map(any, pads)) else {}


def torch_pads(pads: Sequence[Pair]) -> dict[str, Any]:
    """``torch.nn.functional.pad`` counts axes from the last one."""
    if all(before == after for before, after in pads):
        return {"padding": [before for before, _ in pads]}
    return {"padding": [0] * len(pads), "pad": [amount for pair in reversed(pads) for amount in pair]}


def torch_transpose(axes: Axes, extra: Sequence[int]) -> dict[str, Any]:
    """PyTorch cuts as much before as behind; what is cut more before is added behind again by ``output_padding``."""
    most = [max(s, d) for s, d in zip(axes.strides, axes.dilations, strict=True)]
    behind = [before - after + more for (before, after), more in zip(axes.pads, extra, strict=True)]
    if all(0 <= b < m for b, m in zip(behind, most, strict=True)):
        return {"padding": [before for before, _ in axes.pads], "output_padding": behind}
    cut, grown = cut_behind(axes.pads, extra)
    after = {"pad": [amount for pair in reversed(grown) for amount in pair]} if any(map(any, grown)) else {}
    zeros = [0] * len(cut)
    return {"padding": zeros, "output_padding": zeros, "crop": cut, **after}


def tf_transpose(axes: Axes, extra: Sequence[int]) -> dict[str, Any]:
    along = list(zip(axes.windows, axes.strides, axes.pads, extra, strict=True))
    lost = [before + after - more for _, _, (before, after), more in along]
    offsets = [w - s - t for (w, s, _, _), t in zip(along, lost, strict=True)]
    whole = [max(w - s, 0) for w, s, _, _ in along]  # what Keras gives; zeros end it where windows leave gaps
    if all(not b and -s < t <= 0 for (_, s, (b, _), _), t in zip(along, lost, strict=True)):
        return tf_sized("VALID", axes.strides, offsets, [-t for t in lost] if offsets != whole else None)
    if all(-s < o <= 0 and b == max(t, 0) // 2 for (_, s, (b, _), _), t, o in zip(along, lost, offsets, strict=True)):
        behind = [o + s - w + w // 2 * 2 for (w, s, _, _), o in zip(along, offsets, strict=True)]
        return tf_sized("SAME", axes.strides, offsets, behind if any(offsets) else None)
    gaps = [(before, after + max(s - w, 0)) for w, s, (before, after), _ in along]
    cut, grown = cut_behind(gaps, extra)
    return {**tf_sized("VALID", axes.strides, whole, None), "crop": cut, **tf_pad(grown)}


def tf_sized(padding: str, scale: list[int], offset: list[int], behind: list[int] | None) -> dict[str, Any]:
    return {"padding": padding, "output_size": {"scale": scale, "offset": offset}, "output_padding": behind}


def cut_behind(pads: Sequence[Pair], extra: Sequence[int]) -> tuple[list[Pair], list[Pair]]:
    """What to cut off the whole result, and the zeros to add behind."""
    behind = [after - more for (_, after), more in zip(pads, extra, strict=True)]
    cut = [(before, max(b, 0)) for (before, _), b in zip(pads, behind, strict=True)]
    return cut, [(0, max(-b, 0)) for b in behind]
