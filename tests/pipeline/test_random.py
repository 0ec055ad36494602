"""Random graphs of all kinds of operators keep their numbers, in every direction."""

import pytest

from tests.support.graphs import DIRECTIONS, converted
from tests.support.random_graphs import ALL, grown


@pytest.mark.parametrize(("to", "dialect"), DIRECTIONS)
@pytest.mark.parametrize("seed", range(100))
def test_numbers_stay(seed: int, to: str, dialect: str) -> None:
    converted(grown(seed, 12, ALL), to, dialect)
