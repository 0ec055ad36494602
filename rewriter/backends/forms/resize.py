"""Resize: TensorFlow's where it reads the same elements with the same weights, else gathers, weighted and added.

What an axis of the result reads is a matrix ``[result, input]``: ONNX's by the specification of Resize, TensorFlow's
by that of ``tf.raw_ops.ResizeBilinear`` and ``ResizeNearestNeighbor``. Where the two are equal it is one operator.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rewriter.backends.forms.node import Form, Node, NoForm, Value, dims, known, rank, sizes

Matrix = Any  # of numpy, whose types know no arithmetic of any numbers
PROBES = (2, 3, 5, 8, 13)  # sizes that stand for all, where an axis has none
WAYS: tuple[dict[str, bool], ...] = (
    {"half_pixel_centers": True},
    {"align_corners": True},
    {},
)  # in which TensorFlow places elements
NEAREST: dict[str, Callable[[Matrix], Matrix]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


class Axis(NamedTuple):
    """One that changes: its size, that of the result, and the scale with which elements are placed."""

    number: int
    size: int | None
    result: int | None
    scale: float | None  # None: the quotient of both
    computed: Value = None  # the result's size, as a scalar that the graph computes

    @property
    def changes(self) -> bool:
        """Whether the result may be of another size, or read from other places."""
        return self.computed is not None or self.result != self.size or self.scale not in (None, 1.0)

    def sampled(self) -> Iterator[tuple[int, int, float]]:
        """Its sizes and scale; of an axis without a size those of several."""
        if self.size is not None and self.result is not None:
            yield self.size, self.result, self.scale or self.result / self.size
        elif self.scale is not None:
            yield from ((n, int(n * self.scale), self.scale) for n in PROBES if int(n * self.scale))
        elif self.result is not None:
            yield from ((n, self.result, self.result / n) for n in PROBES)
        elif self.computed is not None:
            known = PROBES if self.size is None else (self.size,)
            yield from ((n, result, result / n) for n in known for result in PROBES)
        else:
            raise NoForm("neither its sizes nor its scales are known")


def resize(node: Node, x: Value, *_: Value) -> Value:
    """By scales or to sizes, along the axes that change."""
    if node.attr("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise NoForm("it keeps the ratio of sizes")
    axes = [axis for axis in _axes(node, x) if axis.changes]
    if node.attr("antialias", 0) and any(scale < 1 for axis in axes for *_, scale in axis.sampled()):
        raise NoForm("it shrinks with antialias")
    if not axes:
        return tf.identity(x)
    mode = node.attr("mode", "nearest")
    for way in WAYS if mode != "cubic" and _is_image(x, axes) else ():
        if all(_agrees(node, axis, way) for axis in axes):
            return _native(x, axes, way, mode)
    for axis in axes:
        x = _weighted(x, axis, _matrix(node, axis))
    return x


def _axes(node: Node, x: Value) -> list[Axis]:
    """All axes that the node names; Upsample and older opsets give scales, or an attribute of them."""
    numbers = [axis % rank(x) for axis in node.attr("axes", range(rank(x)))]
    scales_at = 2 if node.op == "Resize" and node.opset >= 11 else 1
    scales = node.setting("scales", scales_at) if not node.given(3) else None
    now = dims(x)
    results: Sequence[int | None] = node.declared[0] or [None] * rank(x)
    if node.given(3) and known(node.inputs[3]) is None:
        return [*_computed(node, x, numbers, node.inputs[3])]
    if node.given(3):
        wanted = dict(zip(numbers, node.static(3).tolist(), strict=True))
        results = [wanted.get(axis, size) for axis, size in enumerate(now)]
    factors = [None] * len(numbers) if not scales else [float(scale) for scale in scales]
    return [Axis(axis, now[axis], results[axis], scale) for axis, scale in zip(numbers, factors, strict=True)]


def _computed(node: Node, x: Value, numbers: Sequence[int], wanted: Value) -> Iterator[Axis]:
    """The axes that are brought to sizes that the graph computes: not batches, which no image is resized along."""
    now, declared = dims(x), node.declared[0] or [None] * rank(x)
    for place, axis in enumerate(numbers):
        if axis > 0 and (now[axis] is None or now[axis] != declared[axis]):
            yield Axis(axis, now[axis], None, None, tf.cast(wanted[place], tf.int32))


def _is_image(x: Value, axes: list[Axis]) -> bool:
    return rank(x) in (3, 4) and all(0 < axis.number < rank(x) - 1 for axis in axes)


def _native(x: Value, axes: list[Axis], way: dict[str, bool], mode: str) -> Value:
    """One operator on an image; one axis of space is an image of height 1."""
    if rank(x) == 3:
        wide = [axis._replace(number=2) for axis in axes]
        return tf.squeeze(_native(tf.expand_dims(x, 1), wide, way, mode), 1)
    wanted = sizes(x)
    for axis in axes:
        wanted[axis.number] = _result(axis, wanted[axis.number])
    function = tf.raw_ops.ResizeBilinear if mode == "linear" else tf.raw_ops.ResizeNearestNeighbor
    return function(images=x, size=tf.stack(wanted[1:3]), **way)


def _result(axis: Axis, size: Value) -> Value:
    """The size of the result, of that of the input."""
    if axis.result is not None or axis.computed is not None:
        return axis.computed if axis.result is None else axis.result
    if axis.scale is None or axis.scale != int(axis.scale):
        raise NoForm("its sizes are not known, and its scales are not whole")
    return size * int(axis.scale)


def _agrees(node: Node, axis: Axis, way: dict[str, bool]) -> bool:
    """Whether TensorFlow reads the same along an axis; of equal elements linear weights may differ in the last bits."""
    return all(
        np.allclose(_onnx_matrix(node, *sampled), _tensorflow_matrix(node, *sampled[:2], **way), atol=1e-6)
        for sampled in axis.sampled()
    )


def _weighted(x: Value, axis: Axis, matrix: Matrix) -> Value:
    """The sum of what each element of the result reads: as many gathers as one of them has weights."""
    order = np.argsort(matrix == 0, axis=1, kind="stable")
    taps = int((matrix != 0).sum(1).max())
    parts = []
    for places in order[:, :taps].T:
        weights = matrix[np.arange(len(matrix)), places]
        shape = [-1 if a == axis.number else 1 for a in range(rank(x))]
        part = tf.gather(x, places, axis=axis.number)
        parts.append(part if (weights == 1).all() else part * weights.reshape(shape).astype(np.float32))
    return tf.add_n(parts) if len(parts) > 1 else parts[0]


def _matrix(node: Node, axis: Axis) -> Matrix:
    if axis.size is None or axis.result is None:
        raise NoForm("TensorFlow resizes otherwise, and its sizes are not known")
    ((size, result, scale),) = axis.sampled()
    return _onnx_matrix(node, size, result, scale)


def _onnx_matrix(node: Node, size: int, result: int, scale: float) -> Matrix:
    """``[result, input]``: the weights by the operator's specification."""
    mode, places = node.attr("mode", "nearest"), _places(node, size, result, scale)
    if mode == "nearest":
        rounding = NEAREST[_nearest_mode(node)]
        return np.eye(size)[np.clip(rounding(places), 0, size - 1).astype(int)]
    base = np.floor(places)
    ratio = places - base
    if mode == "linear":
        around: Sequence[int] = (0, 1)
        weights = [1 - ratio, ratio]
    else:
        around, weights = range(-1, 3), _cubic(ratio, node.attr("cubic_coeff_a", -0.75))
    matrix, rows = np.zeros((result, size)), np.arange(result)
    for step, weight in zip(around, weights, strict=True):
        index = (base + step).astype(int)
        is_outside = (index < 0) | (index >= size)
        kept = np.where(is_outside, 0, weight) if node.attr("exclude_outside", 0) else weight
        np.add.at(matrix, (rows, np.clip(index, 0, size - 1)), kept)
    return matrix / matrix.sum(1, keepdims=True) if node.attr("exclude_outside", 0) else matrix


def _nearest_mode(node: Node) -> str:
    """Before opset 11 there is one, which cuts off."""
    return str(node.attr("nearest_mode", "round_prefer_floor")) if node.opset >= 11 else "floor"


def _places(node: Node, size: int, result: int, scale: float) -> Matrix:
    """Where each element of the result lies among those of the input; in float32, as onnxruntime has it."""
    mode = node.attr("coordinate_transformation_mode", "half_pixel") if node.opset >= 11 else "asymmetric"
    factor = np.float32(scale)
    at: Matrix = np.arange(result, dtype=np.float32)
    centres = (at + np.float32(0.5)) / factor - np.float32(0.5)
    if mode == "half_pixel" or (mode == "pytorch_half_pixel" and result > 1):
        return centres
    if mode == "half_pixel_symmetric":
        adjustment = np.float32(result) / (np.float32(size) * factor)
        return np.float32(size) / 2 * (1 - adjustment) + centres
    if mode == "align_corners":
        return at * np.float32(size - 1) / np.float32(result - 1) if result > 1 else at * 0
    if mode == "asymmetric":
        return at / factor
    if mode == "pytorch_half_pixel":
        return at * 0
    if mode == "tf_half_pixel_for_nn":
        return (at + np.float32(0.5)) / factor
    raise NoForm(f"TFLite knows no {mode}")


def _cubic(ratio: Matrix, a: float) -> list[Matrix]:
    """Keys' weights of the four elements around."""

    def near(d: Matrix) -> Matrix:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Matrix) -> Matrix:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(ratio + 1), near(ratio), near(1 - ratio), far(2 - ratio)]


def _tensorflow_matrix(node: Node, size: int, result: int, **way: Any) -> Matrix:
    """``[result, input]`` of TFLite's kernels (``reference/resize_bilinear.h``, ``resize_nearest_neighbor.h``)."""
    aligned, centred = way.get("align_corners", False), way.get("half_pixel_centers", False)
    step = np.float32(size - 1) / np.float32(result - 1) if aligned and result > 1 else np.float32(size / result)
    at: Matrix = np.arange(result, dtype=np.float32)
    if node.attr("mode", "nearest") == "nearest":
        places = (at + np.float32(0.5 if centred else 0)) * step
        index = np.floor(places + np.float32(0.5)) if aligned else np.floor(places)
        return np.eye(size)[np.clip(index, 0, size - 1).astype(int)]
    places = (at + np.float32(0.5)) * step - np.float32(0.5) if centred else at * step
    low = np.maximum(np.floor(places), 0).astype(int)
    high = np.minimum(np.ceil(places), size - 1).astype(int)
    matrix, rows = np.zeros((result, size)), np.arange(result)
    np.add.at(matrix, (rows, low), 1 - (places - low))
    np.add.at(matrix, (rows, high), places - low)
    return matrix


ROWS: dict[str, Form] = {"Resize": resize, "Upsample": resize}
LAST = ROWS
