"""Tables of a report that list everything."""

from collections.abc import Sequence

from rich.table import Table

from rewriter.report.console import whole
from rewriter.report.data import Remaining, Report


def operators(report: Report) -> Table:
    """All operators, and how many there were before and are now."""
    table = Table("operator", "before", "after", title="Operators", title_justify="left", box=None)
    for name, (before, after) in report.ops.items():
        table.add_row(name, str(before), str(after))
    return whole(table)


def remaining(changes: Sequence[Remaining]) -> Table:
    """All that remains: what is moved, from where to where, and why."""
    table = Table(title="What remains", title_justify="left", box=None)
    for column in ("bytes", "of", "made by", "from", "to", "because"):
        table.add_column(column)
    for change in changes:
        size = "unknown" if change.bytes is None else f"{change.bytes:,}" + " (Reshape)" * (change.op == "Reshape")
        table.add_row(size, change.value, change.made_by, change.stored, change.needed, change.blocked_by)
    return whole(table, sentences=["because"])
