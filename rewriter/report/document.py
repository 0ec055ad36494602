"""The whole report as one JSON document, of which ``schema.json`` says what is in it; the page is drawn from it."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rewriter.report.certificate import certificate
from rewriter.report.data import Report
from rewriter.report.snippet import snippet
from rewriter.validation.latency import Latency
from rewriter.validation.located import Search
from rewriter.validation.verdict import ValidationReport
from rewriter.version import __version__

SCHEMA = 1  # raised where a part changes its meaning or goes away, not where one is added


def document(
    model: Path,
    output: Path,
    written: bool,
    report: Report,
    verdict: ValidationReport | None,
    search: Search | None,
    latency: Sequence[Latency],
    backend: str | None = None,
) -> dict[str, Any]:
    """All that is known of a run that read ``model`` and wrote ``output``, if ``written``.

    Numbers are finite; what is none is ``None``, as ``verdict`` is if nothing was validated, and ``search`` if values
    inside were not compared. ``backend``: what wrote the file, ``None`` for ONNX.
    """
    plain: dict[str, Any] = finite(
        {
            "schema": SCHEMA,
            "tool": {"name": "onnx-layout-rewriter", "version": __version__},
            "model": str(model),
            "output": str(output),
            "written": written,
            "certificate": certificate(report),
            "snippet": snippet(output.name, report.inputs, report.outputs, backend),
            "rewrite": report.to_json(),
            "validation": verdict.to_json() if verdict else None,
            "values": search.to_json() if search else None,
            "latency": [asdict(one) for one in latency],
        }
    )
    return plain


def finite(data: Any) -> Any:
    """The data without what JSON lacks: infinities, which become ``None``, and tuples, which become lists."""
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
