"""What a call means by attributes that it lacks: said, they change nothing."""

from copy import deepcopy

import numpy as np
import onnx
import pytest

from passes import dialects
from passes.dialects.attributes import add, implied
from passes.dialects.base import form_named
from passes.dialects.facts import facts_of
from tests.rules.cases import Case
from tests.rules.test_dialect import CALLS, call, channels_last, last
from tests.support.engines import disabled

ROWS = [(name, row) for name, row, weights in CALLS if weights == "ohwi"]
# what nothing stands for: of a kernel that is not known, of sizes that are asked for, and beside auto_pad
UNSAID = {"kernel_shape", "output_shape", "axes"}


@pytest.mark.no_cover  # for the time that it would take
@pytest.mark.parametrize(("name", "row"), ROWS, ids=lambda value: getattr(value, "label", value))
def test_what_a_call_means_by_attributes_that_it_lacks(name: str, row: Case) -> None:
    form, schema = form_named(name, row.opset), onnx.defs.get_schema(row.op, row.opset)
    assert form is not None
    given = channels_last(row, form, "ohwi")
    results = last(disabled(row.model(), row.feeds()), form)
    model = call(row, name, "ohwi", given, {f"y{j}": result for j, result in enumerate(results)})
    said = deepcopy(model)
    node = said.graph.node[0]
    spelling = dialects.read(node.domain, node.op_type, row.opset)
    assert spelling is not None
    meant = implied(node, form, spelling.kernel, facts_of(said.graph), row.opset)
    add(node, meant, meant)
    dialects.bring_functions(said)
    unsaid = {*schema.attributes} - {attr.name for attr in node.attribute}
    assert unsaid <= UNSAID | ({"pads"} if "auto_pad" in row.attrs else set())
    if not schema.deprecated:
        onnx.checker.check_model(said, full_check=True)
    feeds = {key: given[key] for key in row.feeds()}
    for result, wanted in zip(disabled(said, feeds), disabled(model, feeds), strict=True):
        np.testing.assert_array_equal(result, wanted)
