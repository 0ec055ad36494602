"""Sizes that no inference tells: measured in a run of the original, or guessed, and then said to be estimated."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from rewriter import rewrite
from rewriter.cli import main
from rewriter.validation import measure
from tests.support.graphs import BOOL, INT64, converted, dims, graph, ints, model, node, value
from tests.support.growing import DOMAIN, odd

IMAGE = [1, 4, 16, 16]
CHANNELS_LAST = [0, 2, 3, 1]
BYTES, ROW = 4 * 16 * 16 * 4, 4 * 16 * 4  # of the image, of one row of it


def picks_rows(rows: int) -> ModelProto:
    """Rows of an image, chosen by what they hold: nobody infers how many; here those above the ``rows``-th largest."""
    nodes = [
        node("ReduceMax", ["x"], ["most"], axes=[0, 1, 3], keepdims=0),
        node("TopK", ["most", "k"], ["top", "places"]),
        node("ReduceMin", ["top"], ["least"]),
        node("GreaterOrEqual", ["most", "least"], ["chosen"]),
        node("Compress", ["x", "chosen"], ["few"], "choose", axis=2),
        node("Transpose", ["few"], ["y"], "turn", perm=CHANNELS_LAST),
    ]
    return model(nodes, {"x": IMAGE}, {"y": [1, None, 16, 4]}, {"k": ints(rows)})


def test_a_size_is_measured_and_the_plan_priced_with_it() -> None:
    result = converted(picks_rows(2), "nhwc", "onnx", measure_on={}, keep_io=True)
    (left,) = result.report.remaining
    assert left.value in ("few", "y")  # the same
    assert (left.bytes, result.report.guessed) == (2 * ROW, 0)
    assert result.report.bytes_before == 2 * ROW


def test_without_a_run_a_size_is_guessed_and_said_to_be() -> None:
    result = converted(picks_rows(2), "nhwc", "onnx", keep_io=True)
    (left,) = result.report.remaining
    assert (left.value, left.bytes, result.report.guessed) == ("x", BYTES, 2)  # 64 rows are dearer than 16


def test_the_models_dims_stay_open() -> None:
    result = rewrite(picks_rows(2), "nhwc", measure_on={}, keep_io=True)
    assert dims(result.model.graph.output)["y"] == [1, None, 16, 4]


def test_given_sizes_are_those_of_the_run() -> None:
    nodes = [node("Concat", ["x", "x"], ["both"], axis=3), node("Transpose", ["both"], ["y"], perm=CHANNELS_LAST)]
    wide = model(nodes, {"x": [1, 4, 16, "W"]}, {"y": [1, 16, None, 4]})
    result = rewrite(wide, "nhwc", measure_on={}, input_shapes={"x": [1, 4, 16, 5]}, keep_io=True)
    assert (result.report.bytes_before, result.report.guessed) == (4 * 16 * 2 * 5 * 4, 0)


def test_it_is_measured_on_real_data() -> None:
    flat = {"x": np.ones(IMAGE, np.float32)}  # every row is among the largest
    assert rewrite(picks_rows(1), "nhwc", measure_on=flat, keep_io=True).report.bytes == BYTES


def test_nothing_counts_as_one() -> None:
    """On other inputs there may be something: an empty result is not free."""
    nodes = [
        node("NonZero", ["flags"], ["places"]),
        node("Squeeze", ["places", "first"], ["rows"]),
        node("Gather", ["x", "rows"], ["few"], axis=2),
        node("Transpose", ["few"], ["y"], perm=CHANNELS_LAST),
    ]
    inputs = [value("x", IMAGE), value("flags", [16])]
    empty = model(nodes, inputs, {"y": [1, None, 16, 4]}, {"first": ints(0)})
    flags = {"flags": np.zeros(16, np.float32)}
    assert rewrite(empty, "nhwc", measure_on=flags, keep_io=True).report.bytes == ROW


class NotAsked(Exception):
    """A session was made."""


def no_session(*_: Any) -> None:
    raise NotAsked


@pytest.mark.parametrize("batch", [1, "N"])
def test_no_run_where_all_sizes_are_known(batch: int | str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "Session", no_session)
    nodes = [node("Transpose", ["x"], ["t"], perm=CHANNELS_LAST), node("Relu", ["t"], ["y"])]
    known = model(nodes, {"x": [batch, 4, 16, 16]}, {"y": [batch, 16, 16, 4]})
    assert rewrite(known, "nhwc", measure_on={}).report.guessed == 0
    with pytest.raises(NotAsked):
        rewrite(picks_rows(2), "nhwc", measure_on={})


@pytest.mark.parametrize("fault", ["too large", "does not run", "unknown data"])
def test_what_cannot_be_measured_is_guessed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    picks = picks_rows(2)
    if fault == "too large":
        monkeypatch.setattr("rewriter.files.writer.TWO_GIB", 8)
    if fault == "does not run":
        picks.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(ints(99), "k"))
    data = {"z": np.ones(1, np.float32)} if fault == "unknown data" else {}
    assert rewrite(picks, "nhwc", measure_on=data).report.guessed == 2


def test_sizes_in_a_body_are_those_of_the_same_symbol_outside() -> None:
    """In the branches of an If the rows that the main graph chose are turned; names of its values may be any."""
    picks = picks_rows(2)
    branches = {}
    for branch, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        nodes = [node(op, ["few"], ["few_shape"]), node("Transpose", ["few_shape"], ["r"], perm=CHANNELS_LAST)]
        branches[branch] = graph(nodes, [], [value("r", None)])
    picks.graph.node.append(node("ReduceSum", ["x"], ["sum"], keepdims=0))
    picks.graph.node.append(node("Greater", ["sum", "least"], ["which"]))
    picks.graph.node.append(node("If", ["which"], ["z"], **branches))
    picks.graph.output.append(value("z", None))
    assert rewrite(picks, "nhwc", measure_on={}, keep_io=True).report.guessed == 0
    assert rewrite(picks, "nhwc", keep_io=True).report.guessed > 0


def test_behind_a_loop_sizes_are_measured() -> None:
    """Of a final state inference tells the rank, and of its dims not even symbols."""
    body = graph(
        [node("Identity", ["go"], ["on"]), node("Relu", ["s"], ["next"])],
        [value("i", [], INT64), value("go", [], BOOL), value("s", IMAGE)],
        [value("on", [], BOOL), value("next", IMAGE)],
    )
    nodes = [
        node("Loop", ["trips", "", "x"], ["last"], body=body),
        node("Transpose", ["last"], ["t"], perm=CHANNELS_LAST),
        node("Odd", ["t"], ["y"], domain=DOMAIN),
    ]
    ends = {"x": IMAGE}, {"y": None}
    trips = {"trips": np.asarray(3, np.int64)}
    looped = model(nodes, *ends, trips, domains=[DOMAIN], functions=[odd(17)])
    report = rewrite(looped, "nhwc", measure_on={}).report
    assert (report.bytes_before, report.guessed) == (BYTES, 0)
    assert rewrite(looped, "nhwc").report.bytes_before == 64**3 * 4


@pytest.mark.parametrize(("options", "estimated"), [((), False), (("--no-validate",), True)])
def test_the_command_line_measures_where_it_validates(
    options: tuple[str, ...],
    estimated: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, report = tmp_path / "m.onnx", tmp_path / "m.json"
    monkeypatch.setenv("COLUMNS", "400")
    onnx.save(picks_rows(2), path)
    assert main([str(path), "--to", "nhwc", "--runs", "1", "--json", str(report), *options]) == 0
    said = "per inference (estimated: sizes of 2 values are guessed)"
    assert (said in capsys.readouterr().out) == estimated
    assert json.loads(report.read_text())["rewrite"]["guessed"] == (2 if estimated else 0)


def test_the_command_line_measures_on_the_given_data(tmp_path: Path) -> None:
    path, report, data = tmp_path / "m.onnx", tmp_path / "m.json", tmp_path / "x.npz"
    onnx.save(picks_rows(1), path)
    np.savez(data, x=np.ones(IMAGE, np.float32))
    assert main([str(path), "--to", "nhwc", "--keep-io", "--inputs", str(data), "--json", str(report)]) == 0
    assert json.loads(report.read_text())["rewrite"]["bytes"] == BYTES
