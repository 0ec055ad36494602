"""Are faults in rules found, and where they are? ``python -m tests.tools.faults`` plants each and prints a table.

The right node is the first one, in the original's order, of which the plan has a wrong move.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple
from unittest.mock import patch

import onnx

from passes.pipeline import Work
from passes.rules.api import OUT
from rewriter import CouldNotValidate, RewriterError, RewriteResult, pipeline, rewrite, validate
from rewriter.interface import InterfaceValue
from rewriter.validation.inputs import InputRequest
from rewriter.validation.layouts import of_perms
from rewriter.validation.locate import locate
from tests.support.faulty_rules import planted
from tests.support.graphs import COMMITTED, KINDS
from tests.tools.fault_table import FAULTS, Fault

MODELS = {**COMMITTED, **KINDS}
RIGHT, AMONG, VERIFIED, ANOTHER, MISSED = (
    "the right node",
    "among those named",
    "verification",
    "another node",
    "missed",
)


class Outcome(NamedTuple):
    """``found`` is one of the words above; ``first``: what the wrong node makes; ``place``: what is named."""

    found: str
    first: str
    place: str


def outcome(fault: Fault) -> Outcome:
    """What becomes of a fault. Raises LookupError if the plan has no move that it makes wrong."""
    original = onnx.load(MODELS[fault.model])
    works: list[Work] = []
    real = pipeline.interface_of

    def spy(work: Work) -> tuple[list[InterfaceValue], list[InterfaceValue]]:
        works.append(work)
        return real(work)

    with planted(fault.op, fault.spoil) as wrong, patch.object(pipeline, "interface_of", spy):
        try:
            result: RewriteResult | None = rewrite(original, fault.to, dialect=fault.dialect)
            error = ""
        except RewriterError as refusal:
            result, error = None, str(refusal)
        nodes = [
            ruled for work in works for ruled, move in zip(work.program.flat.nodes, work.plan.moves, strict=True)
            if id(move) in wrong
        ]  # fmt: skip
    if not nodes:
        raise LookupError(f"{fault.what} of {fault.op} changes nothing in {fault.model}")
    first, name = nodes[0].value(OUT(0)), nodes[0].node.name
    if result is None:
        return Outcome(VERIFIED if name and name in error else ANOTHER, first, error)
    return _located(original, result, first)


def _located(original: onnx.ModelProto, result: RewriteResult, first: str) -> Outcome:
    try:
        verdict = validate(original, result.model, layouts=result.layouts, runs=1, providers=["cpu"])
        layouts = of_perms(result.layouts)
        search = locate(original, result.model, InputRequest(1, 0, {}, {}), layouts=layouts, values=result.stored)
    except CouldNotValidate as error:
        return Outcome(MISSED, first, str(error))
    if search.located is None:
        return Outcome(MISSED if verdict.ok else ANOTHER, first, "")
    place = search.located.nodes[-1]
    if search.located.value == first:
        return Outcome(RIGHT, first, place)
    makers = {out: node.name or out for node in original.graph.node for out in node.output}
    among = any(repr(makers[first]) in node for node in search.located.nodes)
    return Outcome(AMONG if among else ANOTHER, first, place)


def rows() -> Iterator[tuple[Fault, Outcome]]:
    for fault in FAULTS:
        yield fault, outcome(fault)


def main() -> int:
    """Plant all; 0 if validation and the locator find nine tenths at the right node."""
    counts: Counter[str] = Counter()
    print(f"| {'rule':20} | {'fault':45} | {'model':28} | {'found':17} |\n|---|---|---|---|")
    for fault, found in rows():
        counts[found.found] += 1
        print(f"| {fault.op:20} | {fault.what:45} | {fault.model:28} | {found.found:17} |", flush=True)
    print(f"\n{len(FAULTS)} faults: " + ", ".join(f"{count} {what}" for what, count in counts.most_common()))
    return 0 if counts[RIGHT] >= 0.9 * len(FAULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
