"""Transposes of values whose rank nobody knows: they stay, and the report says so."""

from pathlib import Path

from onnx import ModelProto
from rich.console import Console

from rewriter import rewrite
from rewriter.report.text import rewritten
from tests.support.graphs import INT64, count, model, node, value


def reversed_twice() -> ModelProto:
    nodes = [
        node("Reshape", ["x", "target"], ["r"]),
        node("Transpose", ["r"], ["t"], "there"),
        node("Relu", ["t"], ["u"]),
        node("Transpose", ["u"], ["y"], "back"),
    ]
    return model(nodes, [value("x", (2, 3, 5, 7)), value("target", (None,), INT64)], [value("y", None)])


def test_what_stays_for_its_rank_is_listed_and_counted() -> None:
    result = rewrite(reversed_twice(), "nchw")
    assert count(result.model) == 2
    assert (result.report.bytes_before, result.report.bytes, result.report.optimal) == (0, 0, True)
    left = [(one.value, one.bytes, one.made_by, one.needed, one.blocked_by) for one in result.report.remaining]
    assert left == [
        ("r", None, "Reshape", "reversed", "its rank is unknown"),
        ("u", None, "Relu", "reversed", "its rank is unknown"),
    ]
    console = Console(width=300, record=True, quiet=False)
    with console.capture() as capture:
        rewritten(console, Path("m.onnx"), result.report, verbose=0)
    out = capture.get()
    assert "0 now (Transposes 2 -> 2), proven least for these rules and this interface, over every perm" in out
    assert "Not counted, since their sizes are unknown: 2" in out


def test_what_stays_for_its_rank_changes_nothing_else() -> None:
    again = rewrite(rewrite(reversed_twice(), "nhwc").model, "nchw")
    assert not again.report.changed
