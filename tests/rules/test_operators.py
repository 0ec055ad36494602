"""Every operator of ai.onnx is accounted for: by a rule, tested at every opset it changes, or by a reason."""

from itertools import pairwise
from typing import Any

import onnx
import pytest
from onnx.defs import OpSchema

import passes.rules  # noqa: F401  (fills RULES)
from passes import dialects
from passes.layout.layout import permuted
from passes.plan.flat_graph import FlatGraph
from passes.refusal import Refusal
from passes.rules.barriers import BARRIERS
from passes.rules.rule import RULES, lookup
from tests.rules.cases import CASES, W, case
from tests.support.stages import to_graph
from tests.tools.make_operators import PATH, page

OLDEST, NEWEST = 7, 26
PORTS = {
    "If",
    "Loop",
    "Scan",
}  # their rules are those of their ports (rules/control.py, pipeline/test_control.py)


def versions() -> dict[str, list[OpSchema]]:
    """The schemas of each operator that apply at the opsets this tool knows, oldest first."""
    found: dict[str, list[OpSchema]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if not schema.domain and schema.since_version <= NEWEST:
            found.setdefault(schema.name, []).append(schema)
    for schemas in found.values():
        schemas.sort(key=lambda schema: schema.since_version)
        while len(schemas) > 1 and schemas[1].since_version <= OLDEST:
            schemas.pop(0)
    return {name: schemas for name, schemas in found.items() if not (schemas[-1].deprecated and len(schemas) == 1)}


def signature(schema: OpSchema) -> Any:
    """What a rule may depend on: how many inputs and outputs, which attributes and defaults."""
    attributes = {name: (attr.required, str(attr.default_value)) for name, attr in schema.attributes.items()}
    return len(schema.inputs), len(schema.outputs), attributes, schema.deprecated


def ranges(schemas: list[OpSchema]) -> list[tuple[int, int]]:
    """The ranges of opsets over which an operator has one signature, both ends included."""
    starts = [schemas[0], *(b for a, b in pairwise(schemas) if signature(a) != signature(b))]
    ends = [schema.since_version - 1 for schema in starts[1:]] + [NEWEST]
    spans = zip(starts, ends, strict=True)
    return [(schema.since_version, end) for schema, end in spans if not schema.deprecated]


OPERATORS = versions()
SPANS = [(op, *span) for op, schemas in OPERATORS.items() if op not in {*BARRIERS, *PORTS} for span in ranges(schemas)]


@pytest.mark.parametrize("op", sorted(OPERATORS.keys() - PORTS))
def test_every_operator_has_a_rule_or_a_reason(op: str) -> None:
    assert (("", op) in RULES) != (op in BARRIERS)
    starts = {max(schema.since_version, OLDEST) for schema in OPERATORS[op]}
    assert op in BARRIERS or all(lookup("", op, opset) for opset in starts)


def test_there_is_no_rule_and_no_reason_for_an_operator_that_is_not_there() -> None:
    assert {op for domain, op in RULES if not domain} | set(BARRIERS) | PORTS == set(OPERATORS)


@pytest.mark.parametrize(("op", "first", "last"), SPANS)
def test_there_is_a_case_for_every_signature(op: str, first: int, last: int) -> None:
    assert any(first <= row.opset <= last for row in CASES if (row.domain, row.op) == ("", op))


def test_the_reason_is_what_a_user_reads() -> None:
    node = onnx.helper.make_node("Range", ["a", "b", "c"], ["y"])
    info = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, []) for name in "abc"]
    graph = onnx.helper.make_graph([node], "g", info, [onnx.ValueInfoProto(name="y")])
    model = onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 21)])
    flat = FlatGraph(to_graph(model), dialects.make("function"))
    with pytest.raises(Refusal, match="makes a vector"):
        flat.nodes[0].ask()


def test_an_operand_with_more_axes_than_the_result_is_refused() -> None:
    """onnx gives the result of PRelu the axes of its input, whatever its slope has."""
    graph = to_graph(case("PRelu", 16, (3, 5), W(2, 3, 5)).model())
    with pytest.raises(Refusal, match="operand 'x1' has more axes than the output"):
        FlatGraph(graph, dialects.make("function")).nodes[0].ask(permuted((1, 0)))


def test_the_page_is_current() -> None:
    assert page() == PATH.read_text(), "run `make operators`"
