"""Proves a rewritten model equal to its original: onnxruntime runs both on the same inputs.

The reference is the original on the CPU without graph optimisation; the rewritten model must match it without and with,
on each provider, at the tolerance of that (``providers``). Deep nets amplify rounding: some differ from themselves by
1e-3 of the output's scale when the last bits of the input change. So a float output may be off by its type's tolerance
or, if that is more, by ``NOISE_FACTOR`` times the original's own noise, which is the most that it differs from itself

* with graph optimisation, which reorders sums as a rewrite may,
* on the provider,
* with the last bit of every float input changed, a few times per run, and
* if it computes in float16 or bfloat16, in float32, and rounded at every value (``wider``).

Such a type hides mistakes: so both models are compared in float32, too. All else is exact: integers, booleans, strings,
names, shapes, types, and where NaN and inf stand. But where the original itself jumps (a tie of scores is broken
otherwise, two boxes change places), the rewritten model may give what the original gives at other times.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from onnx import ModelProto

from rewriter.choices import number_fault
from rewriter.errors import CouldNotValidate, RunFailed
from rewriter.files.ends import in_one_order
from rewriter.files.reader import once
from rewriter.frontends import Asked
from rewriter.steps import step
from rewriter.validation.compare import Array, pairs, unlike
from rewriter.validation.constants import shaken
from rewriter.validation.degenerate import notes_on
from rewriter.validation.frames import frames_between, taken_in_float32
from rewriter.validation.inputs import InputRequest
from rewriter.validation.layouts import Layouts, of_perms, original_index, recorded, stored
from rewriter.validation.noise import Noise
from rewriter.validation.providers import CPU, USUAL, label, missing, provider_of, require
from rewriter.validation.reference import Reference, in_float32, make_reference
from rewriter.validation.session import LEVELS, Level, Placement, Session, proto, source
from rewriter.validation.verdict import Fault, Finding, ProviderResult, ValidationReport, Where, judge, verdict
from rewriter.validation.wider import widened


@dataclass(frozen=True)
class Task:
    """The arguments of ``validate``; both models are loadable.

    ``shaken``: the rewritten one with the last bits of constants changed that it has computed itself.
    """

    original: bytes | str
    rewritten: bytes | str
    layouts: Layouts | None
    request: InputRequest
    rtol: float | None
    atol: float
    shaken: bytes | str | None = None


class Compared(NamedTuple):
    """How a rewritten model differs, and where its nodes ran, by level."""

    findings: list[Finding]
    placements: list[Placement]


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
    ``providers``: ``"cpu"``, ``"cuda"`` or another of ``PROVIDERS``, with options as in ``"cuda:prefer_nhwc=1"``.
    ``None``: the CPU, and CUDA where it is to be had.
    ``rtol``, ``atol``: tolerances of float outputs, as a fraction of the output's scale (``None``: by type, raised by
    noise) and absolute (``None``: 0); their sum is allowed.
    ``input_shapes``, ``inputs``: sizes and data, in the original's layout, in place of made-up ones; frames where the
    metadata of the rewritten model say that it takes these: the original is given what numpy makes of them.

    Raises ``CouldNotValidate`` where there is no verdict: a provider that was asked for is missing, the original does
    not run or is too noisy, an argument does not fit. A rewritten model that does not run is a verdict.
    """
    if providers is not None and not providers:
        raise CouldNotValidate("There is nothing to run: ask for at least one provider.")
    if fault := number_fault(runs, seed, rtol, atol):
        raise CouldNotValidate(f"The argument {fault}.")
    asked = Asked(shapes=input_shapes or {})
    read = once(original, asked), once(rewritten, asked)
    original, rewritten = in_one_order((original, rewritten), read)
    with contextlib.ExitStack() as stack:
        models, known = [source(model, stack) for model in (original, rewritten)], layouts
        takes = frames_between(original, rewritten)
        request = InputRequest(runs, seed, input_shapes or {}, inputs or {}, takes)
        task = Task(models[0], models[1], None if known is None else of_perms(known), request, rtol, atol or 0.0)
        if providers is None:
            results = [_validate_if_there(provider, task) for provider in USUAL]
        else:
            results = [_validate_on(provider, task) for provider in providers]
    if all(result.status == "unavailable" for result in results):
        raise CouldNotValidate(results[0].reason)
    return ValidationReport(results)


def _validate_if_there(provider: str, task: Task) -> ProviderResult:
    """The verdict, or why there is none: who did not ask for a provider need not cure what it lacks."""
    fault = missing(provider)
    if fault is not None:
        return ProviderResult(provider, "unavailable", f"{fault}.")
    try:
        return _validate_on(provider, task)
    except CouldNotValidate as error:
        return ProviderResult(provider, "unavailable", str(error))


def _validate_on(provider: str, task: Task) -> ProviderResult:
    reference = reference_of(provider, task)
    degenerate = notes_on(reference.outputs, reference.values)
    compared, wide = compare(provider, task, reference), None
    if reference.coarse is not None and all(finding.where for finding in compared.findings):
        wide = _in_float32(provider, task, reference.coarse)
        if wide.fault:
            return wide
    findings, placements = listened(provider, task, reference, compared)
    result = verdict(provider, findings, reference.feeds, noise_passes=wide is not None)
    widely = [wide.reason, *wide.notes] if wide else []
    elsewhere = _elsewhere(provider, reference.base, placements) if result.status == "passed" else []
    return replace(result, notes=[*dict.fromkeys([*result.notes, *elsewhere, *widely, *degenerate])])


def _elsewhere(provider: str, base: str, placements: list[Placement]) -> list[str]:
    """What was not compared where it was to be. Raises ``CouldNotValidate`` if nothing ran on the provider."""
    operators = [_listed(placement.elsewhere) for placement in placements]
    for placement, listed in zip(placements, operators, strict=True):
        if listed and not placement.own:
            raise CouldNotValidate(
                f"Not validated on {label(provider)}: onnxruntime ran every node elsewhere, in silence ({listed})."
            )
    notes = []
    if base != CPU:
        notes.append(f"The original does not load on the CPU: it was compared as {label(provider)} runs it.")
    if operators[-1]:  # as it is optimised by default
        notes.append(f"Not validated on {label(provider)}, since onnxruntime ran them elsewhere: {operators[-1]}.")
    return notes


def _listed(operators: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {op}" for op, count in operators.items())


def reference_of(provider: str, task: Task) -> Reference:
    """What the original makes of the inputs. Raises ``CouldNotValidate`` if it does not run."""
    require(provider)
    with step(f"the original on {provider}"):
        with _running_original(CPU):
            reference = make_reference(task.original, provider, task.request)
        with _running_original(provider):
            reference.hear_provider()
    _check_layouts(task.layouts or {}, [*reference.inputs, *reference.outputs])
    return reference


def listened(provider: str, task: Task, reference: Reference, compared: Compared) -> Compared:
    """The same; where findings exceed what is allowed, again after listening closer to the original's noise."""
    if not any(finding.excess > 1 and finding.where for finding in compared.findings):
        return compared
    with _running_original(provider):
        reference.listen_closer()
    _hear_constants(provider, task, reference)
    return compare(provider, task, reference)


@contextlib.contextmanager
def _running_original(provider: str) -> Iterator[None]:
    try:
        yield
    except RunFailed as error:
        raise CouldNotValidate(
            f"The original does not run on {provider} ({error}): if the sizes or values of its inputs are "
            "the cause, give the right ones."
        ) from error


def _in_float32(provider: str, task: Task, coarse: ModelProto) -> ProviderResult:
    """The verdict on both models in float32, where a mistake is seen that float16 would hide."""
    with contextlib.ExitStack() as stack:
        wide = _validate_on(provider, float32_task(task, coarse, stack))
    reason = f"With all float16 turned float32: {wide.reason}"
    if wide.fault not in (None, "differs from the original"):
        raise CouldNotValidate(reason)
    return replace(wide, reason=reason)


def float32_task(task: Task, coarse: ModelProto, stack: contextlib.ExitStack) -> Task:
    """Both models in float32; their files live as long as ``stack``."""
    rewritten = proto(task.rewritten)
    other = shaken(coarse, rewritten, task.request.seed)
    models = [source(widened(m, rounded=False), stack) for m in (coarse, rewritten, other) if m is not None]
    request = task.request
    request = replace(request, arrays=in_float32(request.arrays), takes=taken_in_float32(request.takes))
    return Task(models[0], models[1], task.layouts, request, task.rtol, task.atol, *models[2:])


def _hear_constants(provider: str, task: Task, reference: Reference) -> None:
    """Add to the noise what the last bits of the rewritten model's own constants make."""
    if task.shaken is None:
        return
    sessions = [Session(model, provider, "disabled") for model in (task.rewritten, task.shaken)]
    for run in range(len(reference.feeds)):
        values, others = (results for _, results in (_run(session, run, task, reference) for session in sessions))
        for output, value, other in zip(reference.outputs, values, others, strict=True):
            for name, one, again in pairs(output, value, other):
                reference.noise.setdefault(name, Noise()).hear_level(one, again)


def _check_layouts(layouts: Layouts, names: list[str]) -> None:
    unknown = sorted(set(layouts) - set(names))
    if unknown:
        raise CouldNotValidate(
            f"layouts names {', '.join(unknown)}, but the original's inputs and outputs are "
            f"{', '.join(names)}: correct the name."
        )


def compare(provider: str, task: Task, reference: Reference) -> Compared:
    """How the rewritten model differs, in every output of every run at every level until it fails to run.

    And where its nodes ran, by level.
    """
    findings, placements = list[Finding](), list[Placement]()
    for level in LEVELS:
        fault: Fault = "does not load in onnxruntime"
        try:
            with step(f"the result on {provider}, at optimisation level {level}"):
                session = Session(task.rewritten, provider, level)
                fault = "does not run in onnxruntime"
                findings += _differences(session, level, task, reference)
                placements.append(session.placement())
                del session  # before the next one: each holds the weights
        except RunFailed as error:
            text = f"{fault} on {provider} at optimisation level {level}: {error}"
            findings.append(Finding(unlike(text), fault=fault))
    return Compared(findings, placements)


def _differences(session: Session, level: Level, task: Task, reference: Reference) -> Iterator[Finding]:
    names = [spec.name for spec in session.inputs]
    if (names, session.outputs) != (reference.inputs, reference.outputs):
        was = f"{reference.inputs} and {reference.outputs}"
        yield Finding(unlike(f"has inputs {names} and outputs {session.outputs} instead of {was}"))
        return
    least = provider_of(reference.provider).rtol
    for run, values in enumerate(reference.values):
        layouts, results = _run(session, run, task, reference)
        for output, value, got in zip(session.outputs, values, results, strict=True):
            for name, expected, result in pairs(output, stored(output, value, layouts), got):
                noise = reference.noise.get(name, Noise())
                others = noise.alternatives(run, result, partial(stored, output, layouts=layouts))
                finding = judge(expected, result, others, noise, task.rtol, task.atol, least)
                index = original_index(finding.difference.index, layouts.get(output), np.shape(result))
                yield replace(finding, where=Where(name, index, run, level))


def _run(session: Session, run: int, task: Task, reference: Reference) -> tuple[Layouts, list[Any]]:
    """How a rewritten model stores inputs and outputs, and what it makes of the inputs of a run."""
    layouts = recorded(reference.metadata, session.metadata) if task.layouts is None else task.layouts
    feed = {name: stored(name, array, layouts) for name, array in reference.raw[run].items()}
    return layouts, session.run(feed)
