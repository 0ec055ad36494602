"""No plan is cheaper, whatever layouts are considered (``python -m tests.tools.oracle`` for many graphs)."""

from pathlib import Path

import pytest

from passes.plan import folding
from tests.support.modes import DIRECTIONS
from tests.tools.oracle import of_graph, of_model

MODELS = Path(__file__).parents[2] / "models"
GRAPHS = 120
SMALL = ("torch_unet", "keras_conv1d", "kinds/torch_stylegan", "kinds/torch_shuffle", "kinds/keras_group_norm")


@pytest.mark.no_cover  # for the time that it would take
def test_random_graphs() -> None:
    found = [of_graph(seed) for seed in range(GRAPHS)]
    assert [planned for planned, _ in found] == pytest.approx([lowest for _, lowest in found], abs=1)
    assert sum(lowest > 0 for _, lowest in found) > GRAPHS / 2


@pytest.mark.no_cover
@pytest.mark.parametrize("name", SMALL)
def test_models(name: str) -> None:
    for direction in DIRECTIONS:
        planned, lowest = of_model(MODELS / f"{name}.onnx", direction)
        assert planned == pytest.approx(lowest, abs=1)


def test_a_layout_folded_away_wrongly_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it does not matter whether another layout costs more inside, or moves bytes."""
    monkeypatch.setattr(folding.Folding, "_keeps_prices", lambda self, onto: True)
    monkeypatch.setattr(folding, "does_as_well", lambda row, other: True)
    assert any(planned != lowest for planned, lowest in map(of_graph, range(GRAPHS)))
