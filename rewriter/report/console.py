"""A console whose words are whole, however narrow the terminal: names are to be copied."""

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text


class Lines(Console):
    """Prints text as it is (``x[a]`` and ``:x:`` mean nothing to it, numbers have no colours), and cuts no word."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich does it, but that text with a word that is longer than a line has lines as long as this."""
        words = [word for text in objects if isinstance(text, str | Text) for word in str(text).split()]
        usual, self.width = self.width, max([self.width, *map(cell_len, words)])
        super().print(*objects, **{"crop": False, **options})
        self.width = usual


def whole(table: Table, *columns: str, sentences: Sequence[str] = ()) -> Table:
    """The table, its ``columns`` (all, if none is named) as wide as their cells, ``sentences`` as their words."""
    for column in table.columns:
        if columns and column.header not in (*columns, *sentences):
            continue
        cells = [str(column.header), *map(str, column.cells)]
        parts = [word for cell in cells for word in cell.split()] if column.header in sentences else cells
        column.min_width = max(map(cell_len, parts))
    return table
