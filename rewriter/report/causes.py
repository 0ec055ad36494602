"""What remains, grouped by why, and what would help."""

import re
from collections.abc import Sequence

from rewriter.report.data import Cause, Remaining

FIXED_END = "an output of the graph has a fixed layout"

# What a cause reads like, what would help, and the dialect in which that was done already. The first that fits counts.
HELP = (
    (re.escape(FIXED_END), "--layout OUTPUT=LAYOUT, where who reads it can take another", ""),
    ("there is no rule for", "a rule for this operator (docs/plugins.md)", ""),
    ("cheapest here|costs less so", "nothing in the layouts: every other place costs more", ""),
    ("unknown|dynamic|is not a constant|no known factors",
     "fixed, declared shapes: of its exporter, or with --input-shape of a TensorFlow model", ""),
    ("channels-last in this dialect", "--dialect onnx, where it may stay channels-first", "onnx"),
    ("channels-first|channels on axis 1|channels first or last", "--dialect function, where it has a form", "function"),
    ("MatMul needs its last two|product per batch|behind its batches", "--dialect onnxruntime, if it is an attention's",
     "onnxruntime"),
    ("parts|order|split|merged|factors", "nothing in the layouts: the model itself permutes elements", ""),
)  # fmt: skip
# Sizes and names make no causes.
GENERAL = (
    (r"(output |input )?axis ('[^']*'|\d+)", "an axis"),
    (r"\[[^]]*\]", "[…]"),
    (r" \('[^']*'\)", ""),
    ("dim '[^']*'", "dim"),
    ("'[^']*'", "a value"),
)
DEFINED = "nothing in the layouts: the operator is defined so"


def causes(remaining: Sequence[Remaining], dialect: str | None) -> list[Cause]:
    """What remains, by cause, the most bytes first; ``dialect``: ``None`` where the result has none to choose."""
    groups: dict[str, list[int]] = {}
    for number, change in enumerate(remaining):
        groups.setdefault(cause_of(change), []).append(number)
    found = [_cause(cause, numbers, remaining, dialect) for cause, numbers in groups.items()]
    return sorted(found, key=lambda one: -one.bytes)


def cause_of(change: Remaining) -> str:
    """Why a Transpose stays, without the names and sizes that differ from one to the next."""
    if not change.blocker:
        return FIXED_END if change.reason.startswith("graph output ") else change.reason
    reason = change.reason
    for pattern, text in GENERAL:
        reason = re.sub(pattern, text, reason)
    op = change.blocker.partition(" ")[0]
    return reason if reason.startswith(op) else f"{op}: {reason}"


def _cause(cause: str, numbers: Sequence[int], remaining: Sequence[Remaining], dialect: str | None) -> Cause:
    group = [remaining[number] for number in numbers]
    sizes = [change.bytes for change in group if change.bytes is not None]
    first, unsized = group[0], len(group) - len(sizes)
    return Cause(cause, _help(cause, dialect), len(group), sum(sizes), unsized, first.value, first.made_by, numbers)


def _help(cause: str, dialect: str | None) -> str:
    known = (row for row in HELP if not row[2] or dialect not in (None, row[2]))
    fitting = (text for pattern, text, _ in known if re.search(pattern, cause))
    return next(fitting, DEFINED)
