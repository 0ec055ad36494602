"""Reports as text for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rewriter.interface import InterfaceValue
from rewriter.report.data import Explained, Remaining, Report
from rewriter.validation.verdict import ValidationReport

MOST_ROWS = 12  # of a table, unless asked for more


def plain_console(quiet: bool) -> Console:
    """A console that prints names as they are: ``x[a]`` and ``:x:`` mean nothing to it, numbers have no colours."""
    return Console(quiet=quiet, markup=False, emoji=False, highlight=False)


def rewritten(console: Console, path: Path, report: Report, verbose: int) -> None:
    """What the rewrite did: interface, operators, remaining Transposes, times."""
    before, after = report.transposes
    summary = f" to {report.to.upper()}, {report.dialect} dialect: Transposes {before} -> {after}"
    console.print(Text.assemble((str(path), "bold"), summary))
    console.print(_interface(report.inputs, report.outputs))
    for end in (*report.inputs, *report.outputs):
        if end.note:
            console.print(f"{end.name} stays: {end.note}")
    most = None if verbose else MOST_ROWS
    console.print(_ops(report, most))
    if report.remaining:
        console.print(_remaining(report.remaining, most))
    console.print(_certificate(report))
    if report.barriers:
        listed = ", ".join(f"{name} ({count})" for name, count in report.barriers.items())
        console.print(f"Operators without a rule, left in their original layout: {listed}")
    for value in report.explained:
        console.print(_explained(value))
    for note in report.notes:
        console.print(f"Note: {note}")
    console.print(_times(report.seconds, verbose))


def validated(console: Console, report: ValidationReport) -> None:
    """The verdict of onnxruntime, provider by provider."""
    for result in report.providers:
        if result.status == "unavailable":
            head, rest = (f"{result.name}: not validated.", "yellow"), result.reason
        elif result.status == "failed" or result.max_abs is None:
            head, rest = (f"{result.name}: {result.status}.", "red"), result.reason
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


def _times(seconds: Mapping[str, float], verbose: int) -> str:
    """Of stages or, ``verbose``, of each pass, in their order."""
    times: dict[str, float] = {}
    for name, value in seconds.items():
        key = name if verbose else name.partition("/")[0]
        times[key] = times.get(key, 0.0) + value
    return "Times in ms: " + ", ".join(f"{name} {value * 1000:.0f}" for name, value in times.items())


def _interface(inputs: Sequence[InterfaceValue], outputs: Sequence[InterfaceValue]) -> Table:
    table = Table("", "name", "old", "", "new", "", "perm", title="Interface", title_justify="left", box=None)
    for kind, values in (("input", inputs), ("output", outputs)):
        for value in values:
            old, new = _shape(value.old_shape, value.old_layout), _shape(value.new_shape, value.new_layout)
            table.add_row(kind, value.name, *old, *new, str(value.perm) if value.flipped else "unchanged")
    return table


def _shape(shape: list[int | str | None] | None, layout: str | None) -> tuple[str, str]:
    return "unknown" if shape is None else "x".join("?" if d is None else str(d) for d in shape), layout or ""


def _ops(report: Report, most: int | None) -> Table:
    """Operators whose number changed; with ``most`` unset, all."""
    rows = [(name, *counts) for name, counts in report.ops.items() if most is None or counts[0] != counts[1]]
    table = Table("operator", "before", "after", title="Operators", title_justify="left", box=None)
    for name, before, after in rows:
        table.add_row(name, str(before), str(after))
    same = len(report.ops) - len(rows)
    if same:
        table.add_row(f"({same} more, unchanged in number)", "", "")
    return table


def _remaining(changes: Sequence[Remaining], most: int | None) -> Table:
    table = Table(title="What remains", title_justify="left", box=None)
    for column in ("bytes", "of", "made by", "from", "to", "because"):
        table.add_column(column, overflow="fold")
    for change in changes[:most]:
        size = "unknown" if change.bytes is None else f"{change.bytes:,}" + " (Reshape)" * (change.op == "Reshape")
        table.add_row(size, change.value, change.made_by, change.stored, change.needed, change.blocked_by)
    if most is not None and len(changes) > most:
        table.add_row("", f"and {len(changes) - most} more (-v)", *[""] * 4)
    return table


def _explained(value: Explained) -> str:
    lines = [f"{value.value}: made by {value.made_by}, stored {value.stored}"]
    lines += [f"  {reading}" for reading in value.readings]
    lines += [f"  stored {alternative}" for alternative in value.alternatives or ["otherwise: no rule asks for it"]]
    return "\n".join(lines)


def _certificate(report: Report) -> str:
    estimated = f" (estimated: {report.guessed} values have sizes that only a run tells)" if report.guessed else ""
    moved = f"Transposed bytes per inference{estimated}: {report.bytes_before:,} before, {report.bytes:,} now"
    if report.inside:
        moved += f" and {report.inside:,} besides, in operators and Casts, because of how values are stored"
    unsized = sum(change.bytes is None for change in report.remaining)
    apart = f" Not counted, since their sizes are unknown: {unsized} of what remains." if unsized else ""
    if report.optimal:
        limits = f" (of {', '.join(report.limited)}: only what it suggests)" if report.limited else ""
        over = f"over every perm of rank <= 4 and whatever else the model suggests{limits}"
        return f"{moved}, proven least for these rules and this interface, {over}.{apart}"
    gap = report.bytes + report.inside - report.bound
    return f"{moved}; at least {report.bound:,.0f} are needed (gap {gap:,.0f}).{apart}"
