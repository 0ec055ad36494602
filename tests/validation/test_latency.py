"""What is made of the times of a race."""

import pytest

from rewriter.validation import latency
from rewriter.validation.latency import Latency, measure_latency
from tests.support.validating import conv


def test_times_are_medians_and_least_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ratio is of each round, in which both had the same machine: not that of the medians."""
    seconds = [[0.002, 0.006], [0.004, 0.004], [0.001, 0.005]]
    monkeypatch.setattr(latency, "rounds_of", lambda *_: seconds)
    assert measure_latency(conv(), conv(), {}, providers=["cpu"]) == [Latency("cpu", 3, 2.0, 5.0, 1.0, 4.0, 3.0)]
