"""Reports as text for people: a screen of 80 columns and 30 lines, unless more is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rewriter.report import tables
from rewriter.report.certificate import certificate
from rewriter.report.console import Lines, whole
from rewriter.report.data import Cause, Explained, Report
from rewriter.shapes.computed_sizes import INVENTED

if TYPE_CHECKING:
    from rewriter.validation.latency import Latency
    from rewriter.validation.verdict import ProviderResult, ValidationReport

MOST = range(6, -1, -1)  # of each kind that is listed: as many as fit
MOST_LINES = 22  # of 30: the verdict, times and what was written take the rest
LONGEST_NAME = 32
LONGEST_WORD = 60  # in sentences, which may name values
MOST_LISTED = 4  # operators, causes


def plain_console(quiet: bool) -> Console:
    """A console for what every command prints."""
    return Lines(quiet=quiet)


def rewritten(console: Console, path: Path, report: Report, verbose: int) -> None:
    """What the rewrite did: bytes, interface, operators, what remains; all of each, and times, only if ``verbose``.

    What ``--explain`` asked for comes besides.
    """
    most = None if verbose else next((most for most in MOST if _lines(console, path, report, most) <= MOST_LINES), 0)
    _print(console, path, report, most)
    for value in report.explained:
        console.print(_explained(value))
    if verbose:
        console.print(_times(report.seconds))


def _lines(console: Console, path: Path, report: Report, most: int) -> int:
    """How many lines it takes to print as many of each."""
    trial = Lines(file=StringIO(), width=console.width)
    _print(trial, path, report, most)
    assert isinstance(trial.file, StringIO)
    return trial.file.getvalue().count("\n")


def _print(console: Console, path: Path, report: Report, most: int | None) -> None:
    """``most`` of each kind, all if it is ``None``."""
    shown = str(path) if most is None else short(str(path), max(LONGEST_NAME, console.width - 32))
    console.print(Text.assemble((shown, "bold"), f" to {report.to.upper()}, {report.dialect} dialect"))
    sentence = certificate(report)
    console.print(sentence if most is None else _clipped(sentence))
    _print_interface(console, report, most)
    for one in report.preprocessed:
        console.print(f"{short(one.name)} takes {one.text if most is None else _clipped(one.text)}")
    if most is None:
        console.print(tables.operators(report))
        console.print(tables.remaining(report.remaining))
    else:
        console.print(_operators(report))
        _print_causes(console, report.causes, min(most, MOST_LISTED))
    if report.barriers:
        listed = [f"{short(name)} ({count})" for name, count in report.barriers.items()]
        without = "Operators without a rule, left in their original layout"
        console.print(f"{without}: {_some(listed, None if most is None else MOST_LISTED)}")
    for note in report.notes:
        console.print(f"Note: {note}")


def validated(console: Console, report: ValidationReport, verbose: int) -> None:
    """The verdict of onnxruntime, provider by provider; all notes only if ``verbose``."""
    for result in report.providers:
        head, rest = _verdict(result)
        notes = result.notes if verbose else [*map(_clipped, result.notes[:1])]
        more = len(result.notes) - len(notes)
        ending = [f"({more} more notes: -v)"] * bool(more)
        console.print(Text.assemble(head, " ".join(["", rest if verbose else _clipped(rest), *notes, *ending])))


def _verdict(result: ProviderResult) -> tuple[tuple[str, str], str]:
    if result.status == "unavailable":
        return (f"{result.name}: not validated.", "yellow"), result.reason
    if result.status == "failed" or result.max_abs is None:
        return (f"{result.name}: {result.status}.", "green" if result.status == "passed" else "red"), result.reason
    head = (f"{result.name}: outputs unchanged.", "green")
    if not result.max_abs:
        return head, result.reason
    return head, (
        f"Largest error {result.max_rel:.1e} of the output's scale ({result.max_abs:.1e} absolute); allowed "
        f"{result.rtol:.1e}; the original differs from itself by {result.noise:.1e}."
    )


def timed(console: Console, latencies: Sequence[Latency]) -> None:
    """What both models take on each provider."""
    for one in latencies:
        if one.reason:
            console.print(Text.assemble((f"{one.provider}: not timed.", "yellow"), f" {_clipped(one.reason)}"))
        else:
            times = f"{one.before:.3f} ms before, {one.after:.3f} ms now: {one.ratio:.2f} of it"
            console.print(f"{one.provider}: median of {one.rounds} runs {times}.")


def noted(console: Console, sentence: str) -> None:
    """A sentence, if there is one."""
    if sentence:
        console.print(sentence)


def wrote(console: Console, path: Path, rest: str = "") -> None:
    """Where the result is, on a line of its own, however long: to be copied."""
    console.print(Text.assemble("Wrote ", (str(path), "bold"), rest), soft_wrap=True)


def _times(seconds: Mapping[str, float]) -> str:
    return "Times in ms: " + ", ".join(f"{name} {value * 1000:.0f}" for name, value in seconds.items())


def _print_interface(console: Console, report: Report, most: int | None) -> None:
    """Inputs and outputs, those that flipped first, and why others that could be images stayed."""
    values = [*(("input", value) for value in report.inputs), *(("output", value) for value in report.outputs)]
    values.sort(key=lambda item: not item[1].flipped)
    table = Table("", "name", "old", "", "new", "", "perm", title="Interface", title_justify="left", box=None)
    for kind, value in values[:most]:
        old, new = _shape(value.old_shape, value.old_layout), _shape(value.new_shape, value.new_layout)
        table.add_row(kind, short(value.name), *old, *new, str(value.perm) if value.flipped else "unchanged")
    console.print(whole(table, "name"))
    _print_rest(console, values, most)
    stayed = [value for _, value in values if value.note]
    few = None if most is None else most // 2
    for value in stayed[:few]:
        console.print(f"{short(value.name)} stays: {value.note if most is None else _clipped(value.note)}")
    _print_rest(console, stayed, few)


def _shape(shape: list[int | str | None] | None, layout: str | None) -> tuple[str, str]:
    text = "unknown" if shape is None else "x".join(map(_size, shape))
    return text, layout or ""


def _size(dim: int | str | None) -> str:
    """Names that nobody gave say nothing."""
    return "?" if dim is None or str(dim).startswith(INVENTED) else short(str(dim), 12)


def _operators(report: Report) -> str:
    """Operators whose number changed, on two lines or three."""
    changed = [f"{short(name)} {old} -> {new}" for name, (old, new) in report.ops.items() if old != new]
    more = len(report.ops) - len(changed[:MOST_LISTED])
    rest = [f"{more} more" if changed else "none more or fewer"] if more else []
    return "Operators: " + ", ".join([*changed[:MOST_LISTED], *rest])


def _print_causes(console: Console, causes: Sequence[Cause], most: int) -> None:
    """What remains, by cause: how many, how many bytes, why, one of them, and what would help."""
    console.print("What remains, by cause (-v lists all):") if causes else None
    for cause in causes[:most]:
        size = f"{cause.bytes:,} bytes" if cause.unsized < cause.count else "unknown bytes"
        example = f"as {short(cause.example, 28)}, made by {short(cause.made_by)}"
        lines = [f"{cause.count} x, {size}: {cause.cause}", f"  {example}", f"  helps: {cause.help}"]
        text = Text("\n".join(map(_clipped, lines)))
        console.print(Padding(text, (0, 0, 0, 2), expand=False), no_wrap=True, overflow="ellipsis")
    _print_rest(console, causes, most)


def _print_rest(console: Console, listed: Sequence[object], most: int | None) -> None:
    if most is not None and len(listed) > most:
        console.print(f"  and {len(listed) - most} more (-v)")


def _some(names: Sequence[str], most: int | None) -> str:
    rest = [f"{len(names) - most} more"] if most is not None and len(names) > most else []
    return ", ".join([*names[:most], *rest])


def short(name: str, most: int = LONGEST_NAME) -> str:
    """A name, elided in the middle where it is long; what cannot be printed is escaped."""
    name = name if name.isprintable() else name.encode("unicode_escape").decode()
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-(most // 2) :]}"


def _clipped(text: str) -> str:
    """A sentence whose longest words, which are names, are elided."""
    return re.sub(r"\S+", lambda word: short(word[0], LONGEST_WORD), text)


def _explained(value: Explained) -> str:
    lines = [f"{value.value}: made by {value.made_by}, stored {value.stored}"]
    lines += [f"  {reading}" for reading in value.readings]
    lines += [f"  stored {alternative}" for alternative in value.alternatives or ["otherwise: no rule asks for it"]]
    return "\n".join(lines)
