"""The forms of the cases of tf2onnx's transpose optimiser: at several ranks, axes and opsets each."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from tests.peers.case import Case, between, cases, moved
from tests.support.graphs import Array

ALL, UNTIL_12, SINCE_13, UNTIL_17, SINCE_18 = (12, 15, 18), (12,), (15, 18), (12, 15), (18,)
THREE = [((2, 3, 4), "201", "120"), ((2, 3, 4, 5), "0231", "0312"), ((2, 3, 4, 5, 6), "02341", "04123")]
TWO = THREE[1:]
IN_ORDER = [((2, 3, 4), "021", "021"), *TWO]  # their axis 1 has 4 elements when it is transposed
PADS = [(1, 3, 0, 0, 2, 0), (1, 0, 1, 3, 0, 0, 2, 0), (1, 0, 1, 3, 1, 0, 2, 2, 1, 1)]
PADDED = [((3, 4, 5), "201", "120"), ((1, 3, 4, 5), "0231", "0312"), ((1, 3, 4, 5, 6), "02341", "04123")]
REDUCED = [((3, 4, 5), "021", "021"), ((1, 3, 4, 5), "0231", "0312"), ((1, 3, 4, 5, 6), "02341", "04123")]
SUMMED = [(0, [1]), (1, [2]), (1, [1, 2]), (1, [0, 1, 2, 3]), (2, [1]), (2, [1, 2, 3]), (2, [0, 1, 2, 3, 4])]
MAXED = [
    (1, [2], "021"),
    (1, [1, 2], "01"),
    (1, [0, 1, 2, 3], ""),
    (2, [1], "0312"),
    (2, [1, 2, 3], "01"),
    (2, [0, 1, 2, 3, 4], ""),
]
SLICES = [(0, [1]), (1, [1]), (1, [1, 2]), (1, [0, 1, 2, 3]), (2, [2]), (2, [2, 3]), (2, [0, 1, 2, 3, 4])]
NONE = (0, 0)


def permuted(shape: Sequence[int], perm: str) -> tuple[int, ...]:
    """The shape of what a Transpose makes."""
    return tuple(shape[int(axis)] for axis in perm)


def dims(shape: Sequence[int]) -> str:
    """A shape as text."""
    return f"[{','.join(map(str, shape))}]"


def numbers(name: str, values: Sequence[int], kind: str = "int64") -> str:
    """A constant vector as text."""
    return f"{kind}[{len(values)}] {name} = {{{', '.join(map(str, values))}}}"


def each(
    name: str,
    ops: str,
    where: Sequence[tuple[Sequence[int], str, str]] = THREE,
    *,
    x: str = "float",
    more: str = "",
    **other: Any,
) -> list[Case]:
    """At every rank: Transpose, operators, and back; ``more``: another input, as long as axis 1 of the image."""
    other = {"opsets": ALL, "left": NONE, **other}
    return [
        case
        for shape, first, last in where
        for case in between(
            f"{name}/{len(shape)}", f"{x}{dims(shape)} x{more.format(shape[1])}", first, ops, last, **other
        )
    ]


def with_constants(
    name: str,
    ops: str,
    held: Sequence[str],
    where: Sequence[tuple[Sequence[int], str, str]] = THREE,
    *,
    left: int = 0,
    others: str = "",
) -> list[Case]:
    """With constants of the transposed image's shape, and inputs of it; "two" is a constant of one element."""
    found = []
    for shape, first, last in where:
        there = permuted(shape, first)
        inputs = f"float{dims(shape)} x" + "".join(f", float{dims(there)} {one}" for one in others.split())
        remain = moved(*[shape] * left)
        weights = {**dict.fromkeys(held, there), "two": (1,)}
        found += between(f"{name}/{len(shape)}", inputs, first, ops, last, opsets=ALL, left=remain, weights=weights)
    return found


def concat() -> list[Case]:
    return [
        case
        for shape, perm, inner in [((2, 3, 4, 5), "0312", "0231"), ((2, 3, 4, 5, 6), "04123", "02341")]
        for axis in range(len(shape))
        for case in cases(
            f"test_transpose_with_concat/{len(shape)}.{axis}",
            f"(float{dims(permuted(shape, perm))} x, float{dims(shape)} x2) => (float[] y)"
            f" {{ t = T{inner}(x) c = Concat<axis={axis}>(t, x2) y = T{perm}(c) }}",
            ALL,
            left=moved(shape),
        )
    ]


def split() -> list[Case]:
    """Into one part, along each axis."""
    found = []
    for n, (shape, perm, inner) in enumerate(
        [((2, 3, 4, 5), "0312", "0231"), ((2, 3, 4, 5, 6), "04123", "02341"), ((2, 3, 4, 5, 6), "02341", "04123")]
    ):
        for axis, (opsets, attrs) in product(range(len(shape)), [((12, 15), ""), ((18,), ", num_outputs=1")]):
            x = f"float{dims(permuted(shape, perm))} x"
            ops = f"u = Split<axis={axis}{attrs}>(t)"
            found += between(f"test_transpose_with_split/{n}.{axis}", x, inner, ops, perm, opsets=opsets, left=NONE)
    return found


def squeeze(
    name: str, where: Sequence[tuple[Sequence[int], str, Sequence[int]]], op: str = "Squeeze", left: bool = True
) -> list[Case]:
    """The axes of what is transposed, as an attribute until opset 12."""
    found = []
    for shape, perm, axes in where:
        x, remain = f"float{dims(shape)} x", moved(shape) if left else NONE
        found += between(
            f"{name}/{len(shape)}", x, perm, f"y = {op}<axes={list(axes)}>(t)", "", opsets=UNTIL_12, left=remain
        )
        found += between(
            f"{name}/{len(shape)}",
            x,
            perm,
            f"y = {op}(t, k)",
            "",
            held=numbers("k", axes),
            opsets=SINCE_13,
            left=remain,
        )
    return found


def loop() -> list[Case]:
    """Slices are transposed in the body, what is made of them behind."""
    found = []
    for rest, inner, last in [((3, 4), "021", "021"), ((3, 4, 5), "0231", "0312"), ((3, 4, 5, 6), "02341", "04123")]:
        x = ",".join(f"{letter}={size}" for letter, size in zip("abcde", (10, *rest), strict=False))
        ranks = ",".join("klmno"[: len(rest)])
        for opsets, squeeze in ((UNTIL_12, "Squeeze<axes=[0]>(t)"), (SINCE_13, "Squeeze(t, axes)")):
            body = (
                f"body = b (int64[1] i, bool c, bool d) => (bool co, bool cd, float[{ranks}] s)"
                f" {{ g = Gather(x, i) t = T{inner}(g) s = {squeeze} co = Identity(c) cd = Identity(c) }}"
            )
            text = (
                f"(float[{x}] x) => (float[] y) <int64 n = {{10}}, bool k = {{1}}, int64[1] axes = {{0}}>"
                f" {{ m, r = Loop<{body}>(n, k, k) y = T{last}(r) }}"
            )
            found += cases(f"test_transpose_with_loop/{len(rest) + 1}", text, opsets, left=NONE)
    return found


def subtracted() -> list[Case]:
    """A constant, or an input, of the shape of the image or of its last axes, on either side."""
    found = []
    for (shape, first, last), right in product(THREE, (True, False)):
        there = permuted(shape, first)
        ops = f"u = Sub({'t, k' if right else 'k, t'})"
        for cut in range(len(there)):
            name = f"{len(shape)}.{cut}.{'right' if right else 'left'}"
            found += between(
                f"test_trans_with_sub/{name}",
                f"float{dims(shape)} x",
                first,
                ops,
                last,
                opsets=ALL,
                weights={"k": there[cut:]},
                left=NONE,
            )
            if len(shape) > 3 and cut < len(there) - 1:
                found += between(
                    f"test_trans_with_sub_input_non_const/{name}",
                    f"float{dims(shape)} x, float{dims(there[cut:])} k",
                    first,
                    ops,
                    last,
                    opsets=ALL,
                    left=moved(there[cut:]),
                )
    return found


def behind_conv() -> list[Case]:
    """Conv, Transpose, Add or Mul with a constant, and back."""
    rows: list[tuple[str, str, tuple[int, ...], tuple[int, ...], tuple[int, ...], int]] = [
        ("test_transpose_add_with_conv_1", "Add", (1, 5, 3, 3), (16, 5, 3, 3), (1, 1, 1, 16), 0),
        ("test_transpose_add_with_conv_1", "Add", (1, 5, 3, 3, 3), (16, 5, 3, 3, 3), (1, 1, 1, 1, 16), 0),
        ("test_transpose_add_with_conv_2", "Add", (1, 1, 5, 5), (1, 1, 3, 3), (1, 3, 3, 1), 0),
        ("test_transpose_add_with_conv_2", "Add", (1, 1, 5, 5, 5), (1, 1, 3, 3, 3), (1, 3, 3, 3, 1), 0),
        ("test_transpose_mul_with_conv", "Mul", (1, 1, 5, 5), (1, 1, 3, 3), (1, 3, 1, 1), 0),
        ("test_transpose_mul_with_conv", "Mul", (1, 1, 5, 5, 5), (1, 1, 3, 3, 3), (1, 3, 1, 1, 1), 0),
        ("test_transpose_mul_with_conv", "Mul", (1, 1, 5, 5), (1, 1, 3, 3), (3, 1, 3, 3), 324),
        ("test_transpose_mul_with_conv", "Mul", (1, 1, 5, 5, 5), (1, 1, 3, 3, 3), (3, 3, 1, 3, 3), 972),
        ("test_transpose_mul_with_conv", "Mul", (1, 1, 5, 5), (1, 1, 3, 3), (1, 1, 3, 3), 108),
        ("test_transpose_mul_with_conv", "Mul", (1, 1, 5, 5, 5), (1, 1, 3, 3, 3), (1, 3, 1, 3, 3), 324),
    ]
    found = []
    for name, op, image, kernel, shape, remain in rows:
        first, last = ("0231", "0312") if len(image) == 4 else ("02341", "04123")
        given = op == "Add"  # these read the kernel from outside
        inputs = f"float{dims(image)} x" + (f", float{dims(kernel)} w" if given else "")
        text = f"({inputs}) => (float[] y) {{ c = Conv(x, w) t = T{first}(c) u = {op}(t, k) y = T{last}(u) }}"
        weights = {"k": shape} if given else {"k": shape, "w": kernel}
        tag = "x".join(map(str, shape))
        found += cases(f"{name}/{tag}", text, ALL, weights=weights, left=(int(remain > 0), remain))
    return found


def reduced(
    name: str,
    op: str,
    where: Sequence[tuple[Sequence[int], str, str]],
    rows: Sequence[tuple[int, Sequence[int]]],
    as_attribute: Sequence[int],
    as_input: Sequence[int],
) -> list[Case]:
    found = []
    for row, axes in rows:
        shape, first, last = where[row]
        tag, x = f"{name}/{len(shape)}.{len(axes)}.{axes[0]}", f"float{dims(shape)} x"
        found += between(
            tag, x, first, f"u = {op}<axes={list(axes)}, keepdims=1>(t)", last, opsets=as_attribute, left=NONE
        )
        found += between(
            tag, x, first, f"u = {op}<keepdims=1>(t, k)", last, held=numbers("k", axes), opsets=as_input, left=NONE
        )
    return found


def softmax(op: str) -> list[Case]:
    name, x = f"test_transpose_{op.lower()}", "float[4,4,4,4] x"
    return [
        *between(f"{name}_valid_perm", x, "0231", f"u = {op}<axis=1>(t)", "0312", opsets=UNTIL_12, left=NONE),
        *between(f"{name}_invalid_perm", x, "0231", f"u = {op}<axis=3>(t)", "0312", opsets=UNTIL_12, left=(2, 2048)),
        *between(f"{name}_13", x, "0231", f"u = {op}<axis=3>(t)", "0312", opsets=SINCE_13, left=NONE),
    ]


def as_reshape() -> list[Case]:
    """Alone, where only axes of size 1 move; sizes told or not."""
    rows = [
        ("2,3,4,1", "0312"), ("2,1,1,4", "0312"), ("2,h=3,w=4,1", "0312"), ("2,3,4,2,1", "04123"),
        ("2,1,1,1,4", "04123"), ("2,d=3,h=4,w=2,1", "04123"), ("2,1,3,4", "0231"), ("2,4,1,1", "0231"),
        ("2,1,h=3,w=4", "0231"), ("2,1,3,4,2", "02341"), ("2,4,1,1,1", "02341"), ("2,1,d=3,h=4,w=2", "02341"),
    ]  # fmt: skip
    return [
        case
        for n, (shape, perm) in enumerate(rows)
        for case in between(
            f"test_trans_can_be_replaced_with_reshape{1 + n // 6}/{shape}",
            f"float[{shape}] x",
            perm,
            "y = Identity(t)",
            "",
            opsets=ALL,
            left=NONE,
        )
    ]


def linear_parameters(count: int) -> dict[str, Array]:
    """One scale and zero point, or four of each."""
    if count == 1:
        return {"s": np.asarray(0.75, np.float32), "z": np.asarray(3, np.uint8)}
    return {"s": np.asarray([0.75, 0.1, 2.3, 0.3], np.float32), "z": np.asarray([2, 4, 6, 8], np.uint8)}
