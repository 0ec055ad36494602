"""Layouts as letters: every pair of spellings of the same kernel, and what cannot be."""

import itertools

import numpy as np
import pytest

from rewriter import UsageError, convert_layout, flatten_order
from tests.support.graphs import Array, random

O, I, H, W, C, M = 10, 3, 7, 11, 5, 2  # noqa: E741
KERNELS = ("OIHW", "OHWI", "HWIO", "HWOI", "IOHW", "IHWO")
DEPTHWISE = ("OIHW", "OHWI", "HWIO", "1HWC", "HWCM")
LINES = ("OIW", "O1WI", "WIO", "OWI")
DATA = ("NCHW", "NHWC", "CHWN")


def named(letters: str, sizes: dict[str, int]) -> Array:
    """An array whose every element tells where it belongs, whatever the layout."""
    whole = np.arange(np.prod(list(sizes.values()))).reshape(*sizes.values())
    return whole.transpose([list(sizes).index(letter) for letter in letters])


@pytest.mark.parametrize(("old", "new"), [*itertools.product(KERNELS, repeat=2)])
def test_kernels(old: str, new: str) -> None:
    sizes = {"O": O, "I": I, "H": H, "W": W}
    np.testing.assert_array_equal(convert_layout(named(old, sizes), old, new), named(new, sizes))


@pytest.mark.parametrize(("old", "new"), [*itertools.product(DATA, repeat=2)])
def test_data(old: str, new: str) -> None:
    sizes = {"N": 2, "C": C, "H": H, "W": W}
    np.testing.assert_array_equal(convert_layout(named(old, sizes), old, new), named(new, sizes))


def depthwise(letters: str) -> Array:
    """Output channel ``c * M + m``, element by element."""
    shape = {
        "OIHW": (O, 1, H, W),
        "OHWI": (O, H, W, 1),
        "HWIO": (H, W, 1, O),
        "1HWC": (1, H, W, O),
        "HWCM": (H, W, C, M),
    }
    made = np.empty(shape[letters], int)
    for c, m, h, w in itertools.product(range(C), range(M), range(H), range(W)):
        o = c * M + m
        place = {
            "OIHW": (o, 0, h, w),
            "OHWI": (o, h, w, 0),
            "HWIO": (h, w, 0, o),
            "1HWC": (0, h, w, o),
            "HWCM": (h, w, c, m),
        }
        made[place[letters]] = (o * H + h) * W + w
    return made


@pytest.mark.parametrize(("old", "new"), [*itertools.product(DEPTHWISE, repeat=2)])
def test_depthwise_kernels(old: str, new: str) -> None:
    np.testing.assert_array_equal(convert_layout(depthwise(old), old, new, groups=C), depthwise(new))


@pytest.mark.parametrize(("old", "new"), [*itertools.product(LINES, repeat=2)])
def test_axes_of_size_one(old: str, new: str) -> None:
    sizes = {"O": O, "1": 1, "I": I, "W": W}
    kernel = named("".join(sizes), sizes)
    arrays = {
        "OIW": kernel[:, 0],
        "O1WI": kernel.transpose(0, 1, 3, 2),
        "WIO": kernel[:, 0].T.copy(),
        "OWI": kernel[:, 0].transpose(0, 2, 1),
    }
    np.testing.assert_array_equal(convert_layout(arrays[old], old, new), arrays[new])


def test_depthwise_in_one_dimension() -> None:
    kernel = random(6, 1, 5)
    assert convert_layout(kernel, "OIW", "11WC").shape == (1, 1, 5, 6)
    np.testing.assert_array_equal(convert_layout(convert_layout(kernel, "OIW", "11WC"), "11WC", "OIW"), kernel)


@pytest.mark.parametrize(
    ("shape", "old", "new", "words"),
    [
        ((3, 5, 7), "OIHW", "HWIO", "has 4 axes, the array has 3"),
        ((3, 5, 7, 2), "OIHW", "HWIC", "name different axes"),
        ((3, 5, 7, 2), "OIHW", "HWI", "name different axes"),
        ((3, 5, 7, 2), "OIHW", "OOHW", "one capital letter"),
        ((3, 5, 7, 2), "OIHW", "", "one capital letter"),
        ((3, 5, 7, 2), "OIHW", "MHWC", "behind its channels"),
        ((3, 5, 7, 2), "OIHW", "1HWC", "1 input channel per group; this one has 5"),
        ((4, 1, 7, 2), "OIHW", "HWCM", "groups="),
        ((2, 7, 2, 4), "1HWC", "OIHW", "must have size 1"),
    ],
)
def test_what_cannot_be(shape: tuple[int, ...], old: str, new: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        convert_layout(np.zeros(shape), old, new)


def test_groups_that_do_not_divide() -> None:
    with pytest.raises(UsageError, match="of which 10 is a multiple"):
        convert_layout(np.zeros((10, 1, 3, 3)), "OIHW", "HWCM", groups=3)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_flatten_order(axis: int) -> None:
    """What a Dense computes behind a Flatten stays the same."""
    image = random(2, C, H, W)
    weight = random(*((C * H * W, 4) if axis == 0 else (4, C * H * W)))
    reordered = flatten_order(weight, axis, (C, H, W))
    columns = (weight, reordered) if axis == 0 else (weight.T, reordered.T)
    expected, found = image.reshape(2, -1) @ columns[0], image.transpose(0, 2, 3, 1).reshape(2, -1) @ columns[1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(flatten_order(reordered, axis, (H, W, C), "CHW", "HWC"), weight)


@pytest.mark.parametrize(
    ("axis", "chw", "to", "words"),
    [
        (1, (5, 7, 3), "HWC", "not 5x7x3 = 105"),
        (2, (5, 7, 11), "HWC", "give one of its axes"),
        (1, (5, 77), "HWC", r"chw is \(5, 77\): give 3 numbers of at least 1, one for each letter of CHW"),
        (1, (5, 7, 11), "HWD", "different axes"),
    ],
)
def test_orders_that_cannot_be(axis: int, chw: tuple[int, ...], to: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        flatten_order(np.zeros((4, 385)), axis, chw, to)
