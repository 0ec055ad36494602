"""What a comparison of all values found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto

from rewriter.validation.compare import Array
from rewriter.validation.layouts import Layouts
from rewriter.validation.session import Feed


@dataclass(frozen=True)
class Statistics:
    """A value in numbers; ``None`` where there are none: of strings, of an empty value, or if it is all NaN or inf."""

    dtype: str
    shape: tuple[int, ...]
    least: float | None
    most: float | None
    mean: float | None
    not_finite: int  # elements that are NaN or inf


@dataclass(frozen=True)
class Located:
    """The first value that differs though all that it is made of agrees.

    ``nodes`` of the original make it of values that exist in both models, the last one itself; ``rewritten_nodes`` are
    those of the rewritten model. ``layout``: how that stores the value (``None``: as the original). ``text`` says what
    is wrong at ``index``, which is in the original's layout; ``error`` as a fraction of the scale (``None``: none).
    """

    value: str
    nodes: tuple[str, ...]
    rewritten_nodes: tuple[str, ...]
    layout: str | None
    text: str
    index: tuple[int, ...] | None
    error: float | None
    original: Statistics
    rewritten: Statistics


@dataclass(frozen=True)
class Repro:
    """The models around a located value: what they read is ``feed``, in the rewritten one's layouts ``moved``."""

    value: str
    original: ModelProto
    rewritten: ModelProto
    feed: Feed
    moved: Feed
    layouts: Layouts
    provider: str
    allowed: float  # of the value's error, as a fraction of its scale


@dataclass(frozen=True)
class Search:
    """A comparison of all values that exist in both models: how many were compared, how many were not, and why."""

    provider: str
    compared: int
    skipped: Mapping[str, int]
    located: Located | None = None
    notes: tuple[str, ...] = ()
    repro: Repro | None = None

    def to_json(self) -> dict[str, Any]:
        """All but the models, as plain dicts, lists, strings and finite numbers."""
        return {
            "provider": self.provider,
            "compared": self.compared,
            "skipped": dict(self.skipped),
            "located": None if self.located is None else asdict(self.located),
            "notes": list(self.notes),
        }


def statistics(value: Any) -> Statistics:
    """Those of what a session gives; of a sequence, or nothing, its type alone."""
    if not isinstance(value, np.ndarray):
        return Statistics(type(value).__name__, (), None, None, None, 0)
    numbers = _numbers(value)
    finite = numbers[np.isfinite(numbers)]
    least, most, mean = (float(f(finite)) if finite.size else None for f in (np.min, np.max, np.mean))
    return Statistics(str(value.dtype), value.shape, least, most, mean, numbers.size - finite.size)


def _numbers(value: Array) -> Array:
    return np.zeros(0) if value.dtype.kind in "OUSc" else value.astype(np.float64)


def label(node: NodeProto) -> str:
    """A node as people know it."""
    operator = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
    return f"{operator} {node.name!r}" if node.name else f"{operator} of {node.output[0]!r}"
