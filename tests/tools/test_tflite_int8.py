"""What the table of int8 says of two who keep different inputs."""

import numpy as np
import pytest

from tests.tools.tflite_int8 import beside, chance


@pytest.mark.parametrize(("only", "others", "wanted"), [(0, 0, 1.0), (1, 1, 1.0), (0, 3, 2 / 8), (4, 1, 12 / 32)])
def test_the_sign_test_has_two_sides(only: int, others: int, wanted: float) -> None:
    assert chance(only, others) == chance(others, only) == wanted


def test_a_yardstick_is_bold_where_it_is_no_chance() -> None:
    here, there = np.zeros(20, bool), np.zeros(20, bool)
    there[:7] = here[19] = True
    assert beside(here, there) == "35.0 (1/7)"
    here[19] = False
    there[:8] = True
    assert beside(here, there) == "**40.0 (0/8)**"
    assert beside(here, "it has none") == "it has none"
