"""Operators that put elements elsewhere: by axes, in parts, around the edges."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from rewriter.backends.forms.node import Form, Node, NoForm, Value, axes_of, dims, known, rank, sizes, whole

FAR = 2**31 - 1  # beyond the end of any axis


def transpose(node: Node, x: Value) -> Value:
    """As numpy: without a perm the axes are reversed."""
    return tf.transpose(x, node.attr("perm"))


def concat(node: Node, *parts: Value) -> Value:
    """Empty parts are none; parts keep their order."""
    return tf.concat(list(parts), node.attr("axis") % rank(parts[0]))


def split(node: Node, x: Value, *_: Value) -> list[Value]:
    """Sizes are an attribute, an input, or all alike but the last."""
    axis = node.attr("axis", 0) % rank(x)
    lengths = node.setting("split", 1)
    if lengths is None:
        (size,), parts = whole(dims(x)[axis : axis + 1]), len(node.declared)
        each = -(-size // parts)
        lengths = [min(each, size - each * part) for part in range(parts)]
    is_equal = len({*lengths}) == 1 and x.dtype == np.float32  # SPLIT, which XNNPACK has, and TFLite not of int64
    return list(tf.split(x, len(lengths) if is_equal else lengths, axis))


def slices(node: Node, x: Value, *_: Value) -> Value:
    """From ``starts`` to ``ends`` by ``steps``, along ``axes``; inputs, or attributes before opset 10.

    Ends that are computed are taken as they are: those before the first element (``-FAR``) are for constants.
    """
    starts, ends = (_bounds(node, name, index) for index, name in ((1, "starts"), (2, "ends")))
    count = dims(starts)[0]
    axes = node.setting("axes", 3, list(range(count or 0)))
    steps = node.setting("steps", 4, [1] * len(axes))
    constant = known(starts), known(ends)
    if constant[0] is None or constant[1] is None:
        return _computed_slice(x, axes, steps, starts, ends)
    parts = [slice(None)] * rank(x)
    for axis, start, end, step in zip(axes, constant[0].tolist(), constant[1].tolist(), steps, strict=True):
        parts[axis] = _part(start, end, step)
    return x[tuple(parts)]


def _bounds(node: Node, name: str, index: int) -> Value:
    return node.inputs[index] if node.given(index) else np.array(node.attr(name), np.int64)


def _part(start: int, end: int, step: int) -> slice:
    """Python's slice: what is beyond the ends is none; backwards it begins at the last one."""
    first = None if (start >= FAR if step < 0 else start <= -FAR) else min(max(start, -FAR), FAR)
    last = None if (end <= -FAR if step < 0 else end >= FAR) else min(max(end, -FAR), FAR)
    return slice(first, last, step)


def _computed_slice(x: Value, axes: Any, steps: Any, starts: Value, ends: Value) -> Value:
    if any(step != 1 for step in steps):
        raise NoForm("its bounds are computed and its steps are not 1")
    parts: list[Any] = [slice(None)] * rank(x)
    lengths = sizes(x)
    for place, axis in enumerate(axes):
        size = tf.cast(lengths[axis], tf.as_dtype(ends.dtype))
        parts[axis] = slice(starts[place], tf.minimum(ends[place], size))
    return x[tuple(parts)]


def pad(node: Node, x: Value, *_: Value) -> Value:
    """Constants around, or elements of ``x``: mirrored without the edge, the edge's, or those of the other end."""
    mode, axes = node.attr("mode", "constant"), axes_of(node, x, 3)
    if mode == "constant":
        return _pad_constant(node, x, axes)
    amounts = np.zeros((rank(x), 2), np.int64)
    amounts[axes] = np.reshape(node.setting("pads", 1), (2, -1)).T
    for axis in np.flatnonzero(amounts.any(1)):
        (size,) = whole(dims(x)[axis : axis + 1])
        kind: Any = {"edge": "edge", "wrap": "wrap"}.get(mode, "reflect")
        places = np.pad(np.arange(size), np.maximum(amounts[axis], 0), kind)
        before, after = -np.minimum(amounts[axis], 0)
        x = tf.gather(x, places[before : len(places) - after], axis=int(axis))
    return x


def _pad_constant(node: Node, x: Value, axes: list[int]) -> Value:
    value = node.inputs[2] if node.given(2) else np.array(node.attr("value", 0))
    pads: Value = node.inputs[1] if node.given(1) else np.array(node.attr("pads"))
    constant = known(pads)
    if constant is None:
        if axes != list(range(rank(x))):
            raise NoForm("its pads are computed, of some axes only")
        return tf.pad(x, tf.stack([pads[: rank(x)], pads[rank(x) :]], 1), constant_values=tf.cast(value, x.dtype))
    amounts = np.zeros((rank(x), 2), np.int64)
    amounts[axes] = constant.reshape(2, -1).T
    cut = tuple(slice(-min(before, 0), min(after, 0) or None) for before, after in amounts.tolist())
    x = x[cut] if (amounts < 0).any() else x
    more = np.maximum(amounts, 0)
    if not more.any():
        return tf.identity(x)
    if known(value) is not None and not known(value).any():  # PAD, which XNNPACK has
        return tf.pad(x, more)
    return tf.pad(x, more, constant_values=tf.cast(value, x.dtype))


def tile(_: Node, x: Value, repeats: Value) -> Value:
    """As numpy."""
    return tf.tile(x, repeats)


def expand(node: Node, x: Value, shape: Value) -> Value:
    """Both are broadcast to each other: the shape need not be the larger one."""
    declared = node.declared[0]
    if declared is not None and None not in declared:
        return tf.broadcast_to(x, declared)
    return tf.broadcast_to(x, tf.broadcast_dynamic_shape(tf.shape(x), tf.cast(shape, tf.int32)))


def col2im(node: Node, x: Value, *_: Value) -> Value:
    """Patches ``[N, C * kernel, places]`` side by side in an image ``[N, C, H, W]``."""
    image, kernel = node.static(1).tolist(), node.static(2).tolist()
    ones = [1] * len(kernel)
    if node.attr("strides", ones) != kernel or any(node.attr("pads", [])) or set(node.attr("dilations", ones)) != {1}:
        raise NoForm("its patches overlap, or have gaps or a padding")
    axes = len(kernel)
    places = [size // k for size, k in zip(image, kernel, strict=True)]
    if [p * k for p, k in zip(places, kernel, strict=True)] != image:
        raise NoForm("its patches do not fill the image")
    channels = whole(dims(x)[1:2])[0] // math.prod(kernel)
    parts = tf.reshape(x, [-1, channels, *kernel, *places])
    order = [axis for k in range(axes) for axis in (2 + axes + k, 2 + k)]
    return tf.reshape(tf.transpose(parts, [0, 1, *order]), [-1, channels, *image])


ROWS: dict[str, Form] = {
    "Col2Im": col2im,
    "Concat": concat,
    "Expand": expand,
    "Pad": pad,
    "Slice": slices,
    "Split": split,
    "Tile": tile,
    "Transpose": transpose,
}
