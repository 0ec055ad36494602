"""Proves a rewritten model equal to its original: onnxruntime runs both on the same inputs.

The reference is the original without graph optimisation; the rewritten model must match it without and with. Deep nets
amplify rounding: some differ from themselves by 1e-3 of the output's scale when the last bits of the input change. So a
float output may be off by its type's tolerance or, if that is more, by ``NOISE_FACTOR`` times the original's own noise,
which is the most that the original differs from itself

* with graph optimisation, which reorders sums as a rewrite may, and
* with the last bit of every float input changed, a few times per run.

All else is exact: integers, booleans, strings, names, shapes, types, and where NaN and inf stand.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from passes.layout.perm import Perm, inverse, reorder, then
from rewriter.errors import CouldNotValidate, RunFailed
from rewriter.interface import LAYOUTS_KEY
from rewriter.validation.compare import Array, differences, unlike
from rewriter.validation.inputs import InputRequest
from rewriter.validation.reference import Reference, make_reference
from rewriter.validation.session import LEVELS, PROVIDERS, Level, Session, source
from rewriter.validation.verdict import Finding, ProviderResult, ValidationReport, Where, judge, verdict

Layouts = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Task:
    """The arguments of ``validate``; both models are loadable."""

    original: bytes | str
    rewritten: bytes | str
    layouts: Layouts | None
    request: InputRequest
    rtol: float | None
    atol: float


def validate(
    original: ModelProto | str | Path,
    rewritten: ModelProto | str | Path,
    *,
    layouts: Mapping[str, Sequence[int]] | None = None,
    providers: Sequence[str] | None = None,
    runs: int = 3,
    seed: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    inputs: Mapping[str, Array] | None = None,
) -> ValidationReport:
    """Compares the outputs of two models on the same seeded inputs.

    ``layouts``: how the rewritten model stores a graph input or output, by name, as the perm from the original's
    storage; any other is stored as in the original. ``None``: as the metadata of both models say.
    ``providers``: ``"cpu"``, ``"cuda"``. ``None``: each that is to be had.
    ``rtol``, ``atol``: tolerances of float outputs, as a fraction of the output's scale (``None``: by type, raised by
    noise) and absolute (``None``: 0); their sum is allowed.
    ``input_shapes``, ``inputs``: sizes and data, in the original's layout, in place of made-up ones.

    Raises ``CouldNotValidate`` where there is no verdict: a provider that was asked for is missing, the original does
    not run or is too noisy, an argument does not fit. A rewritten model that does not run is a verdict.
    """
    if runs < 1 or (providers is not None and not providers):
        raise CouldNotValidate("There is nothing to run: ask for at least one run and one provider.")
    results: list[ProviderResult] = []
    with contextlib.ExitStack() as stack:
        request = InputRequest(runs, seed, input_shapes or {}, inputs or {})
        task = Task(source(original, stack), source(rewritten, stack), layouts, request, rtol, atol or 0.0)
        for provider in PROVIDERS if providers is None else providers:
            try:
                results.append(_validate_on(provider, task))
            except CouldNotValidate as error:
                if providers is not None:
                    raise
                results.append(ProviderResult(provider, "unavailable", str(error)))
    if all(result.status == "unavailable" for result in results):
        raise CouldNotValidate(results[0].reason)
    return ValidationReport(results)


def _validate_on(provider: str, task: Task) -> ProviderResult:
    try:
        reference = make_reference(task.original, provider, task.request)
    except RunFailed as error:
        raise CouldNotValidate(
            f"The original does not run on {provider} ({error}): if the sizes or values of its inputs are "
            "the cause, give the right ones."
        ) from error
    names = [*reference.inputs, *reference.outputs]
    unknown = sorted(set(task.layouts or ()) - set(names))
    if unknown:
        raise CouldNotValidate(
            f"layouts names {', '.join(unknown)}, but the original's inputs and outputs are "
            f"{', '.join(names)}: correct the name."
        )
    findings = [finding for level in LEVELS for finding in _findings(provider, level, task, reference)]
    return verdict(provider, findings, reference.feeds)


def _findings(provider: str, level: Level, task: Task, reference: Reference) -> Iterator[Finding]:
    """How the rewritten model differs, in every output of every run until it fails to run."""
    try:
        session = Session(task.rewritten, provider, level)
        names = [spec.name for spec in session.inputs]
        if (names, session.outputs) != (reference.inputs, reference.outputs):
            was = f"{reference.inputs} and {reference.outputs}"
            yield Finding(unlike(f"has inputs {names} and outputs {session.outputs} instead of {was}"))
            return
        layouts = _recorded(reference.metadata, session.metadata) if task.layouts is None else task.layouts
        for run, feed in enumerate(reference.feeds):
            stored = {name: _stored(name, array, layouts) for name, array in feed.items()}
            results = session.run(stored)
            for output, value, got in zip(session.outputs, reference.values[run], results, strict=True):
                for name, most in differences(output, _stored(output, value, layouts), got):
                    where = Where(name, _original_index(most.index, layouts.get(output)), run, level)
                    yield judge(most, where, reference.noise.get(name, 0.0), task.rtol, task.atol)
    except RunFailed as error:
        yield Finding(unlike(f"does not run on {provider} at optimisation level {level}: {error}"))


def _recorded(original: Mapping[str, str], rewritten: Mapping[str, str]) -> dict[str, Perm]:
    """The layouts by the metadata. Both models may be rewrites of a third, from whose storage both count."""

    def perms(metadata: Mapping[str, str]) -> dict[str, Perm]:
        entries = json.loads(metadata.get(LAYOUTS_KEY, "{}"))
        return {name: tuple(entry["perm"]) for name, entry in entries.items()}

    try:
        undo = {name: inverse(p) for name, p in perms(original).items()}
        redo = perms(rewritten)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        text = f"The metadata {LAYOUTS_KEY} is broken ({error!r}): give the layouts."
        raise CouldNotValidate(text) from error
    return undo | redo | {name: then(undo[name], redo[name]) for name in undo.keys() & redo.keys()}


def _stored(name: str, value: Any, layouts: Layouts) -> Any:
    """``value``, which is as in the original, as the rewritten model stores it; a sequence item by item."""
    if name not in layouts or value is None:
        return value
    if isinstance(value, list):
        return [_stored(name, item, layouts) for item in value]
    if sorted(layouts[name]) != list(range(value.ndim)):
        raise CouldNotValidate(
            f"The layout {list(layouts[name])} of {name} does not fit its {value.ndim} axes: correct it."
        )
    return np.transpose(value, layouts[name])


def _original_index(index: tuple[int, ...] | None, layout: Sequence[int] | None) -> tuple[int, ...] | None:
    return index if index is None or layout is None else tuple(reorder(inverse(tuple(layout)), index))
