"""Where two models part, as text for people."""

from rich.console import Console

from rewriter.report.text import short
from rewriter.validation.located import Located, Search, Statistics

MOST_NODES = 3


def searched(console: Console, search: Search) -> None:
    """What a comparison of all values found."""
    if search.located is not None:
        for line in _lines(search.located):
            console.print(line)
    elif search.compared:
        console.print(f"{search.provider}: {search.compared} values inside agree.")
    for why, count in search.skipped.items():
        console.print(f"Not compared: {count} values, which {why}.")
    for note in search.notes:
        console.print(f"Note: {note}")


def _lines(found: Located) -> list[str]:
    place = f" at {list(found.index)}" if found.index is not None else ""
    error = f", off by {found.error:.1e} of its scale" if found.error is not None else ""
    stored = f", stored {found.layout}" if found.layout else ""
    return [
        f"They part at value {short(repr(found.value))}{stored}, though what it is made of agrees:",
        f"  it{place} {found.text}{error}",
        f"  original:  {_statistics(found.original)}, made by {_nodes(found.nodes)}",
        f"  rewritten: {_statistics(found.rewritten)}, made by {_nodes(found.rewritten_nodes)}",
    ]


def _nodes(labels: tuple[str, ...]) -> str:
    """The nodes, the last one first."""
    last = [short(label) for label in labels[: -MOST_NODES - 1 : -1]]
    more = len(labels) - len(last)
    return " behind ".join(last) + (f" and {more} more" if more else "")


def _statistics(of: Statistics) -> str:
    numbers = [] if of.least is None else [f"{of.least:.4g} to {of.most:.4g}, mean {of.mean:.4g}"]
    numbers += [f"{of.not_finite} not finite"] if of.not_finite else []
    return ", ".join([f"{of.dtype} {list(of.shape)}", *numbers])
