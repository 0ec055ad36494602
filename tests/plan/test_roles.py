"""What tells which axes are channels, and which positions."""

import pytest

from passes.plan.interface import other_format
from passes.plan.roles import channels_first_perm, channels_last_perm, find_roles, image, merged, split
from tests.support.graphs import conv, ints, model, node, random
from tests.support.stages import normalized

IMAGES = {
    "BCSS": "BCSS", "BSSC": "BSSC", "BCS": "BCS", "CSS": "CSS", "BBCSS": "BBCSS", "BCSSS": "BCSSS",
    "B?SS": "BCSS", "BPSS": "BCSS", "?CSS": "BCSS", "B?SSC": "BBSSC",
}  # fmt: skip
NO_IMAGES = [
    "BC",
    "BPC",
    "BCP",
    "BSS",
    "B?S",
    "CS",
    "BBBCS",
    "BCCSS",
    "B!SS",
    "BC!S",
    "B??S",
    "CSSS",
    "BCSSSS",
    "SBC",
    "BCSSB",
    "SSBC",
]


@pytest.mark.parametrize(("roles", "whole"), IMAGES.items())
def test_images(roles: str, whole: str) -> None:
    assert image(roles) == whole


@pytest.mark.parametrize("roles", ["", *NO_IMAGES])
def test_no_images(roles: str) -> None:
    assert image(roles) is None


FORMATS = [
    ("BCSS", (0, 2, 3, 1), (0, 1, 2, 3)), ("BSSC", (0, 1, 2, 3), (0, 3, 1, 2)), ("CSS", (1, 2, 0), (0, 1, 2)),
    ("BBCSS", (0, 1, 3, 4, 2), (0, 1, 2, 3, 4)), ("BCBSS", (0, 2, 3, 4, 1), (0, 1, 2, 3, 4)),
    ("CBSS", (1, 2, 3, 0), (1, 0, 2, 3)), ("BSCSS", (0, 1, 3, 4, 2), (0, 1, 2, 3, 4)),
]  # fmt: skip


@pytest.mark.parametrize(("roles", "last", "first"), FORMATS)
def test_formats(roles: str, last: tuple[int, ...], first: tuple[int, ...]) -> None:
    assert (channels_last_perm(roles), channels_first_perm(roles)) == (last, first)


def test_other_formats() -> None:
    assert other_format("nhwc", "BBSSC") == "BBCSS"
    assert other_format("nchw", "BBCSS") == "BBSSC"


MERGED = [("BB", "B"), ("CC", "C"), ("SS", "P"), ("SC", "S"), ("CS", "?"), ("BC", "?"), ("S?", "?"), ("CCC", "C")]


@pytest.mark.parametrize(("parts", "role"), MERGED)
def test_what_factors_make(parts: str, role: str) -> None:
    assert merged([set() if part == "?" else {part} for part in parts]) == role


def test_what_becomes_of_factors() -> None:
    assert merged([{"B", "C"}]) == "!"
    assert merged([]) == "?"
    assert dict(split("S", "ab")) == {"a": "S"}
    assert dict(split("C", "ab")) == {"a": "C", "b": "C"}
    assert dict(split("P", "ab")) == {"a": "S", "b": "S"}
    assert dict(split("!", "a")) == {}


def test_the_nearest_operator_counts() -> None:
    """Two ways of reading one value: x is next to the Conv of its channels-first reading, y to the other's."""
    nodes = [
        conv("x", "a"),
        node("Relu", ["a"], ["b"]),
        node("Relu", ["b"], ["t"]),
        node("Relu", ["t"], ["y"]),
        node("Transpose", ["y"], ["l"], perm=[0, 3, 1, 2]),
        conv("l", "z", "v"),
    ]
    kernels = {"w": random(3, 3, 3, 3), "v": random(3, 7, 3, 3)}
    graph = normalized(model(nodes, {"x": [1, 3, 5, 7]}, {"y": [1, 3, 5, 7], "z": None}, kernels))
    roles = find_roles(graph, {})
    assert (roles["x"], roles["b"], roles["y"], roles["t"]) == ("BCSS", "BCSS", "BSSC", "B!S!")


@pytest.mark.parametrize(
    ("before", "after", "roles"),
    [
        ([6, 3, 1, 7], [2, 3, 3, 1, 7], "BBCSS"),
        ([1, 12, 1, 7], [1, 3, 4, 1, 7], "BCCSS"),
        ([6, 3, 1, 1], [6, 3, 1], "BC?"),
    ],
)
def test_the_only_axis_of_size_1_stays_what_it_is(before: list[int], after: list[int], roles: str) -> None:
    """Besides the first, through a Reshape, which says nothing of such axes."""
    nodes = [conv("x", "c"), node("Reshape", ["c", "to"], ["y"])]
    constants = {"w": random(before[1], before[1], 3, 3), "to": ints(*after)}
    assert find_roles(normalized(model(nodes, {"x": before}, {"y": after}, constants)), {})["y"] == roles
