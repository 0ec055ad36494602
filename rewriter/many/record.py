"""What became of one of many models: small, plain data, whichever process it comes from."""

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rewriter.command import OK, attempt
from rewriter.files.outputs import output_of

WORST_FIRST = (4, 1, 3, 2, OK)  # no answer, a wrong one, one that is not proven, no question
INTERRUPTED = 130


@dataclass(frozen=True)
class Record:
    """What became of ``model``; ``code`` and ``error`` (else empty) are those of a run of this model alone.

    ``output``: where the result is, if ``written``. What the report and the verdict say is ``None`` as far as it did
    not come to them: ``changed``, whether there was anything to do; ``transposes`` and ``bytes`` of these, before and
    after; ``verdict``, whether the result is valid; ``max_rel``, its largest error as a fraction of an output's scale,
    where that is a number, over providers. ``seconds`` are those of the whole run.
    """

    model: str
    output: str
    written: bool
    code: int
    error: str
    seconds: float
    changed: bool | None = None
    transposes: tuple[int, int] | None = None
    bytes: tuple[int, int] | None = None
    verdict: bool | None = None
    max_rel: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def converted(run: Callable[[argparse.Namespace], int], task: argparse.Namespace) -> Record:
    """Run, and tell what became of it; errors, too. Raises KeyboardInterrupt only."""
    documents: list[dict[str, Any]] = []
    begin = time.perf_counter()
    code, error = attempt(run, argparse.Namespace(**{**vars(task), "told": documents.append}))
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return _record(task, code, error, time.perf_counter() - begin, documents)


def failed(task: argparse.Namespace, code: int, error: str, seconds: float) -> Record:
    """Of a model whose run did not come to its end."""
    return _record(task, code, error, seconds, [])


def worst(codes: Iterable[int]) -> int:
    """The exit code of all."""
    return min(codes, key=WORST_FIRST.index)


def _record(task: argparse.Namespace, code: int, error: str, seconds: float, documents: list[dict[str, Any]]) -> Record:
    facts = _facts(documents[-1]) if documents else {}
    written = bool(documents) and code == OK and documents[-1]["written"]
    return Record(str(task.model), str(output_of(task)), written, code, error, round(seconds, 3), **facts)


def _facts(document: dict[str, Any]) -> dict[str, Any]:
    done, verdict = document["rewrite"], document["validation"]
    errors = [one["max_rel"] for one in verdict["providers"] if one["max_rel"] is not None] if verdict else []
    return {
        "changed": done["changed"],
        "transposes": tuple(done["transposes"]),
        "bytes": (done["bytes_before"], done["bytes"]),
        "verdict": verdict["ok"] if verdict else None,
        "max_rel": max(errors, default=None),
    }
