"""Random graphs in every mode, bit for bit (``python -m tests.tools.fuzz 10000`` for many)."""

import pytest

from tests.support.engines import disabled
from tests.support.growing import grown
from tests.support.makers import ALL
from tests.support.modes import KINDS
from tests.tools.fuzz import NODES, all_verdicts, failing, shrunk, verdict
from tests.tools.test_conformance import plant_a_wrong_rule

GRAPHS = 120


def test_numbers_stay() -> None:
    found = all_verdicts(range(GRAPHS))
    assert {v.seed: v.wrong for v in found if v.wrong} == {}
    assert len(found) == GRAPHS
    assert {kind for v in found for kind in v.kinds.values()} == set(KINDS)
    assert sum(v.compared for v in found) > 20 * GRAPHS


def test_a_wrong_rule_is_caught_and_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    plant_a_wrong_rule(monkeypatch)
    seed = next(seed for seed in range(GRAPHS) if "forced onnx" in verdict(seed).wrong)
    small = shrunk(grown(seed, NODES, ALL), failing("forced onnx", disabled, seed))
    operators = [node.op_type for node in small.model.graph.node if node.op_type != "Constant"]
    assert "Concat" in operators
    assert len(operators) <= 3
