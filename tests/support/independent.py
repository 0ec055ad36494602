"""Original and result run by onnxruntime alone, without any of the rewriter's own comparing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from rewriter.validation.inputs import InputRequest, make_feeds
from rewriter.validation.session import Session

TOLERANCE = 1e-3  # of an output's scale, besides what the original differs from itself by
HALF_TOLERANCE = 2e-2  # in float16 and less
LEVELS = (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)


def difference(original: Path, result: Path, report: Path) -> str | None:
    """What differs between a model and its conversion, which ``report`` (JSON) tells the perms of; ``None``: nothing.

    "unknown" if the original gives other results each time.
    """
    told = json.loads(report.read_text())["rewrite"]
    values = [value for side in ("inputs", "outputs") for value in told[side]]
    # one that stays may have another rank than the model declares
    perms = {value["name"]: value["perm"] for value in values if (value["perm"] or []) != sorted(value["perm"] or [])}
    feeds = make_feeds(Session(str(original), "cpu", "disabled"), InputRequest(1, 4711, {}, {}))[0]
    wanted, again, other = (run(original, feeds, LEVELS[level]) for level in (0, 0, 1))
    stored = {name: np.transpose(a, perms[name]) if name in perms else a for name, a in feeds.items()}
    found = run(result, stored, LEVELS[0])
    for name, one in wanted.items():
        if not _agree(one, again[name], 0.0):
            return "unknown"
        noise = _distance(one, other[name])
        perm = perms.get(name)
        if not _agree(np.transpose(one, perm) if perm else one, found[name], noise):
            return f"output {name!r} differs"
    return None


def run(path: Path, feeds: dict[str, Any], level: Any) -> dict[str, Any]:
    """The outputs of a model by name."""
    options = ort.SessionOptions()
    options.graph_optimization_level, options.log_severity_level = level, 4
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    known = {value.name for value in session.get_inputs()}
    names = [value.name for value in session.get_outputs()]
    results = session.run(None, {name: array for name, array in feeds.items() if name in known})
    return dict(zip(names, results, strict=True))


def _distance(one: Any, other: Any) -> float:
    if not isinstance(one, np.ndarray) or one.dtype.kind not in "fc":
        return 0.0 if _agree(one, other, 0.0) else np.inf
    with np.errstate(all="ignore"):
        return float(np.nanmax(np.abs(one.astype(complex) - other), initial=0.0))


def _agree(one: Any, other: Any, noise: float) -> bool:
    if not isinstance(one, np.ndarray):
        several = isinstance(one, list) and isinstance(other, list) and len(one) == len(other)
        return all(_agree(a, b, noise) for a, b in zip(one, other, strict=True)) if several else one == other
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind not in "fc":
        return noise > 0 or bool(np.array_equal(one, other))
    share = HALF_TOLERANCE if one.dtype.itemsize < 4 else TOLERANCE
    finite = np.abs(one[np.isfinite(one)])
    allowed = share * float(np.max(finite, initial=0.0)) + 8 * noise
    return bool(np.allclose(one, other, rtol=0, atol=allowed, equal_nan=True))
