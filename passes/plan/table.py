"""Moves as tables: a row of layouts, each by its number, for what a node reads and makes besides constants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from passes.rules.api import ANY, Layout, Move, Slot

WHATEVER = -1  # the number of ANY

Key = tuple[int, ...]


class Numbers:
    """A number for every layout, counted up as they come."""

    def __init__(self) -> None:
        self.layouts: list[Layout] = []
        self._of = {ANY: WHATEVER}

    def of(self, layout: Layout) -> int:
        """The number of a layout."""
        number = self._of.get(layout)
        if number is None:
            number = self._of[layout] = len(self.layouts)
            self.layouts.append(layout)
        return number


class Row(NamedTuple):
    """What one run of it costs, how far from the original its nodes are stored, and the number of the move.

    A node counts 1 if a value is stored otherwise, 2 if its first axis does not come first (one of size 1 may stand
    anywhere at no cost, but runtimes transpose slowly around it) or the elements along some axis are in another order.
    """

    cost: float
    moved: int
    move: int


@dataclass(frozen=True, eq=False)
class Table:
    """The moves of a node by their layouts at some slots; of those that agree there, the cheapest."""

    rows: Mapping[Key, Row]

    @cached_property
    def having(self) -> Mapping[tuple[int, int], Sequence[Key]]:
        """The rows by column and layout."""
        found: dict[tuple[int, int], list[Key]] = {}
        for key in self.rows:
            for column, layout in enumerate(key):
                found.setdefault((column, layout), []).append(key)
        return found

    @cached_property
    def is_uniform(self) -> bool:
        """Whether all columns are in one layout always."""
        return all(len(set(key)) == 1 and WHATEVER not in key for key in self.rows)

    @cached_property
    def passed(self) -> Mapping[int, int] | None:
        """For a node that passes on one value as it comes, the layout made by layout read; else ``None``."""
        if any(len(key) != 2 or WHATEVER in key or row.cost for key, row in self.rows.items()):
            return None
        made = {key[0]: key[1] for key in self.rows}
        return made if made and len(made) == len(set(made.values())) == len(self.rows) else None


def tabled(moves: Sequence[Move], slots: Sequence[Slot], costs: Sequence[float], numbers: Numbers) -> Table:
    """The table of a node's moves, which cost so much each time, at these slots."""
    rows: dict[Key, Row] = {}
    for i, (move, cost) in enumerate(zip(moves, costs, strict=True)):
        moved = [layout for layout in (*move.inputs, *move.outputs) if not layout.is_natural and layout != ANY]
        changed = 2 if any(layout.is_divided or layout.axis_perm[0] for layout in moved) else int(bool(moved))
        key, row = tuple(numbers.of(move.at(slot)) for slot in slots), Row(cost, changed, i)
        if key not in rows or row[:2] < rows[key][:2]:
            rows[key] = row
    return Table(rows)


@dataclass(frozen=True, eq=False)
class Cell:
    """A node, or a chain of nodes that pass on what they read, and the values in the columns of its table.

    The first so many of these are ``read``, the others made.
    """

    nodes: Sequence[int]
    values: Sequence[str]
    read: int
    table: Table
