"""What became of many models: one line meanwhile, a table at the end, and as JSON (schema.json)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rewriter.many.record import Record, worst
from rewriter.report.text import LONGEST_NAME, short
from rewriter.version import __version__

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = 1  # raised where a part changes its meaning or goes away, not where one is added
LEAST_NAME = 16
UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
HEAD = ("model", "", "Transposes", "bytes", "error", "s")
MARGIN = 2 * len(HEAD)  # between columns

Tick = Callable[[Sequence[Record]], None]  # with what is done


@contextmanager
def progress(console: Console, count: int) -> Iterator[Tick]:
    """Show how many of them are done whenever that is told, on a terminal only; it leaves no trace.

    It has no thread of its own: a process with threads is not to be forked.
    """
    if not console.is_terminal or console.quiet:
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    ) as bar:
        task = bar.add_task("", total=count)

        def tick(records: Sequence[Record]) -> None:
            bar.update(task, completed=len(records), description=_failures(records), refresh=True)

        yield tick


def summarised(console: Console, records: Sequence[Record], seconds: float, *, dry: bool) -> None:
    """Print a table of all, a line each, without their folder if they share one, and a line that counts them."""
    from rich.table import Table

    from rewriter.report.console import whole

    is_one = len({os.path.dirname(record.model) for record in records}) == 1
    rows = [[os.path.basename(record.model) if is_one else record.model, *_facts(record)] for record in records]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    most = max(console.width - sum(widths[1:]) - MARGIN, LEAST_NAME)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, justify in zip(HEAD, ("left", "left", "right", "right", "right", "right"), strict=True):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for model, *rest in rows:
        table.add_row(short(model, most), *rest)
    console.print(whole(table))
    counts = Counter(_word(record) for record in records)
    told = ", ".join(f"{count} {word}" for word, count in counts.items())
    console.print(
        f"{len(records)} model{'s' * (len(records) > 1)} in {seconds:.1f} s: {told}.{' Nothing was written.' * dry}"
    )


def document(records: Sequence[Record], seconds: float) -> dict[str, Any]:
    """All records as plain data."""
    return {
        "schema": SCHEMA,
        "tool": {"name": "onnx-layout-rewriter", "version": __version__},
        "code": worst(record.code for record in records),
        "seconds": round(seconds, 3),
        "models": [record.to_json() for record in records],
    }


def _failures(records: Sequence[Record]) -> str:
    count = sum(record.code != 0 for record in records)
    last = short(records[-1].model, LONGEST_NAME) if records else ""
    return f"{count} failed, {last}" if count else last


def _word(record: Record) -> str:
    if record.code:
        return f"failed ({record.code})"
    return "converted" if record.changed else "unchanged"


def _facts(record: Record) -> list[str]:
    error = "-" if record.max_rel is None else f"{record.max_rel:.1e}" if record.max_rel else "0"
    transposes = _change([*map(str, record.transposes)]) if record.transposes else "-"
    size = _change([*map(_size, record.bytes)]) if record.bytes else "-"
    return [_word(record), transposes, size, error, f"{record.seconds:.1f}"]


def _change(pair: Sequence[str]) -> str:
    before, after = pair
    return f"{before} -> {after}"


def _size(count: int) -> str:
    unit, name = next(((unit, name) for unit, name in UNITS if count >= unit), (1, "B"))
    return f"{count / unit:.{int(unit > 1 and count < 100 * unit)}f} {name}" if count else "0"
