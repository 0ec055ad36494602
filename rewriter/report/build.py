"""A report of what the passes did to a model."""

from collections.abc import Sequence

from onnx import ModelProto

from passes.pipeline import Work
from passes.plan.explain import explain
from rewriter.errors import UsageError
from rewriter.interface import InterfaceValue
from rewriter.report import summary
from rewriter.report.data import Explained, Report

TIME_LIMIT = "The planner's time limit was reached: fewer bytes than these may be possible."


def make_report(
    work: Work,
    result: ModelProto,
    inputs: Sequence[InterfaceValue],
    outputs: Sequence[InterfaceValue],
    names: Sequence[str],
) -> Report:
    """The report of a rewrite that gave ``result``, with an explanation of each value in ``names``, and no times.

    Raises UsageError if there is no such value.
    """
    original: ModelProto = work.planned.origin.model
    dialect = work.request.dialect
    is_spelled = any(dialect.owns(function.domain) for function in result.functions)
    return Report(
        to=work.request.to,
        dialect=dialect.name,
        changed=summary.changed(original, result) or any(value.flipped for value in (*inputs, *outputs)),
        inputs=inputs,
        outputs=outputs,
        ops=summary.count_ops(original, result),
        remaining=summary.remaining(work.plan, work.roles),
        barriers=summary.barriers(work.planned),
        bytes_before=work.bytes_before,
        bytes=work.plan.bytes,
        inside=work.plan.inside,
        bound=work.plan.bound,
        optimal=work.plan.optimal,
        explained=[explained(work, name) for name in names],
        seconds={},
        notes=[*[dialect.note] * is_spelled, *[TIME_LIMIT] * (not work.plan.optimal)],
    )


def explained(work: Work, name: str) -> Explained:
    """Why a value is stored as it is. Raises UsageError if the model computes none of that name."""
    try:
        return summary.explained(explain(work.program, work.plan, name), work.roles.get(name))
    except KeyError:
        raise UsageError(f"--explain {name}: the model computes no value of that name") from None
