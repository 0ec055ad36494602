"""Resize and Upsample: on images where they resize spatial axes, else per axis."""

from contextlib import suppress
from dataclasses import replace

import numpy as np

from passes.layout.formats import FORMATS
from passes.rules.api import IN, OUT, Array, Layout, Move, Node, Put, Refusal, Rule, RuleFn, Take, perm, register
from passes.rules.image import image


def resize(scales: int) -> RuleFn:
    """Resize and Upsample whose input ``scales`` holds these, the next one (if any) sizes."""

    def rule(node: Node, layout: Layout) -> list[Move]:
        """Per axis, or as a function of the dialect's, which keeps its kernels for channels-first images.

        With the attribute ``axes`` scales or sizes are written densely: onnxruntime 1.31 crashes on a Resize with axes
        next to a Transpose.
        """
        moves = with_dense_vectors(node, layout, scales)
        if not node.attr("axes"):
            return moves
        edits = {i: Put(vector[list(layout.perm)]) for i, vector in dense(node).items()}
        return [replace(move, attrs={**move.attrs, "axes": None}, edits=edits) for move in moves]

    return rule


def with_dense_vectors(node: Node, layout: Layout, scales: int) -> list[Move]:
    """As if scales and sizes had an entry for every axis."""
    p, (certain, possible) = layout.perm, resized(node, scales)
    mode, moved = node.attr("mode", "nearest"), {p.index(axis) for axis in possible}
    may_move = layout.is_natural or interpolates(mode, len(p), moved, grows(node, scales))
    if len(p) not in FORMATS or p[:2] == (0, 1) or certain & {0, 1}:
        if certain & {0, 1} and not may_move:
            raise Refusal(f"runtimes interpolate along neighbouring spatial axes only, and {p} sets them apart")
        return [per_axis(node, layout, scales)]
    if is_crop(node) and p != perm.channels_last(len(p)):
        raise Refusal(f"{node.op} needs its spatial axes in the order of its region of interest")
    if not may_move or not is_plain(node):
        return [image(node, layout)]
    moves = [per_axis(node, layout, scales)]
    with suppress(Refusal):
        moves.append(image(node, layout))
    return moves


def is_crop(node: Node) -> bool:
    """Whether it resizes a region of the image."""
    return bool(node.attr("coordinate_transformation_mode") == "tf_crop_and_resize")


def is_plain(node: Node) -> bool:
    """Whether it resizes without anything that runtimes may have for channels-first images only."""
    antialiased, policy = node.attr("antialias", 0), node.attr("keep_aspect_ratio_policy", "stretch")
    return not is_crop(node) and not antialiased and policy == "stretch"


def per_axis(node: Node, layout: Layout, scales: int) -> Move:
    """Inputs with entries for every axis, from number ``scales`` on scales and sizes; before it (from opset 11 on) the
    region, all begins then all ends."""
    p = layout.perm
    vectors = (i for i in range(1, 4) if node.has(IN(i)) and node.shape(IN(i)) != [0])
    edits = {i: Take(p if i >= scales else perm.reorder_pairs(p)) for i in vectors}
    return node.move({0: layout}, {0: layout}, edits=edits)


def dense(node: Node) -> dict[int, Array]:
    """Scales and sizes of a Resize with the attribute ``axes``, written for every axis."""
    if node.has(IN(1)) and node.shape(IN(1)) != [0]:
        raise Refusal("Resize of a region with the attribute axes")
    if node.attr("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Refusal("Resize with the attribute axes takes its aspect ratio from these axes only")
    index = 2 if node.has(IN(2)) and node.shape(IN(2)) != [0] else 3
    given = node.const(index)
    every = np.ones(node.rank(IN(0)), given.dtype) if index == 2 else np.asarray(node.sizes(IN(0)), given.dtype)
    every[node.attr("axes")] = given
    return {index: every}


def resized(node: Node, scales: int) -> tuple[set[int], set[int]]:
    """The axes that certainly change size, and those that possibly do: by scales, or as their sizes tell."""
    if node.has(IN(scales)) and node.is_constant(scales) and node.const(scales).size:
        factors = dense(node)[scales] if node.attr("axes") else node.const(scales)
        certain = {i for i, factor in enumerate(factors) if factor != 1}
        return certain, certain
    both = list(enumerate(zip(node.shape(IN(0)), node.shape(OUT(0)), strict=True)))
    certain = {i for i, (a, b) in both if isinstance(a, int) and isinstance(b, int) and a != b}
    return certain, {i for i, (a, b) in both if a is None or a != b}


def interpolates(mode: str, rank: int, axes: set[int], grows: bool) -> bool:
    """Whether onnxruntime resizes these axes in this mode (its ScalesValidation; other runtimes do no more).

    ``grows``: no axis gets smaller.
    """
    inner, last = axes <= set(range(2, rank)), rank == 4 and axes <= {1, 2}
    known = {"nearest": True, "linear": inner or last or rank < 4, "cubic": inner or (last and grows) or rank < 3}
    return known.get(mode, inner or rank < 3)


def grows(node: Node, scales: int) -> bool:
    """Whether no axis certainly or possibly gets smaller: only then onnxruntime has a cubic Resize channels-last."""
    if node.has(IN(scales)) and node.is_constant(scales) and node.const(scales).size:
        return all(float(factor) >= 1 for factor in node.const(scales).tolist())
    pairs = zip(node.shape(IN(0)), node.shape(OUT(0)), strict=True)
    return all(a == b or (isinstance(a, int) and isinstance(b, int) and a <= b) for a, b in pairs if a is not None)


def upsample_attr(node: Node, layout: Layout) -> Move:
    """Upsample-7: ``scales`` is an attribute."""
    scales = perm.reorder(layout.perm, node.attr("scales"))
    return node.move({0: layout}, {0: layout}, attrs={"scales": scales})


register("Resize", Rule(resize(scales=1), always_rewrite=True), since=10)
register("Resize", Rule(resize(scales=2), always_rewrite=True), since=11)
register("Upsample", Rule(upsample_attr), since=7)
register("Upsample", Rule(resize(scales=1)), since=9)
