"""What `validate` reports."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rewriter.validation.session import Level


@dataclass(frozen=True)
class Where:
    """A place in the results."""

    output: str
    index: tuple[int, ...] | None
    """In the original's layout; ``None`` for the output as a whole."""
    run: int
    level: Level
    """The rewritten model's graph optimisation."""


@dataclass(frozen=True)
class ProviderResult:
    """The verdict on one provider. Its numbers are those of the error that exceeds what is allowed most."""

    name: str
    status: Literal["passed", "failed", "unavailable"]
    reason: str
    """One sentence."""
    max_abs: float | None = None
    """``None`` if the error is no number: a wrong shape, type or NaN, or a model that does not run."""
    max_rel: float | None = None
    """The error as a fraction of the output's scale, the largest finite magnitude in the original's."""
    where: Where | None = None
    rtol: float = 0.0
    """The tolerance as applied, noise included, as a fraction of the scale; 0 for types that are exact."""
    atol: float = 0.0
    """The absolute tolerance, which adds to the relative one."""
    noise: float = 0.0
    """The most that the original differs from itself in that output, as a fraction of the scale."""
    shapes: list[dict[str, tuple[int, ...]]] = field(default_factory=list)
    """Of the inputs, in the original's layout, by run."""


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
        report = {
            "ok": self.ok,
            "providers": [asdict(result) for result in self.providers],
            "skipped": self.skipped,
        }
        plain: dict[str, Any] = json.loads(json.dumps(report))  # makes lists of tuples
        return plain
