"""Chains of nodes that pass on one value as it comes: no choice lies between them, so they are one.

A change of layout between two of them costs what it would before the first or behind the last, and one of these leaves
as many nodes as they were: all, if either side of it is the original's layout.
"""

from collections.abc import Callable, Collection, Iterator, Sequence

from passes.plan.table import Cell, Row, Table


def chained(cells: Sequence[Cell], passing: Collection[Cell], is_inner: Callable[[str], bool]) -> list[Cell]:
    """The cells, those in a row as one.

    ``passing``: cells that pass a value on, where changes of layout cost alike before and behind; ``is_inner``: whether
    a value has one reader and is no end of the graph.
    """
    reading = {cell.values[0]: cell for cell in passing if is_inner(cell.values[0])}
    follower = {cell: behind for cell in passing if (behind := reading.get(cell.values[1])) and _join(cell, behind)}
    others = set(follower.values())

    def chain(cell: Cell) -> Iterator[Cell]:
        yield cell
        while cell in follower:
            cell = follower[cell]
            yield cell

    return [_one([*chain(cell)]) if cell in follower else cell for cell in cells if cell not in others]


def _join(cell: Cell, behind: Cell) -> bool:
    """Whether the one reads whatever the other makes, and both stay as they are together or not at all."""
    ways = {len({row.moved for row in one.table.rows.values()}) for one in (cell, behind)}
    return len(ways) == 1 and {*(cell.table.passed or {}).values()} == {*(behind.table.passed or {})}


def _one(chain: Sequence[Cell]) -> Cell:
    first, last = chain[0], chain[-1]
    rows = {read: (read, 0) for read in first.table.passed or ()}
    for table in (cell.table for cell in chain):
        passed = table.passed or {}
        rows = {read: (passed[now], moved + table.rows[now, passed[now]].moved) for read, (now, moved) in rows.items()}
    table = Table({(read, made): Row(0.0, moved, 0) for read, (made, moved) in rows.items()})
    return Cell([cell.nodes[0] for cell in chain], (first.values[0], last.values[1]), 1, table)
