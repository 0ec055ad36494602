"""The choice of moves without what no plan needs: chains are one node, layouts that others stand in for are gone."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from passes.plan.chains import chained
from passes.plan.flat_graph import RuledNode
from passes.plan.folding import Folding
from passes.plan.program import Program
from passes.plan.table import Cell, Key, Numbers, Table, tabled
from passes.rules.api import ANY, Layout, Move


class Reduced:
    """``cells`` with the ``rows`` that are left of each. ``only``: by node the moves that it may make, if not all."""

    def __init__(self, program: Program, only: Mapping[int, list[Move]]) -> None:
        self._program, self._numbers = program, Numbers()
        self._moves = [only.get(i, moves) for i, moves in enumerate(program.moves)]
        self._kinds: dict[Hashable, int] = {}
        self._forms: dict[str, tuple[int, bool]] = {}
        self._orders: dict[tuple[int, int], int] = {}
        self._along: dict[int, int] = {}
        self._prices: dict[Hashable, float] = {}
        self._one_to_one: dict[Hashable, bool] = {}
        self._tables = [*self._tabled()]
        cells = [cell_of(i, ruled, self._tables[i]) for i, ruled in enumerate(program.flat.nodes)]
        self.cells = chained(cells, [cell for cell in cells if self._passes(cell)], self._is_inner)
        fixed: dict[str, set[int]] = {}
        for name, layout in (*program.inputs.items(), *program.outputs.items()):
            fixed.setdefault(name, set()).add(self.number(layout))
        folding = Folding(self.cells, fixed, (self.bytes_kind, self.along_kind), self._form, self.price)
        self.rows = [[*folding.rows(cell)] for cell in self.cells]

    def number(self, layout: Layout) -> int:
        """The number of a layout."""
        return self._numbers.of(layout)

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
        tables: dict[int, Table] = {}
        for ruled, moves in zip(self._program.flat.nodes, self._moves, strict=True):
            if id(moves) not in tables:
                costs = [self._program.inside(ruled.node, move) for move in moves]
                tables[id(moves)] = tabled(moves, ruled.live, costs, self._numbers)
            yield tables[id(moves)]

    def _passes(self, cell: Cell) -> bool:
        """Whether a cell passes its value on, and a change of layout costs the same before and behind it."""
        if cell.table.passed is None or cell.read != 1:
            return False
        prices = {(self._program.price_of(name), self._program.tie_of(name)) for name in cell.values}
        alike = (cell.table, *map(self._form, cell.values))
        if alike not in self._one_to_one:
            (read, made), passed = cell.values, cell.table.passed.items()
            kinds = ([(of(read, a), of(made, b)) for a, b in passed] for of in (self.bytes_kind, self.along_kind))
            pairs = [(one, other) for one in passed for other in passed]
            priced = (self.price(read, a, c) == self.price(made, b, d) for (a, b), (c, d) in pairs)
            self._one_to_one[alike] = all(map(is_one_to_one, kinds)) and all(priced)
        return len(prices) == 1 and self._one_to_one[alike]

    def _is_inner(self, name: str) -> bool:
        flat, ends = self._program.flat, self._program.outputs
        return name in flat.makers and name not in ends and len(flat.readers(name)) == 1

    def bytes_kind(self, name: str, number: int) -> Hashable:
        """Equal for layouts of a value that hold the same bytes in the same order."""
        place = (self._form(name)[0], number)
        if place not in self._orders:
            order = self._numbers.layouts[number].memory_order(self._program.flat.tensors[name].shape)
            self._orders[place] = self._kinds.setdefault(order, len(self._kinds))
        return self._orders[place]

    def price(self, name: str, source: int, needed: int) -> float:
        """What it costs to change a value from one layout to another, of which a Transpose makes it."""
        if self.bytes_kind(name, source) == self.bytes_kind(name, needed):
            return 0.0
        if self._program.runtime.is_uniform:
            return self._program.price_of(name)
        place = (self._form(name), source, needed)
        if place not in self._prices:
            layouts = self._numbers.layouts
            self._prices[place] = self._program.price_between(name, layouts[source], layouts[needed])
        return self._prices[place]

    def along_kind(self, name: str, number: int) -> Hashable:
        """Equal for layouts of a value that a Transpose can turn into each other."""
        if self._form(name)[1]:
            return number
        if number not in self._along:
            along = along_axes(self._numbers.layouts[number])
            self._along[number] = self._kinds.setdefault(along, len(self._kinds))
        return self._along[number]

    def _form(self, name: str) -> tuple[int, bool]:
        """The shape and price of a value, by a number, and whether its layout must not change."""
        if name not in self._forms:
            shape = self._program.flat.tensors[name].shape
            known = None if shape is None else tuple(shape), self._program.price_of(name)
            self._forms[name] = self._kinds.setdefault(known, len(self._kinds)), self._program.is_pair(name)
        return self._forms[name]


def cell_of(i: int, ruled: RuledNode, table: Table) -> Cell:
    """Node ``i`` alone."""
    read = sum(slot.side == "in" for slot in ruled.live)
    return Cell([i], [*map(ruled.value, ruled.live)], read, table)


def along_axes(layout: Layout) -> Hashable:
    """A Transpose cannot change the order of elements within an axis: producer and reader must agree on it."""
    return tuple((axis, layout.along(axis)) for axis in sorted(layout.lengths()))


def is_one_to_one(pairs: Sequence[tuple[Hashable, Hashable]]) -> bool:
    """Whether both of each pair tell the other."""
    return len(set(pairs)) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
