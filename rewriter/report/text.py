"""Reports as text for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rewriter.report import tables
from rewriter.report.data import Explained, Remaining, Report
from rewriter.validation.verdict import ValidationReport

# what is printed unless more is asked for: a screen of 80 columns and 30 lines
MOST_VALUES, MOST_NOTES, MOST_OPERATORS, MOST_CAUSES = 6, 2, 6, 3
LONGEST_NAME = 32


def plain_console(quiet: bool) -> Console:
    """A console that prints names as they are: ``x[a]`` and ``:x:`` mean nothing to it, numbers have no colours."""
    return Console(quiet=quiet, markup=False, emoji=False, highlight=False)


def rewritten(console: Console, path: Path, report: Report, verbose: int) -> None:
    """What the rewrite did: bytes, interface, operators, what remains; all of each, and times, only if ``verbose``."""
    console.print(Text.assemble((str(path), "bold"), f" to {report.to.upper()}, {report.dialect} dialect"))
    console.print(_certificate(report))
    _print_interface(console, report, None if verbose else MOST_VALUES)
    if verbose:
        console.print(tables.operators(report))
        console.print(tables.remaining(report.remaining))
    else:
        console.print(_operators(report))
        _print_causes(console, report.remaining)
    if report.barriers:
        listed = ", ".join(f"{name} ({count})" for name, count in report.barriers.items())
        console.print(f"Operators without a rule, left in their original layout: {listed}")
    for value in report.explained:
        console.print(_explained(value))
    for note in report.notes:
        console.print(f"Note: {note}")
    if verbose:
        console.print(_times(report.seconds))


def validated(console: Console, report: ValidationReport) -> None:
    """The verdict of onnxruntime, provider by provider."""
    for result in report.providers:
        if result.status == "unavailable":
            head, rest = (f"{result.name}: not validated.", "yellow"), result.reason
        elif result.status == "failed" or result.max_abs is None:
            head, rest = (f"{result.name}: {result.status}.", "red"), result.reason
        elif not result.max_abs:
            head, rest = (f"{result.name}: outputs unchanged.", "green"), result.reason
        else:
            head = (f"{result.name}: outputs unchanged.", "green")
            rest = (
                f"Largest error {result.max_rel:.1e} of the output's scale ({result.max_abs:.1e} absolute); allowed "
                f"{result.rtol:.1e}; the original differs from itself by {result.noise:.1e}."
            )
        console.print(Text.assemble(head, " ".join(["", rest, *result.notes])))


def wrote(console: Console, path: Path, rest: str = "") -> None:
    """Where the result is."""
    console.print(Text.assemble("Wrote ", (str(path), "bold"), rest))


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
    console.print(table)
    _print_rest(console, len(values[most:]) if most else 0)
    stayed = [value for _, value in values if value.note]
    for value in stayed[: most and MOST_NOTES]:
        console.print(f"{short(value.name)} stays: {value.note}")
    _print_rest(console, len(stayed[MOST_NOTES:]) if most else 0)


def _shape(shape: list[int | str | None] | None, layout: str | None) -> tuple[str, str]:
    return "unknown" if shape is None else "x".join("?" if d is None else str(d) for d in shape), layout or ""


def _operators(report: Report) -> str:
    """Operators whose number changed, on a line."""
    changed = [f"{name} {old} -> {new}" for name, (old, new) in report.ops.items() if old != new]
    more = len(report.ops) - len(changed[:MOST_OPERATORS])
    rest = [f"{more} more" if changed else "none more or fewer"] if more else []
    return "Operators: " + ", ".join([*changed[:MOST_OPERATORS], *rest])


def _print_causes(console: Console, changes: Sequence[Remaining]) -> None:
    """What remains, by cause, the most bytes first."""
    causes: dict[str, list[Remaining]] = {}
    for change in changes:
        causes.setdefault(cause_of(change), []).append(change)
    ordered = sorted(causes.items(), key=lambda item: -sum(change.bytes or 0 for change in item[1]))
    console.print("What remains, by cause (-v lists all):") if changes else None
    for cause, of_cause in ordered[:MOST_CAUSES]:
        sizes = [change.bytes for change in of_cause if change.bytes is not None]
        size = f"{sum(sizes):,} bytes" if sizes else "unknown bytes"
        example = f"{short(of_cause[0].value)}, made by {short(of_cause[0].made_by)}"
        line = f"{len(of_cause)} x, {size}: {cause} (as {example})"
        console.print(Padding(Text(line), (0, 0, 0, 2)))
    _print_rest(console, len(ordered[MOST_CAUSES:]))


def _print_rest(console: Console, count: int) -> None:
    if count:
        console.print(f"  and {count} more (-v)")


def cause_of(change: Remaining) -> str:
    """Why a Transpose stays, without the name of the node that is the reason."""
    who, colon, reason = change.blocked_by.partition(": ")
    op = who.partition(" ")[0]
    return change.blocked_by if not colon else reason if reason.startswith(op) else f"{op}: {reason}"


def short(name: str) -> str:
    """A name, elided in the middle where it is long."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME // 2 - 1]}…{name[-LONGEST_NAME // 2 :]}"


def _explained(value: Explained) -> str:
    lines = [f"{value.value}: made by {value.made_by}, stored {value.stored}"]
    lines += [f"  {reading}" for reading in value.readings]
    lines += [f"  stored {alternative}" for alternative in value.alternatives or ["otherwise: no rule asks for it"]]
    return "\n".join(lines)


def _certificate(report: Report) -> str:
    estimated = f" (estimated: sizes of {report.guessed} values are guessed)" if report.guessed else ""
    before, after = report.transposes
    moved = f"Transposed bytes per inference{estimated}: {report.bytes_before:,} before, {report.bytes:,} now"
    moved += f" (Transposes {before} -> {after})"
    if report.unit != "bytes":
        moved += f". By the prices of {report.runtime} what depends on layouts took "
        moved += f"{milliseconds(report.cost_before)} per inference before, and takes {milliseconds(report.cost)} now"
    elif report.cost > report.bytes:
        besides = report.cost - report.bytes
        moved += f" and {besides:,.0f} besides, in operators and Casts, because of how values are stored"
    unsized = sum(change.bytes is None for change in report.remaining)
    apart = f" Not counted, since their sizes are unknown: {unsized} of what remains." if unsized else ""
    if report.optimal:
        limits = f" (of {', '.join(report.limited)}: not every combination)" if report.limited else ""
        over = f"over every perm of rank <= 4 and whatever else the model suggests{limits}"
        return f"{moved}, proven least for these rules and this interface, {over}.{apart}"
    gap = report.cost - report.bound
    return f"{moved}; at least {report.bound:,.0f} {report.unit} are needed (gap {gap:,.0f}).{apart}"


def milliseconds(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:,.3f} ms"
