"""Padding in the terms of each framework: known answers, and TensorFlow's SAME found by its definition.

That the frameworks compute the same with it is shown by ``make interop``.
"""

import itertools
from typing import Any

import pytest

from rewriter import UsageError, conv_padding, conv_transpose_padding, pool_padding


def same_by_definition(size: int, window: int, stride: int) -> tuple[int, int]:
    """https://www.tensorflow.org/api_docs/python/tf/nn, notes on padding."""
    total = max(window - stride, 0) if size % stride == 0 else max(window - size % stride, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("window", [1, 2, 3, 4, 5])
def test_same_is_said_where_it_is_equal_and_nowhere_else(window: int, stride: int) -> None:
    for size, before, after in itertools.product(range(window, 14), range(4), range(4)):
        same = same_by_definition(size, window, stride)
        results = (size + before + after - window) // stride + 1
        equal = before == same[0] and results == -(-size // stride)
        said = conv_padding([window], stride, [(before, after)], size=[size])["padding"] == "SAME"
        assert said == (equal and (before, after) != (0, 0))
        unsized = conv_padding([window], stride, [(before, after)])["padding"] == "SAME"
        assert not unsized or equal


CONV: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"to": "tensorflow"}, {"padding": "VALID"}),
    ({"to": "tensorflow", "padding": 1}, {"padding": "SAME"}),
    ({"to": "tflite", "padding": 2, "dilation": 2}, {"padding": "SAME"}),
    ({"to": "tensorflow", "padding": 2}, {"padding": "VALID", "pad": [(0, 0), (2, 2), (2, 2), (0, 0)]}),
    ({"padding": 1, "stride": 2}, {"padding": "VALID", "pad": [(0, 0), (1, 1), (1, 1), (0, 0)]}),
    ({"padding": 1, "stride": 2, "size": [9, 7]}, {"padding": "SAME", "for_size": [9, 7]}),
    ({"padding": 1, "stride": 2, "size": [9, 8]}, {"padding": "VALID", "pad": [(0, 0), (1, 1), (1, 1), (0, 0)]}),
    ({"padding": 1, "stride": 2, "size": [9, "W"]}, {"padding": "VALID", "pad": [(0, 0), (1, 1), (1, 1), (0, 0)]}),
    ({"to": "flax", "padding": [(0, 1), (2, 1)]}, {"padding": [(0, 1), (2, 1)]}),
    ({"to": "pytorch", "padding": [(1, 1), (2, 2)]}, {"padding": [1, 2]}),
    ({"to": "pytorch", "padding": [(0, 1), (2, 3)]}, {"padding": [0, 0], "pad": [2, 3, 0, 1]}),
]


@pytest.mark.parametrize(("arguments", "expected"), CONV)
def test_conv(arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    assert conv_padding((3, 3), **arguments) == expected


def sized(padding: str, offset: int, behind: int | None = None, scale: int = 2, **more: Any) -> dict[str, Any]:
    extra = None if behind is None else [behind]
    return {"padding": padding, "output_size": {"scale": [scale], "offset": [offset]}, "output_padding": extra, **more}


TRANSPOSED: list[tuple[tuple[int, ...], str, dict[str, Any]]] = [
    ((4, 2, 1, 0), "tensorflow", sized("SAME", 0)),
    ((3, 2, 1, 0), "tensorflow", sized("SAME", -1, 0)),
    ((3, 2, 1, 1), "tensorflow", sized("VALID", 1, crop=[(1, 0)])),
    ((3, 2, 0, 0), "tensorflow", sized("VALID", 1)),
    ((3, 2, 0, 1), "tensorflow", sized("VALID", 2, 1)),
    ((3, 3, 5, 2), "tensorflow", sized("VALID", 0, scale=3, crop=[(5, 3)])),
    ((2, 3, 0, 0), "tensorflow", sized("VALID", -1, 0, scale=3)),
    ((2, 2, 0, 0), "tensorflow", sized("VALID", 0)),
    ((3, 2, 1, 1), "pytorch", {"padding": [1], "output_padding": [1]}),
    ((3, 2, 0, 0), "flax", {"padding": [(2, 2)]}),
    ((3, 2, 2, 1), "flax", {"padding": [(0, 1)]}),
    ((3, 2, 3, 0), "flax", {"padding": [(-1, -1)]}),
]


@pytest.mark.parametrize(("arguments", "to", "expected"), TRANSPOSED)
def test_conv_transpose(arguments: tuple[int, ...], to: str, expected: dict[str, Any]) -> None:
    assert conv_transpose_padding(*arguments, to=to) == expected


def test_pytorch_says_asymmetric_pads_by_output_padding_or_a_crop() -> None:
    assert conv_transpose_padding([3], 2, [(1, 0)], to="pytorch") == {"padding": [1], "output_padding": [1]}
    cropped = conv_transpose_padding([3], 2, [(0, 2)], to="pytorch")
    assert cropped == {"padding": [0], "output_padding": [0], "crop": [(0, 2)]}


POOLS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"average": True, "padding": 0}, {"padding": "VALID"}),
    ({"average": True, "padding": 1, "stride": 1}, {"padding": "SAME"}),
    (
        {"average": True, "padding": 1, "count_include_pad": True, "stride": 1},
        {"padding": "VALID", "pad": [(0, 0), (1, 1), (0, 0)]},
    ),
    (
        {"average": True, "padding": 1, "size": [8]},
        {"padding": "VALID", "pad": [(0, 0), (1, 1), (0, 0)], "divide_by_ones": True},
    ),
    ({"average": False, "padding": 1}, {"padding": "VALID", "pad": [(0, 0), (1, 1), (0, 0)], "pad_value": "-inf"}),
    ({"average": True, "to": "flax", "padding": 1}, {"padding": [(1, 1)], "count_include_pad": False}),
    ({"average": False, "to": "flax", "ceil_mode": True, "size": [8]}, {"padding": [(0, 1)]}),
    ({"average": False, "to": "pytorch", "ceil_mode": True}, {"padding": [0], "ceil_mode": True}),
    # a second window would start in the padding behind
    (
        {"average": False, "to": "flax", "ceil_mode": True, "size": [4], "stride": 5, "padding": 1},
        {"padding": [(1, 1)]},
    ),
]


@pytest.mark.parametrize(("arguments", "expected"), POOLS)
def test_pools(arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    assert pool_padding([3], **{"stride": 2, **arguments}) == expected


@pytest.mark.parametrize("more", [{}, {"average": True, "count_include_pad": True, "size": [8]}])
def test_ceil_mode_that_no_padding_says(more: dict[str, Any]) -> None:
    assert list(pool_padding([3], 2, ceil_mode=True, **{"average": False, **more})) == ["note"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"stride": (1, 2, 3)}, "stride is .1, 2, 3.: give 2 numbers of at least 1"),
        ({"stride": 0}, "stride is 0"),
        ({"padding": -1}, "padding is -1"),
        ({"padding": [(0, 1)]}, "padding is"),
        ({"dilation": 0}, "dilation is 0"),
        ({"to": "caffe"}, "to is 'caffe'; it must be pytorch, tensorflow, tflite, flax"),
    ],
)
def test_what_cannot_be(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        conv_padding((3, 3), **arguments)
    with pytest.raises(UsageError, match=words):
        conv_transpose_padding((3, 3), **arguments)
