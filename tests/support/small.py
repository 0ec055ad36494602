"""A small image net's parts, for tests of what surrounds them."""

from typing import Any

import pytest
from onnx import ModelProto, helper

from rewriter import RewriteResult
from tests.support.graphs import (
    DIRECTIONS,
    converted,
    node,
    random,
)

IMAGE = [1, 3, 5, 7]
KERNEL = {"w": random(3, 3, 3, 3)}
NEGATION = helper.make_function(
    "my.domain", "Negation", ["x"], ["y"], [node("Neg", ["x"], ["y"])], [helper.make_opsetid("", 17)]
)

every_direction = pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)


def both(original: ModelProto, **options: Any) -> list[RewriteResult]:
    """To channels-last in both dialects."""
    return [converted(original, to, dialect, **options) for to, dialect in DIRECTIONS[:2]]
