"""What differences are allowed, and what ``validate`` reports: the verdict on each provider."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from rewriter.errors import CouldNotValidate
from rewriter.validation.compare import RTOL, Array, Difference, difference
from rewriter.validation.noise import NOISE_FACTOR, NOISE_LIMIT, Noise
from rewriter.validation.session import Feed, Level

WHEN = "when the last bits of its input, the order of its sums or the provider change"
Fault = Literal[
    "differs from the original",
    "does not load in onnxruntime",
    "does not run in onnxruntime",
    "does not load in its runtime",
    "does not run in its runtime",
]
DIFFERS: Fault = "differs from the original"
BY_LEVEL: Mapping[Level, str] = {"disabled": "optimisation level disabled", "default": "optimisation level default"}


@dataclass(frozen=True)
class Where:
    """A place in the results: ``index`` is in the original's layout, ``None`` for the output as a whole."""

    output: str
    index: tuple[int, ...] | None
    run: int
    level: Level  # of the rewritten model's optimisation


@dataclass(frozen=True)
class OutputError:
    """The error of one output (or item of a sequence): that which exceeds most what is allowed, over runs and levels.

    Numbers as in ``ProviderResult``.
    """

    name: str
    max_abs: float | None
    max_rel: float | None
    rtol: float
    atol: float
    noise: float


@dataclass(frozen=True)
class ProviderResult:
    """The verdict on one provider; ``reason`` says it in a sentence.

    Numbers are those of the error that exceeds most what is allowed: ``max_abs`` and, as a fraction of the output's
    scale (the largest finite magnitude in the original's), ``max_rel``; ``None`` if it is no number (a wrong shape,
    type or NaN, or a model that does not run). ``rtol`` (a fraction of the scale, noise included, 0 for exact types)
    and ``atol`` add up to what is allowed. ``noise``: the most that the original differs from itself in that output,
    as a fraction of the scale. ``shapes``: of the inputs, in the original's layout, by run. ``notes``: sentences on
    what was accepted since the original itself differs there. ``fault``: of what kind a failure is. ``outputs``: each.
    """

    name: str
    status: Literal["passed", "failed", "unavailable"]
    reason: str
    max_abs: float | None = None
    max_rel: float | None = None
    where: Where | None = None
    rtol: float = 0.0
    atol: float = 0.0
    noise: float = 0.0
    shapes: list[dict[str, tuple[int, ...]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    fault: Fault | None = None
    outputs: list[OutputError] = field(default_factory=list)


@dataclass(frozen=True)
class ValidationReport:
    """The verdicts by provider."""

    providers: list[ProviderResult]

    @property
    def ok(self) -> bool:
        """Whether the models are equal on every provider that could be had, which is at least one."""
        statuses = {result.status for result in self.providers}
        return "passed" in statuses and "failed" not in statuses

    @property
    def fault(self) -> Fault | None:
        """What is wrong with the rewritten model."""
        return next((result.fault for result in self.providers if result.fault is not None), None)

    @property
    def skipped(self) -> list[str]:
        """What was not validated and why, a sentence each."""
        return [result.reason for result in self.providers if result.status == "unavailable"]

    def to_json(self) -> dict[str, Any]:
        """The report as plain dicts, lists, strings and finite numbers."""
        report = {"ok": self.ok, "providers": [asdict(result) for result in self.providers], "skipped": self.skipped}
        plain: dict[str, Any] = json.loads(json.dumps(report))  # makes lists of tuples
        return plain


@dataclass(frozen=True)
class Finding:
    """A difference and what is allowed there; ``fault``: what it would say of the rewritten model."""

    difference: Difference
    where: Where | None = None
    rtol: float = 0.0
    atol: float = 0.0
    noise: Noise = field(default_factory=Noise)
    ties: float = 0.0  # the share of the elements that are what the original has there at other times
    reshaped: str = ""  # that it has another shape, which the original has there at other times
    fault: Fault = DIFFERS

    @property
    def excess(self) -> float:
        """The error as a multiple of what is allowed: at most 1 if it passes."""
        allowed = self.rtol * self.difference.scale + self.atol
        if self.difference.absolute == 0:
            return 0.0
        return self.difference.absolute / allowed if allowed else math.inf

    @property
    def is_noise(self) -> bool:
        """Whether it fails, but the original differs from itself as much, or in as many elements."""
        is_level = self.difference.rtol > 0 and self.difference.relative <= NOISE_FACTOR * self.noise.level
        return self.excess > 1 and (is_level or self.difference.share <= self.noise.share)


def judge(
    expected: Any,
    got: Any,
    others: Sequence[Array],
    noise: Noise,
    rtol: float | None,
    atol: float,
    least: float = 0.0,
) -> Finding:
    """How ``got`` differs from what is expected, or from ``others``, which the original has there at other times.

    Allowed is, of floats, ``rtol`` (``None``: by type, of float32 and coarser ones at least ``least``), raised by
    noise, and ``atol``.
    """
    most = difference(expected, got)
    if most.rtol:
        by_type = max(most.rtol, least) if most.rtol >= RTOL[np.dtype(np.float32)] else most.rtol
        rtol = max(by_type if rtol is None else rtol, min(NOISE_FACTOR * noise.level, NOISE_LIMIT))
        finding = Finding(most, None, rtol, atol, noise)
    else:
        finding = Finding(most, noise=noise)
    if finding.excess <= 1:
        return finding
    limit = finding.rtol + finding.atol / most.scale
    every, left = difference(expected, got, limit), difference(expected, got, limit, others)
    is_known = np.shape(got) in map(np.shape, others)
    reshaped = every.text if is_known and np.shape(got) != np.shape(expected) else ""
    return replace(finding, difference=left, ties=max(0.0, every.share - left.share), reshaped=reshaped)


def verdict(
    provider: str,
    findings: list[Finding],
    feeds: list[Feed],
    levels: Mapping[Level, str] = BY_LEVEL,
    *,
    noise_passes: bool = False,
) -> ProviderResult:
    """By the finding that exceeds most what is allowed. Raises ``CouldNotValidate`` if only noise fails.

    ``levels``: what they are called. ``noise_passes``: that is no failure, since the models were shown to be equal
    otherwise.
    """
    noisy = [finding for finding in findings if finding.is_noise]
    clear = (finding for finding in findings if not finding.is_noise)
    worst = max(clear, key=lambda finding: finding.excess, default=Finding(Difference()))
    if noisy and worst.excess <= 1 and not noise_passes:
        own, error = _own_noise(max(noisy, key=lambda finding: finding.excess))
        raise CouldNotValidate(f"{own}, so that ours, which differs {error}, proves nothing: give real data as inputs.")
    is_number, notes = math.isfinite(worst.difference.absolute), _notes(findings)
    return ProviderResult(
        name=provider,
        status="passed" if worst.excess <= 1 else "failed",
        reason=_reason(worst, levels, is_exact=not notes),
        max_abs=worst.difference.absolute if is_number else None,
        max_rel=worst.difference.relative if is_number else None,
        where=worst.where if worst.excess else None,
        rtol=worst.rtol,
        atol=worst.atol,
        noise=worst.noise.level,
        shapes=[{name: array.shape for name, array in feed.items()} for feed in feeds],
        notes=notes,
        fault=None if worst.excess <= 1 else worst.fault,
        outputs=_by_output(findings),
    )


def _by_output(findings: list[Finding]) -> list[OutputError]:
    worst: dict[str, Finding] = {}
    for finding in findings:
        name = finding.where.output if finding.where else ""
        if name and (name not in worst or finding.excess > worst[name].excess):
            worst[name] = finding
    return [_output_error(name, finding) for name, finding in worst.items()]


def _output_error(name: str, finding: Finding) -> OutputError:
    most = finding.difference
    absolute, relative = (most.absolute, most.relative) if math.isfinite(most.absolute) else (None, None)
    return OutputError(name, absolute, relative, finding.rtol, finding.atol, finding.noise.level)


def _own_noise(finding: Finding) -> tuple[str, str]:
    """How the original's output differs from itself, a sentence without its end, and how the rewritten one's does."""
    most, noise = finding.difference, finding.noise
    own, error = f"by {noise.level:.1e} of its scale", f"by {most.relative:.1e}"
    if most.share <= noise.share:
        own, error = f"in {_percent(noise.share)} of its elements", f"in {_percent(most.share)}"
    output = finding.where.output if finding.where else ""
    return f"The original's output {output} differs from itself {own} {WHEN}", error


def _notes(findings: list[Finding]) -> list[str]:
    """What was accepted since the original differs from itself: the largest of it."""
    noisy = max((finding for finding in findings if finding.is_noise), key=lambda finding: finding.excess, default=None)
    tied = max(findings, key=lambda finding: finding.ties, default=Finding(Difference()))
    notes = []
    if noisy is not None:
        own, error = _own_noise(noisy)
        notes.append(f"{own}; the rewritten model's differs {error}.")
    reshaped = next((finding for finding in findings if finding.reshaped), None)
    if reshaped is not None and reshaped.where:
        notes.append(
            f"Output {reshaped.where.output} {reshaped.reshaped}, and so has the original's {WHEN}: see what that "
            "computes."
        )
    elif tied.ties and tied.where:
        notes.append(
            f"Output {tied.where.output} differs in {_percent(tied.ties)} of its elements, each time to what the "
            f"original, too, gives there {WHEN}."
        )
    return notes


def _reason(worst: Finding, levels: Mapping[Level, str], *, is_exact: bool) -> str:
    difference, where = worst.difference, worst.where
    if worst.excess == 0:
        return f"Every output equals the original's{'' if is_exact else ', or differs as that does from itself'}."
    if where is None:
        return f"The rewritten model {difference.text}."
    error = f"{difference.relative:.1e} of its scale, allowed {worst.rtol:.1e}"
    error += f" plus {worst.atol:.1e}" if worst.atol else ""
    if worst.excess <= 1:
        return f"Every output is within tolerance, {where.output} being off most: {error}."
    place = f" at {list(where.index)}" if where.index is not None else ""
    spot = f"run {where.run}, {levels[where.level]}{_off(worst, error)}"
    return f"Output {where.output}{place} {difference.text} ({spot})."


def _off(worst: Finding, error: str) -> str:
    """By how much it differs, and the original from itself; of floats that are no numbers nothing can be said."""
    if not worst.difference.rtol and worst.difference.share <= 1:
        own = _percent(worst.noise.share)
        return f", in {_percent(worst.difference.share)} of its elements, the original from itself in {own}"
    return f", off by {error}, own noise {worst.noise.level:.1e}" if math.isfinite(worst.difference.absolute) else ""


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
