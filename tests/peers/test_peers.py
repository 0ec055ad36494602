"""Every case of the peers: converted right, with at most the Transposes and bytes that the peer leaves."""

import numpy as np
import pytest

from rewriter import RewriteResult, rewrite
from tests.peers import (
    onnxruntime_elementwise,
    onnxruntime_graphs,
    onnxruntime_movement,
    onnxruntime_products,
    onnxruntime_quantised,
    qonnx_cases,
    tf2onnx_axes,
    tf2onnx_elementwise,
    tvm_cases,
)
from tests.peers.case import Case
from tests.peers.exceptions import EXCEPTIONS
from tests.peers.in_onnxruntime import Left, left_by_onnxruntime
from tests.support.engines import default, disabled
from tests.support.graphs import proven

ONNXRUNTIME = [
    *onnxruntime_movement.CASES,
    *onnxruntime_elementwise.CASES,
    *onnxruntime_quantised.CASES,
    *onnxruntime_graphs.CASES,
    *onnxruntime_products.CASES,
]
TOLD = [
    *tf2onnx_axes.CASES,
    *tf2onnx_elementwise.CASES,
    *tvm_cases.CASES,
    *qonnx_cases.CASES,
]  # what these leave stands in the case


def converted(case: Case) -> RewriteResult:
    """The rewrite, proven right, without onnxruntime's optimiser and with it."""
    options = {"to": "nhwc", "dialect": "onnx", "keep_io": True, "measure_on": case.inputs, **case.options}
    options["input_shapes"] = case.input_shapes
    wanted = disabled(case.model, case.inputs)
    if any(result.size for result in wanted):
        return proven(case.model, options.pop("to"), options.pop("dialect"), case.inputs, **options)
    result = rewrite(case.model, **options)  # there is nothing to validate but shapes
    for engine in (disabled, default):
        for one, other in zip(engine(result.model, case.inputs), wanted, strict=True):
            np.testing.assert_array_equal(one, other)
    return result


def left_by_us(result: RewriteResult) -> Left:
    return Left(result.report.transposes[1], result.plan.bytes)


def is_more(ours: Left, theirs: Left) -> bool:
    return ours.transposes > theirs.transposes or ours.bytes > theirs.bytes


def check(case: Case, found: dict[str, tuple[Left, Left]]) -> None:
    """``found``: what we leave and what the peer leaves, by where it was counted."""
    more = {where: pair for where, pair in found.items() if is_more(*pair)}
    if case.name in EXCEPTIONS:
        assert more, f"{case.name} is no exception any more: delete its row"
    else:
        assert not more


@pytest.mark.parametrize("case", ONNXRUNTIME, ids=lambda case: case.id)
def test_no_more_than_onnxruntime(case: Case) -> None:
    """As its basic optimisation, as the file stands; where it optimises our file too, no more than of the original."""
    result = converted(case)
    basic, extended = (left_by_onnxruntime(case.model, level, case.inputs) for level in ("basic", "extended"))
    optimised = left_by_onnxruntime(result.model, "extended", case.inputs)
    check(case, {"basic": (left_by_us(result), basic), "extended": (optimised, extended)})


@pytest.mark.parametrize("case", TOLD, ids=lambda case: case.id)
def test_no_more_than_told(case: Case) -> None:
    assert case.left is not None
    check(case, {"file": (left_by_us(converted(case)), Left(*case.left))})


def test_every_exception_is_a_case() -> None:
    assert EXCEPTIONS.keys() <= {case.name for case in (*ONNXRUNTIME, *TOLD)}
    assert len({case.id for case in (*ONNXRUNTIME, *TOLD)}) == len(ONNXRUNTIME) + len(TOLD)
