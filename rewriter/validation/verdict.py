"""What differences are allowed, and what ``validate`` reports: the verdict on each provider."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rewriter.errors import CouldNotValidate
from rewriter.validation.compare import Difference
from rewriter.validation.session import Feed, Level

# Noise and error are each the largest of a few samples, so the error of a right rewrite can be the larger. Measured on
# conv nets of 40 layers against the same nets with reordered sums, 3 runs: an output of one number is off by more than
# 4 times its noise in 0.8 % of the cases (twice: 10 %), four in 0.2 %, ten in 0.1 %.
NOISE_FACTOR = 4.0
NOISE_LIMIT = 0.05  # of the output's scale; noise raises the tolerance no further: real mistakes would pass


@dataclass(frozen=True)
class Where:
    """A place in the results: ``index`` is in the original's layout, ``None`` for the output as a whole."""

    output: str
    index: tuple[int, ...] | None
    run: int
    level: Level  # of the rewritten model's optimisation


@dataclass(frozen=True)
class ProviderResult:
    """The verdict on one provider; ``reason`` says it in a sentence.

    Numbers are those of the error that exceeds most what is allowed: ``max_abs`` and, as a fraction of the output's
    scale (the largest finite magnitude in the original's), ``max_rel``; ``None`` if it is no number (a wrong shape,
    type or NaN, or a model that does not run). ``rtol`` (a fraction of the scale, noise included, 0 for exact types)
    and ``atol`` add up to what is allowed. ``noise``: the most that the original differs from itself in that output,
    as a fraction of the scale. ``shapes``: of the inputs, in the original's layout, by run.
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
        """Whether it fails only because noise counts no further than ``NOISE_LIMIT``."""
        is_float = self.difference.rtol > 0
        return is_float and self.excess > 1 and self.difference.relative <= NOISE_FACTOR * self.noise


def judge(difference: Difference, where: Where, noise: float, rtol: float | None, atol: float) -> Finding:
    """A difference and what is allowed there: of floats ``rtol`` (``None``: by type), raised by noise, and ``atol``."""
    if not difference.rtol:
        return Finding(difference, where, noise=noise)
    rtol = difference.rtol if rtol is None else rtol
    return Finding(difference, where, max(rtol, min(NOISE_FACTOR * noise, NOISE_LIMIT)), atol, noise)


def verdict(provider: str, findings: list[Finding], feeds: list[Feed]) -> ProviderResult:
    """By the finding that exceeds most what is allowed. Raises ``CouldNotValidate`` if only noise fails."""
    noisy = [finding for finding in findings if finding.is_noise]
    clear = (finding for finding in findings if not finding.is_noise)
    worst = max(clear, key=lambda finding: finding.excess, default=Finding(Difference()))
    if noisy and worst.excess <= 1:
        where, noise, error = noisy[0].where, noisy[0].noise, noisy[0].difference.relative
        raise CouldNotValidate(
            f"The original's output {where.output if where else ''} differs from itself by {noise:.1e} of its scale "
            "when the last bits of its input or the order of its sums change, so a difference of "
            f"{error:.1e} proves nothing: give real data as inputs."
        )
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
        shapes=[{name: array.shape for name, array in feed.items()} for feed in feeds],
    )


def _reason(worst: Finding) -> str:
    difference, where = worst.difference, worst.where
    if worst.excess == 0:
        return "Every output equals the original's exactly."
    if where is None:
        return f"The rewritten model {difference.text}."
    error = f"{difference.relative:.1e} of its scale, allowed {worst.rtol:.1e}"
    error += f" plus {worst.atol:.1e}" if worst.atol else ""
    if worst.excess <= 1:
        return f"Every output is within tolerance, {where.output} being off most: {error}."
    place = f" at {list(where.index)}" if where.index is not None else ""
    off = f", off by {error}, own noise {worst.noise:.1e}" if math.isfinite(difference.absolute) else ""
    spot = f"run {where.run}, optimisation level {where.level}"
    return f"Output {where.output}{place} {difference.text} ({spot}{off})."
