"""Layouts as letters: where each axis of a tensor is stored.

``N`` batch, ``C`` channels, ``D H W`` space; of a kernel ``O`` output channels, ``I`` input channels (of one group);
``1`` an axis of size one. Of a depthwise kernel, ``C`` in "1HWC" are its output channels, and ``CM`` in "HWCM" the
input channels and the multiplier: output channel ``c * M + m`` reads input channel ``c``.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from passes.layout.layout import natural
from passes.layout.perm import Perm
from passes.layout.vector import reordered
from rewriter.errors import UsageError
from rewriter.weights.coercion import letters_in, number, numbers
from rewriter.weights.tensors.arrays import array_of

Array = NDArray[Any]


def convert_layout(array: Any, old: str, new: str, *, groups: SupportsIndex | None = None) -> Array:
    """``array``, whose axes are ``old`` ("OIHW"), with its axes as ``new`` ("HWIO").

    ``array``: of NumPy, or a tensor, parameter or variable of PyTorch, TensorFlow or JAX. Letters may be small ones.
    ``groups``: the input channels of a depthwise convolution, for a ``new`` with a multiplier ("HWCM").
    Layouts: PyTorch's documentation of ``Conv2d`` (OIHW) and ``ConvTranspose2d`` (IOHW); TensorFlow's of
    ``tf.nn.conv2d`` (HWIO), ``tf.nn.conv2d_transpose`` (HWOI) and ``tf.nn.depthwise_conv2d`` (HWCM); TFLite's
    CONV_2D (OHWI) and DEPTHWISE_CONV_2D (1HWC). Raises UsageError where letters do not match each other or the shape.
    """
    source, old, new = array_of(array), letters_in(old, "old"), letters_in(new, "new")
    check_letters(old, source.shape)
    check_letters(new)
    groups = None if groups is None else number(groups, "groups", 1)
    moved = source.reshape(plain_shape(old, source.shape)).transpose(perm_between(old, new))
    return np.ascontiguousarray(moved.reshape(written_shape(new, moved.shape, groups)))


def flatten_order(
    array: Any, axis: SupportsIndex, chw: Iterable[SupportsIndex], to: str = "HWC", order: str = "CHW"
) -> Array:
    """``array`` with the elements along ``axis``, a flattened map, in the order ``to`` instead of ``order``.

    ``chw`` are the map's sizes, in the order that ``order`` names. A Linear ``[out, C*H*W]`` behind a Flatten is
    reordered along axis 1, a Dense ``[C*H*W, out]`` along axis 0. Raises UsageError on sizes or letters that cannot be.
    """
    source, to, order = array_of(array), letters_in(to, "to"), letters_in(order, "order")
    check_letters(order)
    chw, axis = numbers(chw, "chw", len(order), 1, f"one for each letter of {order}"), number(axis, "axis")
    if sorted(order) != sorted(to):
        raise UsageError(f"order {order!r} and order {to!r} name different axes: give each letter once in both")
    if not -source.ndim <= axis < source.ndim:
        raise UsageError(f"axis {axis} of an array of {source.ndim} axes: give one of its axes")
    axis %= source.ndim
    if source.shape[axis] != int(np.prod(chw)):
        sizes = "x".join(map(str, chw))
        raise UsageError(f"axis {axis} has {source.shape[axis]} elements, not {sizes} = {int(np.prod(chw))} ({order})")
    moved = reordered(chw, tuple(order.index(letter) for letter in to))
    return np.ascontiguousarray(natural(source.ndim).with_along({axis: moved}).apply(source))


def perm_between(old: str, new: str) -> Perm:
    """The perm from the plain form of ``old`` to that of ``new``. Raises UsageError if they name different axes."""
    before, after = plain(old), plain(new)
    if Counter(before) != Counter(after):
        raise UsageError(f"layouts {old!r} and {new!r} name different axes: no perm leads from one to the other")
    return tuple(before.index(letter) for letter in after)


def plain(letters: str) -> str:
    """The layout as it is without axes of size one and multipliers: "HWCM" is HWOI, "1HWC" is IHWO, "O1WI" is OWI."""
    if "M" in letters:
        return letters.replace("CM", "OI")
    if is_depthwise(letters):
        letters = letters.replace("1", "I", 1).replace("C", "O")
    return letters.replace("1", "")


def is_depthwise(letters: str) -> bool:
    """Whether the letters are those of a depthwise kernel only."""
    return "M" in letters or ("1" in letters and "O" not in letters)


def plain_shape(letters: str, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of an array in the plain form of its layout."""
    sizes = dict(zip(letters, shape, strict=True))
    if is_depthwise(letters):
        sizes |= {"O": sizes["C"] * sizes.get("M", 1), "I": 1}
    return tuple(sizes[letter] for letter in plain(letters))


def written_shape(letters: str, shape: Sequence[int], groups: int | None = None) -> tuple[int, ...]:
    """The other way round: ``shape`` is that of the plain form of ``letters``. Raises UsageError if it cannot be."""
    sizes = dict(zip(plain(letters), shape, strict=True)) | {"1": 1}
    if is_depthwise(letters):
        out, per_group = sizes["O"], sizes["I"]
        if per_group != 1:
            raise UsageError(
                f"{letters} is for depthwise kernels, with 1 input channel per group; this one has {per_group}"
            )
        if "M" in letters and (not groups or out % groups):
            raise UsageError(f"{letters} needs groups=, the number of input channels, of which {out} is a multiple")
        sizes |= {"C": groups, "M": out // groups} if groups and "M" in letters else {"C": out}
    return tuple(sizes[letter] for letter in letters)


def check_letters(letters: str, shape: Sequence[int] | None = None) -> None:
    """Raises UsageError if ``letters`` are no layout, or not one of an array of this shape."""
    axes = letters.replace("1", "")
    if not re.fullmatch("[A-Z1]+", letters) or len(set(axes)) != len(axes):
        raise UsageError(f"layout {letters!r}: write each axis as one capital letter, such as OIHW or NHWC")
    if "M" in letters and "CM" not in letters:
        raise UsageError(f"layout {letters!r}: a multiplier M stands behind its channels C, as in HWCM")
    if shape is None:
        return
    if len(letters) != len(shape):
        raise UsageError(f"layout {letters!r} has {len(letters)} axes, the array has {len(shape)}: {tuple(shape)}")
    if any(letter == "1" and size != 1 for letter, size in zip(letters, shape, strict=True)):
        raise UsageError(f"layout {letters!r}: the axis 1 must have size 1, the array has shape {tuple(shape)}")
