"""Proves a rewritten model equal to its original: onnxruntime runs both on the same inputs.

The reference is the original without graph optimisation; the rewritten model must match it without and with.
Deep nets amplify rounding: some differ from themselves by 1e-3 of the output's scale when the last bits of
the input change. So a float output may be off by its type's tolerance or, if that is more, by `NOISE_FACTOR`
times the original's own noise, which is the most that the original differs from itself

* with graph optimisation, which reorders sums as a rewrite may, and
* with the last bit of every float input changed, `NUDGES` times per run.

All else is exact: integers, booleans, strings, names, shapes, types, and where NaN and inf stand.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from passes.layout.perm import Perm, inverse, reorder, then
from rewriter.interface import LAYOUTS_KEY
from rewriter.validation.compare import Array, Difference, difference, pairs
from rewriter.validation.session import (
    LEVELS,
    PROVIDERS,
    CouldNotValidate,
    Feed,
    Level,
    RunFailed,
    Session,
    make_feeds,
    nudged,
    source,
)
from rewriter.validation.verdict import ProviderResult, ValidationReport, Where

__all__ = ["CouldNotValidate", "ProviderResult", "ValidationReport", "Where", "validate"]

NUDGES = 2
NOISE_FACTOR = 4.0
"""Noise and error are each the largest of a few samples, so the error of a right rewrite can be the larger.
Measured on conv nets of 40 layers against the same nets with reordered sums, 3 runs: an output of one number
is off by more than 4 times its noise in 0.8 % of the cases (twice: 10 %), four in 0.2 %, ten in 0.1 %."""

NOISE_LIMIT = 0.05
"""Of the output's scale. Noise raises the tolerance no further: real mistakes would pass."""


@dataclass(frozen=True)
class _Task:
    """The arguments of `validate`; both models are loadable."""

    original: bytes | str
    rewritten: bytes | str
    layouts: Mapping[str, Sequence[int]] | None
    runs: int
    seed: int
    rtol: float | None
    atol: float
    shapes: Mapping[str, Sequence[int]]
    arrays: Mapping[str, Array]


@dataclass(frozen=True)
class _Reference:
    """What the original does: ``values`` by run and output, ``noise`` by output or item of a sequence."""

    inputs: list[str]
    outputs: list[str]
    metadata: dict[str, str]
    feeds: list[Feed]
    values: list[list[Any]]
    noise: dict[str, float]


@dataclass(frozen=True)
class _Finding:
    """A difference and what is allowed there."""

    difference: Difference
    where: Where | None = None
    rtol: float = 0.0
    atol: float = 0.0
    noise: float = 0.0

    @property
    def excess(self) -> float:
        """The error as a multiple of what is allowed: at most 1 if it passes."""
        allowed = self.rtol * self.difference.scale + self.atol
        if self.difference.absolute == 0:
            return 0.0
        return self.difference.absolute / allowed if allowed else math.inf

    @property
    def is_noise(self) -> bool:
        """Whether it fails only because noise counts no further than `NOISE_LIMIT`."""
        error, is_float = self.difference.relative, self.difference.rtol > 0
        return self.excess > 1 and is_float and error <= NOISE_FACTOR * self.noise


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

    ``layouts``: how the rewritten model stores a graph input or output, by name, as the perm from the
    original's storage; any other is stored as in the original. ``None``: as the metadata of both models say.
    ``providers``: ``"cpu"``, ``"cuda"``. ``None``: each that is to be had.
    ``rtol``, ``atol``: tolerances of float outputs, as a fraction of the output's scale (``None``: by type)
    and absolute (``None``: 0); their sum is allowed. Noise still raises the first.
    ``input_shapes``, ``inputs``: sizes and data, in the original's layout, in place of made-up ones.

    Raises `CouldNotValidate` where there is no verdict: a provider that was asked for is missing, the
    original does not run, an input's type cannot be made up, an argument does not fit the models, or the
    original is too noisy to tell. A rewritten model that does not run is a verdict.
    """
    if runs < 1 or (providers is not None and not providers):
        raise CouldNotValidate("There is nothing to run: ask for at least one run and one provider.")
    with contextlib.ExitStack() as stack:
        models = source(original, stack), source(rewritten, stack)
        task = _Task(*models, layouts, runs, seed, rtol, atol or 0.0, input_shapes or {}, inputs or {})
        if providers is None:
            return _where_possible(task)
        return ValidationReport([_validate_on(provider, task) for provider in providers])


def _where_possible(task: _Task) -> ValidationReport:
    results: list[ProviderResult] = []
    errors: list[CouldNotValidate] = []
    for provider in PROVIDERS:
        try:
            results.append(_validate_on(provider, task))
        except CouldNotValidate as error:
            errors.append(error)
            results.append(ProviderResult(provider, "unavailable", str(error)))
    if len(errors) == len(results):
        raise errors[0]
    return ValidationReport(results)


def _validate_on(provider: str, task: _Task) -> ProviderResult:
    try:
        reference = _reference(provider, task)
    except RunFailed as error:
        raise CouldNotValidate(
            f"The original does not run on {provider} ({error}): if the sizes or values of its inputs are "
            "the cause, give the right ones."
        ) from error
    findings = [finding for level in LEVELS for finding in _findings(provider, level, task, reference)]
    worst = _worst(findings)
    is_number = math.isfinite(worst.difference.absolute)
    return ProviderResult(
        name=provider,
        status="passed" if worst.excess <= 1 else "failed",
        reason=_reason(worst),
        max_abs=worst.difference.absolute if is_number else None,
        max_rel=worst.difference.relative if is_number else None,
        where=worst.where if worst.excess else None,
        rtol=worst.rtol,
        atol=worst.atol,
        noise=worst.noise,
        shapes=[{name: array.shape for name, array in feed.items()} for feed in reference.feeds],
    )


def _reference(provider: str, task: _Task) -> _Reference:
    """Runs the original. Raises `RunFailed` and what `make_feeds` raises."""
    session = Session(task.original, provider, "disabled")
    names, outputs, metadata = [spec.name for spec in session.inputs], session.outputs, session.metadata
    unknown = sorted(set(task.layouts or {}) - {*names, *outputs})
    if unknown:
        raise CouldNotValidate(
            f"layouts names {', '.join(unknown)}, but the original's inputs and outputs are "
            f"{', '.join(names + outputs)}: correct the name."
        )
    feeds = make_feeds(session, runs=task.runs, seed=task.seed, shapes=task.shapes, arrays=task.arrays)
    values = [session.run(feed) for feed in feeds]
    noise: dict[str, float] = {}
    rng = np.random.default_rng(task.seed)
    for _ in range(NUDGES):
        _listen(noise, session, [nudged(feed, rng) for feed in feeds], values)
    del session  # before the next one: each holds the weights
    _listen(noise, Session(task.original, provider, "default"), feeds, values)
    return _Reference(names, outputs, metadata, feeds, values, noise)


def _listen(noise: dict[str, float], session: Session, feeds: list[Feed], values: list[list[Any]]) -> None:
    """Raises ``noise``, by output, to what the outputs of ``feeds`` differ from ``values``."""
    for feed, expected in zip(feeds, values, strict=True):
        for output, one, other in zip(session.outputs, expected, session.run(feed), strict=True):
            for name, array, again in pairs(output, one, other):
                sample = difference(array, again).relative
                if math.isfinite(sample):  # another shape, say, is no measure
                    noise[name] = max(noise.get(name, 0.0), sample)


def _findings(provider: str, level: Level, task: _Task, reference: _Reference) -> Iterator[_Finding]:
    """How the rewritten model differs, in every output of every run until it fails to run."""
    try:
        session = Session(task.rewritten, provider, level)
        names = [spec.name for spec in session.inputs]
        if (names, session.outputs) != (reference.inputs, reference.outputs):
            was = f"{reference.inputs} and {reference.outputs}"
            yield _failure(f"has inputs {names} and outputs {session.outputs} instead of {was}")
            return
        layouts = _recorded(reference.metadata, session.metadata) if task.layouts is None else task.layouts
        for run, feed in enumerate(reference.feeds):
            stored = {name: _stored(name, array, layouts) for name, array in feed.items()}
            results = session.run(stored)
            for output, value, got in zip(session.outputs, reference.values[run], results, strict=True):
                for name, one, other in pairs(output, _stored(output, value, layouts), got):
                    found = difference(one, other)
                    where = Where(name, _index(found, layouts.get(output)), run, level)
                    yield _finding(found, where, reference.noise.get(name, 0.0), task)
    except RunFailed as error:
        yield _failure(f"does not run on {provider} at optimisation level {level}: {error}")


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


def _stored(name: str, value: Any, layouts: Mapping[str, Sequence[int]]) -> Any:
    """``value``, given as in the original, as the rewritten model stores it; a sequence item by item."""
    if name not in layouts or value is None:
        return value
    if isinstance(value, list):
        return [_stored(name, item, layouts) for item in value]
    if sorted(layouts[name]) != list(range(value.ndim)):
        raise CouldNotValidate(
            f"The layout {list(layouts[name])} of {name} does not fit its {value.ndim} axes: correct it."
        )
    return np.transpose(value, layouts[name])


def _index(found: Difference, p: Sequence[int] | None) -> tuple[int, ...] | None:
    """The place in the original's layout."""
    if found.index is None or p is None:
        return found.index
    return tuple(reorder(inverse(tuple(p)), found.index))


def _finding(found: Difference, where: Where, noise: float, task: _Task) -> _Finding:
    if not found.rtol:
        return _Finding(found, where, noise=noise)
    rtol = found.rtol if task.rtol is None else task.rtol
    return _Finding(found, where, max(rtol, min(NOISE_FACTOR * noise, NOISE_LIMIT)), task.atol, noise)


def _failure(text: str) -> _Finding:
    return _Finding(Difference(math.inf, text=text))


def _worst(findings: list[_Finding]) -> _Finding:
    """The finding that decides. Raises `CouldNotValidate` if only noise fails: that proves nothing."""
    clear = [finding for finding in findings if not finding.is_noise]
    worst = max(clear, key=lambda finding: finding.excess, default=_Finding(Difference()))
    if worst.excess > 1 or len(clear) == len(findings):
        return worst
    noisy = next(finding for finding in findings if finding.is_noise)
    output = noisy.where.output if noisy.where else ""
    raise CouldNotValidate(
        f"The original's output {output} differs from itself by {noisy.noise:.1e} of its scale when the last "
        "bits of its input or the order of its sums change, so a difference of "
        f"{noisy.difference.relative:.1e} proves nothing: give real data as inputs."
    )


def _reason(worst: _Finding) -> str:
    found, where = worst.difference, worst.where
    if worst.excess == 0:
        return "Every output equals the original's exactly."
    if where is None:
        return f"The rewritten model {found.text}."
    error = f"{found.relative:.1e} of its scale, allowed {worst.rtol:.1e}"
    error += f" plus {worst.atol:.1e}" if worst.atol else ""
    if worst.excess <= 1:
        return f"Every output is within tolerance, {where.output} being off most: {error}."
    place = f" at {list(where.index)}" if where.index is not None else ""
    off = f", off by {error}, own noise {worst.noise:.1e}" if math.isfinite(found.absolute) else ""
    spot = f"run {where.run}, optimisation level {where.level}"
    return f"Output {where.output}{place} {found.text} ({spot}{off})."
