"""Proves another runtime's file equal to the original: its runtime against onnxruntime, on the same inputs.

As ``rewriter.validation`` compares two ONNX models, with the same reference and noise of the original; float32 may be
off by ``RTOL`` of an output's scale, since another runtime's kernels add in another order. A file that is quantised is
not compared alone: the one in float32, which the converter was given the same graph for, is proven as all; what
quantising adds is measured, and must not be more than ``LOSS``. Where the model quantises itself, both are proven
without that: a step of 8 bits would be more than any noise.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import ModelProto

from passes.layout.edit import Array
from rewriter.backends.base import Backend, Run, Written
from rewriter.backends.pairs import with_ranges, without_ranges
from rewriter.errors import RunFailed
from rewriter.steps import step
from rewriter.validation.compare import RTOL as BY_TYPE
from rewriter.validation.compare import unlike
from rewriter.validation.degenerate import notes_on
from rewriter.validation.inputs import InputRequest
from rewriter.validation.layouts import Layouts, original_index, stored
from rewriter.validation.noise import Noise
from rewriter.validation.providers import CPU
from rewriter.validation.reference import Reference
from rewriter.validation.session import Feed, Level, source
from rewriter.validation.validate import Task, reference_of
from rewriter.validation.verdict import DIFFERS, Fault, Finding, ProviderResult, ValidationReport, Where, judge, verdict

RTOL = 1e-4  # of an output's scale, float32
LOSS = {"float16": 0.05, "dynamic": 0.3, "int8": 0.5}  # root mean square of the error over that of the output


@dataclass(frozen=True)
class Proof:
    """What is compared: an original, and a backend's file of it, whose inputs and outputs have these layouts.

    ``request``: with the frames that the file takes, if it does.
    """

    original: ModelProto | Path
    backend: Backend
    written: Written
    layouts: Layouts
    request: InputRequest
    rtol: float | None = None
    atol: float = 0.0
    quantize: str | None = None


def validate(proof: Proof) -> ValidationReport:
    """The verdict on the file. Raises ``CouldNotValidate`` where the original does not run, or is too noisy."""
    with ExitStack() as stack:
        smooth = bare(proof.original) if proof.written.is_bare else proof.original
        task = Task(source(smooth, stack), b"", proof.layouts, proof.request, proof.rtol, proof.atol)
        reference = reference_of(CPU, task)
        findings = [*_compared(proof, reference)]
        if any(finding.excess > 1 and finding.where for finding in findings):
            reference.listen_closer()
            findings = [*_compared(proof, reference)]
        result = verdict(proof.backend.name, findings, reference.feeds, proof.backend.levels)
        result = replace(result, notes=[*result.notes, *notes_on(reference.outputs, reference.values)])
        if proof.quantize and result.status == "passed":
            if proof.written.is_bare:
                reference = reference_of(CPU, replace(task, original=source(proof.original, stack)))
            result = replace(_agreement(proof, reference, proof.quantize), notes=result.notes)
    return ValidationReport([result])


def bare(original: ModelProto | Path) -> ModelProto:
    """The model without the pairs of QuantizeLinear and DequantizeLinear that ranges are made of."""
    return without_ranges(with_ranges(onnx.load(original) if isinstance(original, Path) else original))


def _compared(proof: Proof, reference: Reference) -> Iterator[Finding]:
    """How the exact file differs in every output of every run, with each kind of kernels that the runtime has."""
    for level in proof.backend.levels:
        fault: Fault = "does not load in its runtime"
        try:
            with step(f"{proof.backend.name} runs the result"):
                run = proof.backend.load(proof.written.exact, level)
                fault = "does not run in its runtime"
                yield from _differences(run, level, proof, reference)
        except RunFailed as error:
            text = f"{fault}, {proof.backend.name} {proof.backend.levels[level]}: {error}"
            yield Finding(unlike(text), fault=fault)


def _differences(run: Run, level: Level, proof: Proof, reference: Reference) -> Iterator[Finding]:
    for number, values in enumerate(reference.values):
        results = _outputs(run, number, proof, reference)
        for name, value, got in zip(reference.outputs, values, results, strict=True):
            noise, expected = reference.noise.get(name, Noise()), stored(name, value, proof.layouts)
            others = noise.alternatives(number, got, partial(stored, name, layouts=proof.layouts))
            finding = judge(expected, got, others, noise, proof.rtol, proof.atol, RTOL)
            index = original_index(finding.difference.index, proof.layouts.get(name), np.shape(got))
            yield replace(finding, where=Where(name, index, number, level))


def _outputs(run: Run, number: int, proof: Proof, reference: Reference) -> list[Any]:
    """What the file makes of the inputs of a run, in the order of the model's outputs. Raises RunFailed."""
    names = proof.written.names
    results = run({names.get(name, name): array for name, array in feed_of(reference.raw[number], proof).items()})
    try:
        return [np.asarray(results[names.get(name, name)]) for name in reference.outputs]
    except KeyError as error:
        raise RunFailed(f"it has no output {error}") from None


def feed_of(feed: Mapping[str, Array], proof: Proof) -> Feed:
    """The inputs as the file stores them."""
    return {name: np.asarray(stored(name, array, proof.layouts), order="C") for name, array in feed.items()}


class _Loss(NamedTuple):
    """What quantising costs an output: ``error``, root mean squares; rows whose largest element stays where it was."""

    name: str
    error: float
    same: int
    rows: int


def _agreement(proof: Proof, reference: Reference, quantize: str) -> ProviderResult:
    """The verdict on the quantised file."""
    try:
        run = proof.backend.load(proof.written.file, "default")
        results = [_outputs(run, number, proof, reference) for number in range(len(reference.feeds))]
    except RunFailed as error:
        reason = f"The {quantize} file does not run: {error}."
        return ProviderResult(proof.backend.name, "failed", reason, fault="does not run in its runtime")
    losses = []
    for place, name in enumerate(reference.outputs):
        expected = [stored(name, values[place], proof.layouts) for values in reference.values]
        losses.append(_loss(name, expected, [result[place] for result in results]))
    worst = max(losses, key=lambda loss: loss.error)
    allowed = LOSS[quantize] if proof.rtol is None else proof.rtol
    reason = f"As {quantize}, output {worst.name} is off by {worst.error:.2g} (root mean squares), allowed {allowed:g}"
    rows, same = sum(loss.rows for loss in losses), sum(loss.same for loss in losses)
    reason += f"; the largest element is the same in {same} of {rows} rows." if rows else "."
    shapes = [{name: array.shape for name, array in feed.items()} for feed in reference.feeds]
    passed = worst.error <= allowed
    return ProviderResult(
        proof.backend.name,
        "passed" if passed else "failed",
        reason,
        shapes=shapes,
        rtol=allowed,
        fault=None if passed else DIFFERS,
    )


def _loss(name: str, expected: Sequence[Array], got: Sequence[Array]) -> _Loss:
    """Rows are those of the last axis, of floats with two elements or more in it."""
    if any(one.shape != other.shape or one.dtype != other.dtype for one, other in zip(expected, got, strict=True)):
        return _Loss(name, math.inf, 0, 0)
    right, other = (np.concatenate([np.ravel(one).astype(np.float64) for one in side]) for side in (expected, got))
    scale = float(np.sqrt(np.mean(np.square(right)))) or 1.0
    error = float(np.sqrt(np.mean(np.square(other - right)))) / scale
    if expected[0].dtype not in BY_TYPE or expected[0].ndim < 2 or expected[0].shape[-1] < 2:
        return _Loss(name, error if math.isfinite(error) else math.inf, 0, 0)
    same = [np.argmax(one, -1) == np.argmax(two, -1) for one, two in zip(expected, got, strict=True)]
    return _Loss(
        name,
        error if math.isfinite(error) else math.inf,
        sum(int(rows.sum()) for rows in same),
        sum(rows.size for rows in same),
    )
