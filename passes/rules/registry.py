"""The rules by operator and opset."""

from collections.abc import Iterable
from typing import NamedTuple

from passes.rules.rule import Rule


class Row(NamedTuple):
    since: int
    rule: Rule


RULES: dict[tuple[str, str], list[Row]] = {}


def register(ops: str | Iterable[str], rule: Rule, since: int = 1, domain: str = "") -> None:
    """Add ``rule`` for each of ``ops`` from opset ``since`` on (until a later row). A duplicate raises ValueError."""
    for op in ops.split() if isinstance(ops, str) else ops:
        rows = RULES.setdefault((domain, op), [])
        if any(row.since == since for row in rows):
            raise ValueError(f"two rules for {domain or 'ai.onnx'}::{op} since opset {since}")
        rows.append(Row(since, rule))
        rows.sort(key=lambda row: row.since)


def lookup(domain: str, op: str, opset: int) -> Rule | None:
    """The rule for an operator at an opset, ``None`` if it is a barrier."""
    rows = [row for row in RULES.get((domain, op), ()) if row.since <= opset]
    return rows[-1].rule if rows else None
