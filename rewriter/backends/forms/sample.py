"""GridSample on channels-last tensors: gathers of the elements around each place, weighted and added."""

from itertools import product
from math import prod

import numpy as np
import tensorflow as tf

from rewriter.backends.forms.node import Form, Node, NoForm, Value, dims, whole


def grid_sample(node: Node, x: Value, grid: Value) -> Value:
    """``x`` ``[N, spatial..., C]`` at the places of ``grid`` ``[N, results..., axes]``, the last spatial axis first.

    -1 and 1 are the outer edges of the image, or with ``align_corners`` the centres of its outer elements.
    """
    mode = node.attr("mode", "linear")
    if "cubic" in mode:
        raise NoForm("it is cubic")
    lengths = whole(dims(x)[1:-1])
    along = tf.unstack(grid, axis=-1)[::-1]
    places = [_place(node, one, length) for one, length in zip(along, lengths, strict=True)]
    if mode == "nearest":
        return _element(node, x, [tf.round(place) for place in places], lengths)
    low = [tf.floor(place) for place in places]
    above = [place - floor for place, floor in zip(places, low, strict=True)]
    parts = []
    for steps in product((0, 1), repeat=len(lengths)):
        corner = [floor + step for floor, step in zip(low, steps, strict=True)]
        weight = prod((part if step else 1 - part for part, step in zip(above, steps, strict=True)), start=1.0)
        parts.append(_element(node, x, corner, lengths) * tf.expand_dims(weight, -1))
    return tf.add_n(parts)


def _place(node: Node, one: Value, length: int) -> Value:
    """Where a coordinate lies among the elements along an axis, in elements."""
    aligned, padding = node.attr("align_corners", 0), node.attr("padding_mode", "zeros")
    place = (one + 1) * np.float32((length - 1) / 2) if aligned else ((one + 1) * np.float32(length) - 1) * 0.5
    if padding == "zeros":
        return tf.clip_by_value(place, -2.0, length + 1.0)  # farther out it is the same, and an index stays one
    if padding == "reflection":
        first, span = (0.0, length - 1.0) if aligned else (-0.5, float(length))
        place = first + span - tf.abs(tf.math.floormod(place - first, 2 * span) - span) if span else place * 0
    return tf.clip_by_value(place, 0.0, length - 1.0)


def _element(node: Node, x: Value, places: list[Value], lengths: list[int]) -> Value:
    """The elements at whole places; of those outside the nearest one, or 0."""
    ends = [length - 1.0 for length in lengths]
    inside = [tf.clip_by_value(place, 0.0, end) for place, end in zip(places, ends, strict=True)]
    found = tf.gather_nd(x, tf.cast(tf.stack(inside, -1), tf.int32), batch_dims=1)
    if node.attr("padding_mode", "zeros") != "zeros":
        return found
    same = [tf.cast(tf.equal(place, kept), tf.float32) for place, kept in zip(places, inside, strict=True)]
    return found * tf.expand_dims(prod(same, start=1.0), -1)


LAST: dict[str, Form] = {"GridSample": grid_sample}
