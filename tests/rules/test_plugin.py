"""Rules for operators of one's own: the example of docs/plugins.md, word for word."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from onnx import AttributeProto, FunctionProto, ModelProto, helper, save

from passes.rules.rule import RULES, lookup
from rewriter import rewrite
from tests.support.graphs import ROOT, conv, converted, model, node, random, value

RULES_MODULE, USE = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "plugins.md").read_text(), re.DOTALL)


def function(name: str, body: list[tuple[list[str], str, str]], attributes: tuple[str, ...] = ()) -> FunctionProto:
    """A function of x that gives y, as the meaning of ``acme::name``; attributes are handed to the first node."""
    nodes = [node(op, inputs, [output]) for inputs, op, output in body]
    for attr in attributes:
        nodes[0].attribute.append(AttributeProto(name=attr, ref_attr_name=attr, type=AttributeProto.INTS))
    return helper.make_function("acme", name, ["x"], ["y"], nodes, [helper.make_opsetid("", 17)], list(attributes))


def net() -> ModelProto:
    nodes = [
        conv("x", "c"),
        node("UnitNorm", ["c"], ["u"], domain="acme", axes=[1]),
        node("SoftClip", ["u"], ["s"], domain="acme"),
        conv("s", "y", "v"),
    ]
    functions = [
        function("UnitNorm", [(["x"], "ReduceL2", "n"), (["x", "n"], "Div", "y")], ("axes",)),
        function("SoftClip", [(["x"], "Softsign", "y")]),
    ]
    weights = {"w": random(5, 3, 3, 3), "v": random(2, 5, 3, 3)}
    return model(nodes, {"x": (1, 3, 7, 11)}, {"y": (1, 2, 7, 11)}, weights, domains=["acme"], functions=functions)


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example as a module that can be imported; its rules are gone afterwards."""
    (tmp_path / "acme_rules.py").write_text(RULES_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(RULES)
    yield
    RULES.clear()
    RULES.update(before)
    sys.modules.pop("acme_rules", None)


def test_without_its_rule_an_operator_is_a_barrier() -> None:
    original = net()
    del original.functions[:]
    original.graph.value_info.extend(value(name, (1, 5, 7, 11)) for name in "us")
    result = rewrite(original, "nhwc")
    assert result.report.barriers == {"acme::SoftClip": 1, "acme::UnitNorm": 1}
    assert result.report.transposes == (0, 2)
    assert any("acme::UnitNorm" in left.blocked_by for left in result.report.remaining)


def test_without_its_rule_a_function_is_taken_apart() -> None:
    result = converted(net(), "nhwc", "function")
    assert result.report.barriers == {}
    assert result.report.transposes == (0, 0)
    assert not [n.op_type for n in result.model.graph.node if n.domain == "acme"]


@pytest.mark.usefixtures("rules")
def test_with_its_rule_an_operator_moves() -> None:
    __import__("acme_rules")
    result = converted(net(), "nhwc", "function")
    assert result.report.barriers == {}
    assert result.report.transposes == (0, 0)
    (moved,) = (n for n in result.model.graph.node if n.op_type == "UnitNorm")
    assert helper.get_node_attr_value(moved, "axes") == [3]
    assert lookup("acme", "UnitNorm", 17) is not None
    assert lookup("", "UnitNorm", 17) is None


@pytest.mark.usefixtures("rules")
def test_the_example_of_use_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(net(), tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    exec(compile(USE, "docs/plugins.md", "exec"), {})


@pytest.mark.usefixtures("rules")
def test_a_plugin_may_refuse() -> None:
    __import__("acme_rules")
    original = net()
    del original.graph.node[1].attribute[:]
    result = rewrite(original, "nhwc")
    assert any(left.blocked_by.endswith("UnitNorm names no axes") for left in result.report.remaining)
