"""The report as JSON: its schema says what is in it, and nothing else is."""

import ast
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from jsonschema import Draft202012Validator

from passes.ir.exporter import export_model
from rewriter import rewrite
from rewriter.cli import main
from rewriter.report.build import make_report
from rewriter.report.data import Report
from rewriter.report.document import SCHEMA, finite
from tests.report.models import HOSTILE, hostile_net
from tests.support.command import DIFFERS, convert, error
from tests.support.graphs import KINDS, model, node

SCHEMA_OF = json.loads(files("rewriter.report").joinpath("schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA_OF)
# Inputs that stay, bodies, what remains of unknown size, inlined functions, Transposes of the model's own
MODELS = ("torch_sam", "torch_loop", "torch_if", "keras_lstm", "own_functions", "torch_disputed")


def reported(path: Path, folder: Path, *options: str) -> dict[str, Any]:
    """What --json writes, which fits the schema."""
    report = folder / "report.json"
    argv = [str(path), "--to", "nhwc", "--dry-run", "--providers", "cpu", "--runs", "1", "--json", str(report)]
    assert main([*argv, *options]) == 0
    data: dict[str, Any] = json.loads(report.read_text())
    VALIDATOR.validate(data)
    return data


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA_OF)
    assert SCHEMA_OF["properties"]["schema"]["const"] == SCHEMA


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dialect", ["function", "onnx"])
def test_reports_fit_the_schema(tmp_path: Path, name: str, dialect: str) -> None:
    data = reported(KINDS[name], tmp_path, "--no-validate", "--dialect", dialect)
    assert data["validation"] is None
    assert set(data) == set(SCHEMA_OF["properties"])


def test_a_report_of_everything(path: Path) -> None:
    data = reported(path, path.parent, "--bench", "--explain", "c", "--dialect", "onnx")
    [provider], [latency] = data["validation"]["providers"], data["latency"]
    assert [one["name"] for one in provider["outputs"]] == ["y", "means"]
    assert provider["max_rel"] == max(one["max_rel"] for one in provider["outputs"])
    assert latency["provider"] == "cpu"
    assert latency["rounds"] >= 10
    assert 0 < latency["least_before"] <= latency["before"]
    assert data["rewrite"]["explained"][0]["value"] == "c"


def test_a_report_of_a_failure(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    report = path.with_suffix(".json")

    def wrong(graph: onnx.ModelProto) -> onnx.ModelProto:
        wrong = onnx.ModelProto()
        wrong.CopyFrom(graph)
        kernel = next(one for one in wrong.graph.initializer if len(one.dims) == 4)
        kernel.CopyFrom(onnx.numpy_helper.from_array(1.1 * onnx.numpy_helper.to_array(kernel), kernel.name))
        return wrong

    monkeypatch.setattr("rewriter.pipeline.export_model", lambda graph, weights: wrong(export_model(graph)))
    assert convert(path, "--json", str(report), "--report", str(path.with_suffix(".html"))) == DIFFERS
    assert "differs from the original" in error(capsys)
    data = json.loads(report.read_text())
    VALIDATOR.validate(data)
    assert (data["written"], data["validation"]["ok"]) == (False, False)
    assert path.with_suffix(".html").read_text().startswith("<!doctype html>")


def test_numbers_are_finite() -> None:
    assert finite({"a": [float("inf"), (1, float("nan"))]}) == {"a": [None, [1, None]]}


@pytest.mark.parametrize(("option", "wanted"), [(None, False), ("--json", True), ("--report", True)])
def test_graphs_are_made_for_who_asks(
    option: str | None, wanted: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take time, and hold nothing that the terminal shows."""
    asked: list[bool] = []

    def spy(*args: Any) -> Report:
        asked.append(args[-1])
        return make_report(*args)

    monkeypatch.setattr("rewriter.pipeline.make_report", spy)
    more = [option, str(path.with_suffix(".out"))] if option else []
    assert convert(path, "--no-validate", *more) == 0
    assert asked == [wanted]
    assert bool(rewrite(path, graphs=wanted).report.graphs.after) == wanted


# What is in it


@pytest.mark.parametrize("name", ["torch_sam", "torch_shuffle", "torch_if", "torch_loop"])
def test_every_change_is_a_node_of_the_graph(tmp_path: Path, name: str) -> None:
    data = reported(KINDS[name], tmp_path, "--no-validate")["rewrite"]
    found = {node["remaining"] for node in data["graphs"]["after"]} - {None}
    assert found == set(range(len(data["remaining"])))
    assert {number for cause in data["causes"] for number in cause["changes"]} == found
    assert sum(cause["bytes"] for cause in data["causes"]) == data["bytes"]


def test_layouts_and_shapes_are_those_of_the_files(path: Path) -> None:
    data = reported(path, path.parent, "--no-validate")["rewrite"]["graphs"]
    before, after = ({node["outputs"][0]["name"]: node["outputs"][0] for node in data[side]} for side in data)
    assert (before["c"]["layout"], before["c"]["shape"]) == ("NCHW", [1, 3, 5, 7])
    assert (after["c"]["layout"], after["c"]["shape"]) == ("NHWC", [1, 5, 7, 3])
    assert after["means"]["layout"] == ""


def test_values_of_bodies_are_told_apart(tmp_path: Path) -> None:
    data = reported(KINDS["torch_if"], tmp_path, "--no-validate")["rewrite"]["graphs"]
    bodies = {node["body"] for node in data["before"]} - {""}
    assert {body.rsplit("/")[-1] for body in bodies} == {"then_branch", "else_branch"}
    inside = [node for node in data["before"] if node["body"] and node["op"] == "Conv"]
    assert inside
    assert all(node["outputs"][0]["layout"] == "NCHW" for node in inside)


def test_untrusted_names_are_in_it_as_they_are(tmp_path: Path) -> None:
    onnx.save(hostile_net(), tmp_path / "net.onnx")
    data = reported(tmp_path / "net.onnx", tmp_path, "--no-validate")["rewrite"]
    assert {node["name"] for node in data["graphs"]["before"]} == set(HOSTILE)


# The snippet


def run_snippet(data: dict[str, Any], folder: Path, arrays: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"arrays": arrays}
    exec(data["snippet"], names)  # the very text that users are to paste
    return names["results"]


def test_the_snippet_gives_what_the_original_gives(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = path.with_suffix(".json")
    assert convert(path, "--json", str(report)) == 0
    arrays = {name: np.random.default_rng(0).random((1, 3, 5, 7), np.float32) for name in ("x", "z")}
    results = run_snippet(json.loads(report.read_text()), path.parent, arrays, monkeypatch)
    session = onnxruntime.InferenceSession(str(path))
    for output, expected in zip(session.get_outputs(), session.run(None, arrays), strict=True):
        np.testing.assert_allclose(results[output.name], expected, rtol=1e-4, atol=1e-5)


def test_names_are_no_code_in_the_snippet(tmp_path: Path) -> None:
    name = "x']; raise SystemExit #\n\\"
    onnx.save(
        model([node("Relu", [name], ["y\n'"])], {name: [1, 3, 5, 7]}, {"y\n'": [1, 3, 5, 7]}), tmp_path / "n.onnx"
    )
    data = reported(tmp_path / "n.onnx", tmp_path, "--layout", f"{name}=nhwc", "--no-validate")
    tree = ast.parse(data["snippet"])
    assert name in {one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)}
    assert not [one for one in ast.walk(tree) if isinstance(one, ast.Raise)]
