"""A raised model computes the same; what would not is not raised."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from passes.normalize.raise_opset import FROM, MOST, REDUCTIONS, SAME, raise_opset
from tests.rules.cases import CASES, Case, case
from tests.support.engines import disabled
from tests.support.graphs import BOOL, KINDS, graph, model, node, value
from tests.support.stages import to_graph, to_model

RAISED = {*SAME.split(), *REDUCTIONS.split()}
ROWLESS = {"Constant", "If", "Loop", "Scan", "Dropout"}  # later versions have more element types only


def at_least(row: Case) -> Case | None:
    """The row at opset ``FROM`` or later, if it means the same there."""
    versions = {onnx.defs.get_schema(row.op, max(row.opset, least)).since_version for least in (0, FROM)}
    return replace(row, opset=max(row.opset, FROM)) if len(versions) == 1 and row.opset < MOST else None


ROWS = [new for row in CASES if row.op in RAISED and not row.domain and (new := at_least(row))]
CUT = [row for row in ROWS if row.attrs.get("ceil_mode")]
RUNS = [row for row in ROWS if row not in CUT and (row.op, len(row.operands)) != ("Dropout", 3)]  # random


def test_every_operator_is_run() -> None:
    assert {row.op for row in RUNS} == RAISED - ROWLESS


def raised(original: ModelProto) -> ModelProto | None:
    result = raise_opset(to_graph(original), MOST)
    return None if result is None else to_model(result)


@pytest.mark.parametrize("row", RUNS, ids=lambda row: row.label)
def test_it_computes_the_same(row: Case) -> None:
    original, feeds = row.model(), row.feeds()
    result = raised(original)
    assert result is not None
    assert result.opset_import[0].version == MOST
    for before, after in zip(disabled(original, feeds), disabled(result, feeds), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("row", CUT, ids=lambda row: row.label)
def test_windows_cut_off_at_the_end_stay(row: Case) -> None:
    assert raised(row.model()) is None


def test_a_split_says_how_many_parts_it_has() -> None:
    original = case("Split", FROM, (2, 6, 5), axis=1, outputs=3).model()
    result = raised(original)
    assert result is not None
    assert onnx.helper.get_node_attr_value(result.graph.node[0], "num_outputs") == 3


@pytest.mark.parametrize("opset", [FROM - 1, MOST])
def test_an_older_file_and_one_that_has_it_stay(opset: int) -> None:
    assert raised(model([node("Relu", ["x"], ["y"])], {"x": [3]}, {"y": [3]}, opset=opset, ir=10)) is None


def test_an_operator_that_changed_stays() -> None:
    sample = node("GridSample", ["x", "g"], ["y"], mode="bilinear")
    assert raised(model([sample], {"x": [1, 2, 3, 5], "g": [1, 7, 11, 2]}, {"y": [1, 2, 7, 11]})) is None


def test_functions_of_the_model_stay() -> None:
    assert raised(onnx.load(KINDS["own_functions"])) is None


def test_bodies_are_raised() -> None:
    branch = graph([node("ReduceMean", ["x"], ["b"], axes=[1])], [], {"b": [2, 1]})
    other = graph([node("ReduceMax", ["x"], ["c"], axes=[1])], [], {"c": [2, 1]})
    choose = node("If", ["on"], ["y"], then_branch=branch, else_branch=other)
    result = raised(model([choose], [value("x", [2, 5]), value("on", [], BOOL)], {"y": [2, 1]}))
    assert result is not None
    x = np.arange(10, dtype=np.float32).reshape(2, 5)
    assert disabled(result, {"x": x, "on": np.asarray(True)})[0].tolist() == [[2], [7]]
