"""Windows of convolutions and pools in TensorFlow's terms; the arithmetic is ``rewriter.weights.windows``'s."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from rewriter.backends.forms.node import Node, NoForm, Value, dims
from rewriter.weights.windows import Pair, Windows, pads_of, windows_of

OPEN = "its padding depends on a size that is not known"


def windows(node: Node, x: Value, kernel: Sequence[int]) -> tuple[Windows, bool]:
    """Those of a convolution or pool on ``x``, of shape ``[N, spatial..., C]``; whether SAME pads as much.

    It does for SAME_UPPER, whatever the size; of one that is not known there are no ``pads`` then. Raises NoForm.
    """
    size = dims(x)[1:-1]
    ones = [1] * len(kernel)
    bare = windows_of(kernel, node.attr("strides") or ones, 0, node.attr("dilations") or ones, size)
    pads = pads_of(node.attrs, bare)
    if pads is None and node.attr("auto_pad") != "SAME_UPPER":
        raise NoForm(OPEN)
    at = replace(bare, pads=pads or [])
    return at, pads is None or at.is_same(size)


def padded(x: Value, pads: Sequence[Pair], **how: Any) -> Value:
    """``x``, ``[N, spatial..., C]``, with as many elements before and after along each spatial axis."""
    return tf.pad(x, [(0, 0), *pads, (0, 0)], **how) if any(map(any, pads)) else x
