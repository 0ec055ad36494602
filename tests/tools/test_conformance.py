"""Every eighth example of onnx's conformance suite in every mode (``make conformance`` runs all of them)."""

from dataclasses import replace

import pytest

from passes.layout.layout import Layout
from passes.rules.move import Move
from passes.rules.node import Node
from passes.rules.rule import RULES, Row, lookup
from tests.support.modes import KINDS
from tests.tools.conformance import SUITES, Example, examples, outcome


@pytest.fixture(scope="module")
def every() -> list[Example]:
    return examples()


def test_results_are_those_the_suite_expects(every: list[Example]) -> None:
    found = [outcome(example) for example in every[::8]]
    assert {o.name: o.wrong for o in found if o.wrong} == {}
    assert {o.suite for o in found} == set(SUITES)
    assert {kind for o in found for kind in o.kinds.values()} == set(KINDS)
    assert sum(o.compared for o in found) > 2000


def test_the_suite_is_whole(every: list[Example]) -> None:
    assert len(every) > 2000
    assert all(example.runs for example in every)


def axis_as_it_was(node: Node, layout: Layout) -> Move:
    """A wrong rule for Concat."""
    return node.move(dict.fromkeys(range(node.arity[0]), layout), {0: layout}, attrs={"axis": node.attr("axis")})


def plant_a_wrong_rule(patch: pytest.MonkeyPatch) -> None:
    rule = lookup("", "Concat", 17)
    assert rule is not None
    patch.setitem(RULES, ("", "Concat"), [Row(1, replace(rule, fn=axis_as_it_was))])


def test_a_wrong_rule_is_caught(every: list[Example], monkeypatch: pytest.MonkeyPatch) -> None:
    plant_a_wrong_rule(monkeypatch)
    concats = [example for example in every if example.name.startswith("test_concat_")]
    caught = [example.name for example in concats if outcome(example, ("forced onnx",)).wrong]
    assert "test_concat_3d_axis_1" in caught
