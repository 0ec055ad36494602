"""The choice of moves without what no plan needs: chains are one node, layouts that others stand in for are gone."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import product

from passes.plan.chains import chained
from passes.plan.flat_graph import RuledNode
from passes.plan.folding import Folding
from passes.plan.program import Program
from passes.plan.table import Cell, Key, Table, tabled
from passes.rules.api import ANY, Layout, Move


class Reduced:
    """``cells`` with the ``rows`` that are left of each. ``only``: by node the moves that it may make, if not all."""

    def __init__(self, program: Program, only: Mapping[int, list[Move]]) -> None:
        self._program, number = program, program.forms.numbers.of
        self._moves = [only.get(i, moves) for i, moves in enumerate(program.moves)]
        self._alike: dict[Hashable, bool] = {}
        self._tables = [*self._tabled()]
        cells = [cell_of(i, ruled, self._tables[i]) for i, ruled in enumerate(program.flat.nodes)]
        self.cells = chained(cells, [cell for cell in cells if self._passes(cell)], self._is_inner)
        fixed: dict[str, set[int]] = {}
        for name, layout in (*program.inputs.items(), *program.outputs.items()):
            fixed.setdefault(name, set()).add(number(layout))
        folding = Folding(self.cells, fixed, program.form_of)
        self.rows = [[*folding.rows(cell)] for cell in self.cells]

    def chosen(self, keys: Iterable[Key]) -> list[Move]:
        """The move of each node, by the row chosen for each cell."""
        found = {i: move for cell, key in zip(self.cells, keys, strict=True) for i, move in self._moves_of(cell, key)}
        return [found[i] for i in range(len(self._moves))]

    def layouts(self, name: str) -> set[Layout]:
        """The layouts of a value that some plan may need."""
        found = set[Layout]()
        for i, slot in self._program.flat.touching[name]:
            cell, keys = next(pair for pair in zip(self.cells, self.rows, strict=True) if i in pair[0].nodes)
            found |= {move.at(slot) for key in keys for node, move in self._moves_of(cell, key) if node == i}
        return found - {ANY}

    def _moves_of(self, cell: Cell, key: Key) -> Iterator[tuple[int, Move]]:
        for i in cell.nodes:
            table = self._tables[i]
            row = key if len(cell.nodes) == 1 else (key[0], (table.passed or {})[key[0]])
            yield i, self._moves[i][table.rows[row].move]
            key = row[1:]

    def _tabled(self) -> Iterator[Table]:
        """Nodes with the same moves have one table, if these cost the same."""
        costs: dict[Hashable, tuple[float, ...]] = {}  # which sizes tell
        tables: dict[Hashable, Table] = {}
        for ruled, moves in zip(self._program.flat.nodes, self._moves, strict=True):
            sized = (id(moves), ruled.node.dims)
            if sized not in costs:
                costs[sized] = tuple([self._program.inside(ruled.node, move) for move in moves])
            key = (id(moves), costs[sized])
            if key not in tables:
                tables[key] = tabled(moves, ruled.live, costs[sized], self._program.forms.numbers)
            yield tables[key]

    def _passes(self, cell: Cell) -> bool:
        """Whether a cell passes its value on, and a change of layout costs the same before and behind it."""
        if cell.table.passed is None or cell.read != 1:
            return False
        read, made = map(self._program.form_of, cell.values)
        key = (cell.table, read, made)
        if key not in self._alike:
            self._alike[key] = (read.price, read.tie) == (made.price, made.tie) and self._is_alike(cell)
        return self._alike[key]

    def _is_alike(self, cell: Cell) -> bool:
        """Whether layouts read differ as those that are made of them do, in kind and price."""
        (read, made), passed = map(self._program.form_of, cell.values), [*(cell.table.passed or {}).items()]
        if read is made and all(a == b for a, b in passed):
            return True
        orders = [(read.bytes_kind(a), made.bytes_kind(b)) for a, b in passed]
        along = [(read.along_kind(a), made.along_kind(b)) for a, b in passed]
        pairs = product(passed, repeat=2)
        priced = (read.price_between(a, c) == made.price_between(b, d) for (a, b), (c, d) in pairs)
        return is_one_to_one(orders) and is_one_to_one(along) and all(priced)

    def _is_inner(self, name: str) -> bool:
        flat, ends = self._program.flat, self._program.outputs
        return name in flat.makers and name not in ends and len(flat.readers(name)) == 1


def cell_of(i: int, ruled: RuledNode, table: Table) -> Cell:
    """Node ``i`` alone."""
    read = sum(slot.side == "in" for slot in ruled.live)
    return Cell([i], [*map(ruled.value, ruled.live)], read, table)


def is_one_to_one(pairs: Sequence[tuple[Hashable, Hashable]]) -> bool:
    """Whether both of each pair tell the other."""
    return len(set(pairs)) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
