"""The words of a table are the functions that they stand for, at every opset and rank, and are read back as these."""

import numpy as np
import pytest

from passes import dialects
from passes.dialects.base import KERNEL_LAYOUTS, WEIGHT_LAYOUTS, form_named, kernel_perm
from passes.dialects.respell import has_words, respell, unspell
from passes.layout import perm
from tests.rules.cases import Case
from tests.rules.test_dialect import CALLS, call, channels_last, last, rank_of
from tests.support.engines import default, disabled
from tests.support.words import words

WORDS = {kernel: words(kernel) for kernel in WEIGHT_LAYOUTS}


@pytest.mark.no_cover  # for the time that it would take
@pytest.mark.parametrize(("name", "case", "kernel"), CALLS, ids=lambda value: getattr(value, "label", value))
def test_its_functions_are_those_of_the_function_dialect(name: str, case: Case, kernel: str) -> None:
    form = form_named(name, case.opset)
    assert form is not None
    given = channels_last(case, form, kernel)
    results = last(disabled(case.model(), case.feeds()), form)
    model = call(case, name, kernel, given, {f"y{j}": result for j, result in enumerate(results)})
    dialects.bring_functions(model)
    spoken = type(model)()
    spoken.CopyFrom(model)
    respell(spoken, WORDS[kernel])
    dialects.bring_functions(spoken)
    assert [(node.domain, node.op_type) for node in spoken.graph.node] == [("acme.npu", f"{name}{rank_of(case) - 2}D")]
    assert {function.domain for function in spoken.functions} == {"acme.npu"}
    feeds = {key: given[key] for key in case.feeds()}
    for engine in (disabled, default):
        for result, wanted in zip(engine(spoken, feeds), engine(model, feeds), strict=True):
            np.testing.assert_array_equal(result, wanted)
    assert unspell(spoken, WORDS[kernel])
    dialects.bring_functions(spoken)
    assert (spoken.graph, spoken.functions) == (model.graph, model.functions)
    assert not has_words(spoken, WORDS[kernel])


@pytest.mark.parametrize("kernel", KERNEL_LAYOUTS)
def test_a_kernel_layout_says_where_its_axes_go(kernel: str) -> None:
    assert "".join(perm.reorder(kernel_perm("Conv", 4, kernel), "oihw")) == kernel
    assert "".join(perm.reorder(kernel_perm("ConvTranspose", 4, kernel), "iohw")) == kernel
