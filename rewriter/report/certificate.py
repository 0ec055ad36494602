"""What a plan moves, and what is proven of it, as sentences."""

from rewriter.report.data import Report

MOST_LIMITED = 3


def certificate(report: Report) -> str:
    """Bytes before and after, then Transposes; that no plan costs less, or by how much one might."""
    unsized = sum(change.bytes is None for change in report.remaining)
    apart = f" Not counted, since their sizes are unknown: {unsized} of what remains." if unsized else ""
    if report.optimal:
        over = f"over every perm of rank <= 4 and whatever else the model suggests{_limits(report)}"
        return f"{_moved(report)}, proven least for these rules and this interface, {over}.{apart}"
    gap = report.cost - report.bound
    return f"{_moved(report)}; at least {report.bound:,.0f} {report.unit} are needed (gap {gap:,.0f}).{apart}"


def _moved(report: Report) -> str:
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
    return moved


def _limits(report: Report) -> str:
    if not report.limited:
        return ""
    more = len(report.limited) - MOST_LIMITED
    names = ", ".join(report.limited[:MOST_LIMITED]) + (f" and {more} more" if more > 0 else "")
    return f" (of {names}: not every combination)"


def milliseconds(nanoseconds: float) -> str:
    """A time in words."""
    return f"{nanoseconds / 1e6:,.3f} ms"
