"""The forms of the cases of TVM's ConvertLayout; a Conv in NHWC is one between Transposes."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tests.peers.case import Case, cases, moved
from tests.support.graphs import Array

Weights = Mapping[str, Array | Sequence[int]]

KERNEL, HALF, POINT = (6, 6, 3, 3), (4, 6, 3, 3), (4, 6, 1, 1)
LAST, FIRST, LESS = (1, 8, 8, 6), (1, 6, 8, 8), (1, 8, 8, 4)
X_LAST, X_FIRST = "float[1,8,8,6] x", "float[1,6,8,8] x"
INT8 = "float s = {0.05}, int8 z = {0}"
ONE: Weights = {"w": KERNEL}
TWO: Weights = {**ONE, "v": KERNEL}


def last(x: str, y: str, w: str = "w", op: str = "Conv", pads: int = 1) -> str:
    """A Conv in NHWC."""
    return (
        f"{x}_in = T0312({x}) {y}_out = {op}<pads=[{pads}, {pads}, {pads}, {pads}]>({x}_in, {w}) {y} = T0231({y}_out)"
    )


def first(x: str, y: str, w: str = "w", pads: int = 1) -> str:
    """A Conv in NCHW."""
    return f"{y} = Conv<pads=[{pads}, {pads}, {pads}, {pads}]>({x}, {w})"


def quantised(x: str, y: str, w: str = "w", at: str = "last") -> str:
    """A QLinearConv in NHWC or NCHW."""
    ops = f"{y}_out = QLinearConv<pads=[1, 1, 1, 1]>({x}_in, s, z, {w}, s, z, s, z)"
    if at == "last":
        return f"{x}_in = T0312({x}) {ops} {y} = T0231({y}_out)"
    return ops.replace(f"{x}_in", x).replace(f"{y}_out", y)


def converted(to: str, dialect: str, x: str) -> Callable[..., list[Case]]:
    """What makes cases that are converted so, and read ``x`` if nothing else is said."""
    usual, options = x, {"to": to, "dialect": dialect}

    def form(
        name: str,
        ops: str,
        left: tuple[int, int],
        *,
        x: str = usual,
        ends: str = "float[] y",
        held: str = "",
        opset: int = 17,
        weights: Weights = ONE,
    ) -> list[Case]:
        text = f"({x}) => ({ends}) <{held}> {{ {ops} }}"
        return cases(name, text, (opset,), weights=weights, left=left, options=options)

    return form


TO_NCHW, TO_NHWC = converted("nchw", "onnx", X_LAST), converted("nhwc", "function", X_FIRST)
BOTH = moved(LAST, LAST)
BIASED = f"{last('x', 'c')} b = Add(c, k) r = Relu(b)"
POOLED = "p_in = T0312(r) p_out = MaxPool<kernel_shape=[2, 2]>(p_in) p = T0231(p_out) i = Cast<to=6>(p) y = Flatten(i)"
RESIDUAL = f"{last('x', 'a')} ra = Relu(a) b_out = Conv(x_in, v) b = T0231(b_out) rb = Relu(b) u = Add(ra, rb)"
GLOBAL = "g_in = T0312(u) g = GlobalMaxPool(g_in) y = T0231(g)"
NORM: Weights = {"w": KERNEL, "g": (6,), "b": (6,)}
BATCH: Weights = {**NORM, "m": (6,), "q": (6,)}
TINY: Weights = {"w": (5, 6, 1, 1)}
TINY_X, TINY_OPS = "float[1,1,1,6] x", f"{last('x', 'c', pads=0)} r = Relu(c)"
ROIS = "rois = Constant<value_floats=[0.0, 0.0, 5.0, 6.0, 1.0, 2.0, 7.0, 7.0]>() rs = Reshape(rois, to)"
ROI = f"{first('x', 'c')} {ROIS} y = RoiAlign<output_height=3, output_width=2, spatial_scale=0.5>(c, rs, of)"
ROI_HELD = "int64[2] to = {2, 4}, int64[2] of = {0, 0}"

NUMBERS = np.arange(324, dtype=np.int16).astype(np.int8).reshape(KERNEL)
INT: Weights = {"w": NUMBERS}
TWO_INTS: Weights = {"w": NUMBERS, "v": NUMBERS}
MIXED: Weights = {**TWO, "q": NUMBERS}
RESIDUALS: Weights = {"w": HALF, "v": POINT}
LAST_BIAS: Weights = {**ONE, "k": (6,)}
FIRST_BIAS: Weights = {**ONE, "k": (6, 1, 1)}
INTS, QX_LAST, QX_FIRST = (2, 768), "int8[1,8,8,6] x", "int8[1,6,8,8] x"
HALVES = moved(LAST, (1, 8, 8, 3), (1, 8, 8, 3))


def deformable(at: str) -> str:
    """With a bias, a pool and a Flatten."""
    end = "i = Cast<to=6>(p) y = Flatten(i)"
    if at == "nchw":
        return f"c = DeformConv(x, w, o) b = Add(c, k) r = Relu(b) p = MaxPool<kernel_shape=[2, 2]>(r) {end}"
    conv = "x_in = T0312(x) o_in = T0312(o) c = DeformConv(x_in, w, o_in) b = Add(c, k) r = Relu(b)"
    return f"{conv} p_in = MaxPool<kernel_shape=[2, 2]>(r) p = T0231(p_in) {end}"
