"""Channels-last functions: each builds, is valid, and is the standard operator on channels-last data."""

from copy import deepcopy
from itertools import product

import numpy as np
import onnx
import pytest
from onnx import ModelProto, ValueInfoProto, helper, numpy_helper
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

from passes import dialects
from passes.dialects import functions
from passes.dialects.base import FORMS, KERNEL_LAYOUTS, WEIGHT_LAYOUTS, Form, form_named, kernel_perm
from passes.layout import perm
from passes.layout.formats import FORMATS
from passes.rules.image import form_of
from passes.rules.node import Node
from tests.rules.cases import CASES, TOLERANCE, Array, Case, element_type
from tests.rules.law import oracles
from tests.support.engines import default, disabled
from tests.support.stages import to_graph

STANDARD = {form.op for form in FORMS}


def name_of(row: Case) -> str:
    graph = to_graph(row.model())
    return form_of(Node(graph.nodes[0], graph.opset, dialects.make("function"))).name


def rank_of(row: Case) -> int:
    return int(row.feeds()["x0"].ndim)


CALLS = [
    (name_of(row), row, weights)
    for row, weights in product(CASES, WEIGHT_LAYOUTS)
    if row.op in STANDARD and not row.domain and rank_of(row) in FORMATS
    if row.accepts not in ("none", "together", "last two") and "axes" not in row.attrs and form_named(row.op, row.opset)
]


def operands(row: Case) -> dict[str, Array]:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in row.model().graph.initializer}
    return {**constants, **row.feeds()}


def channels_last(row: Case, form: Form, weights: str) -> dict[str, Array]:
    """The operands as the function takes them."""
    rank, given = rank_of(row), operands(row)
    for i, kind in enumerate(form.inputs):
        name = f"x{i}"
        if name in given and kind == "x":
            given[name] = given[name].transpose(perm.channels_last(rank))
        elif name in given and kind == "w":
            given[name] = given[name].transpose(kernel_perm(form.op, rank, weights))
        elif name in given and kind == "v":
            given[name] = given[name][list(perm.channels_last(rank))]
    return {name: np.asarray(value, order="C") for name, value in given.items()}


def last(results: list[Array], form: Form) -> list[Array]:
    """Channels last, where they are images."""
    kinds = zip(results, form.outputs, strict=True)
    return [one if kind == "-" else one.transpose(perm.channels_last(one.ndim)) for one, kind in kinds]


def info(name: str, value: Array) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, element_type(value.dtype), value.shape)


def call(row: Case, name: str, weights: str, given: dict[str, Array], results: dict[str, Array]) -> ModelProto:
    """A model that calls the function of the form ``name`` once, with all attributes, as earlier versions wrote it."""
    form = form_named(name, row.opset)
    assert form is not None
    _, _, op, domain, *_ = functions.called(form, rank_of(row), weights)
    inputs = [f"x{i}" if operand is not None else "" for i, operand in enumerate(row.operands)]
    while not inputs[-1]:
        inputs.pop()
    node = helper.make_node(op, inputs, list(results), domain=domain, **row.attrs)
    fed = [info(key, value) for key, value in given.items() if key in row.feeds()]
    constants = [numpy_helper.from_array(value, key) for key, value in given.items() if key not in row.feeds()]
    graph = helper.make_graph([node], "call", fed, [info(*result) for result in results.items()], constants)
    opsets = [helper.make_opsetid("", row.opset), helper.make_opsetid(domain, 1)]
    function = functions.FunctionDialect.function(domain, op, row.opset)
    return helper.make_model(graph, ir_version=10, opset_imports=opsets, functions=[function])


@pytest.mark.no_cover  # for the time that it would take
@pytest.mark.parametrize(("name", "row", "weights"), CALLS, ids=lambda value: getattr(value, "label", value))
def test_a_function_is_the_standard_operator_on_channels_last_data(name: str, row: Case, weights: str) -> None:
    form = form_named(name, row.opset)
    assert form is not None
    given = channels_last(row, form, weights)
    results = enumerate(last(disabled(row.model(), row.feeds()), form))
    model = call(row, name, weights, given, {f"y{j}": result for j, result in results})
    if not onnx.defs.get_schema(row.op, row.opset).deprecated:
        onnx.checker.check_model(model, full_check=True)
    feeds = {key: given[key] for key in row.feeds()}
    own = deepcopy(model)
    dialects.bring_functions(own)
    for engine, one in ((default, model), (disabled, model), *((oracle, own) for oracle in oracles(row))):
        for result, wanted in zip(engine(one, feeds), last(engine(row.model(), row.feeds()), form), strict=True):
            assert result.dtype == wanted.dtype
            np.testing.assert_allclose(result, wanted, rtol=0.0, atol=TOLERANCE * np.abs(wanted).max())


def test_every_function_is_called_at_every_opset_it_changes() -> None:
    called = {(name, form_named(name, row.opset)) for name, row, _ in CALLS}
    assert called == {(form.name, form) for form in FORMS if not form.grouped}
    assert {rank_of(row) for _, row, _ in CALLS} == set(FORMATS)


def test_no_function_has_the_name_of_another_operator_or_function() -> None:
    """Readers that ignore domains take the one for the other."""
    taken = {schema.name for schema in (*onnx.defs.get_all_schemas(), *get_all_operator_schema())}
    calls = [functions.called(*key) for key in product(FORMS, FORMATS, KERNEL_LAYOUTS)]
    names = {(call.domain, call.op) for call in calls}
    assert (
        len(names)
        == len({op for _, op in names})
        == len({form.name for form in FORMS}) * len(FORMATS) * len(KERNEL_LAYOUTS)
    )
    assert not taken & {op for _, op in names}
    assert all(op.isidentifier() for _, op in names)  # as ONNX wants names to be


@pytest.mark.parametrize("suffix", ["its own", "none, as 0.2.0 wrote"])
@pytest.mark.parametrize(("rank", "weights"), list(product(FORMATS, WEIGHT_LAYOUTS)))
def test_domains_and_names_parse_back(rank: int, weights: str, suffix: str) -> None:
    domain = functions.domain_of(rank, weights)
    op = "ConvTranspose" + (functions.suffix_of(domain) if suffix == "its own" else "")
    found = dialects.read(domain, op, 13)
    assert found is not None
    assert (found.rank, found.kernel) == (rank, kernel_perm("ConvTranspose", rank, weights))


@pytest.mark.parametrize(
    "domain", ["", "ai.onnx", "rewriter", "rewriter.nchw", "rewriter.nhwc.hiwo", "com.ms.internal.nhwc", "my.nhwc"]
)
def test_other_domains_are_not_ours(domain: str) -> None:
    assert dialects.read(domain, "Conv", 13) is None


@pytest.mark.parametrize("op", ["Conv_NWC", "Conv_NHWC_HWIO", "Conv_", "Conv_NHWC_NHWC", "_NHWC", "Nonsense_NHWC"])
def test_other_names_are_not_ours(op: str) -> None:
    assert dialects.read("rewriter.nhwc", op, 13) is None


@pytest.mark.parametrize(
    ("op", "weights", "standard", "stored"),
    [
        ("Conv", "ohwi", "OIHW", "OHWI"),
        ("Conv", "hwio", "OIHW", "HWIO"),
        ("ConvTranspose", "ohwi", "IOHW", "OHWI"),
        ("ConvTranspose", "hwio", "IOHW", "HWIO"),
        ("Conv", "ohwi", "OIDHW", "ODHWI"),
        ("Conv", "hwio", "OIW", "WIO"),
    ],
)
def test_kernels_are_stored_as_the_layout_says(op: str, weights: str, standard: str, stored: str) -> None:
    assert "".join(perm.reorder(kernel_perm(op, len(standard), weights), standard)) == stored


@pytest.mark.parametrize("name", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
def test_what_moves_no_byte_is_no_transpose(name: str) -> None:
    """onnxruntime would write QDQ pairs twice for it."""
    proto = functions.FunctionDialect.function("rewriter.nhwc", f"{name}_NHWC", 17)
    assert proto is not None
    assert [one.op_type for one in proto.node] == ["Transpose", name, "Constant", "Reshape"]
