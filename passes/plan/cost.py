"""What a plan costs on a runtime: its prices are a table, ``runtimes/NAME.toml``.

A price is so much for each byte, more beyond the cache, and so much for each run: elements next to each other that an
operator handles as one.
Which price holds for a node, and how long its runs are, is what its row is ``seen`` for (``situations.py``).
"""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir.control_flow import executions_per_inference
from passes.ir.declared import MICROSOFT
from passes.ir.graph import every_node, is_standard
from passes.plan.situations import SEEN, See, Situation, change
from passes.plan.sizes import dims_of
from passes.rules.api import Layout, Move, Node

FOLDER = Path(__file__).parent / "runtimes"
BYTES = "bytes"  # the table that is no runtime's
ANY_CHANGE = "any"  # the kind of changes, where all cost the same
NEAR = 2**20  # bytes of a value that lies in the cache

# sizes that nobody knows: the first axis, any other; how often the body of a loop runs
DYNAMIC_BATCH, DYNAMIC_DIM, UNKNOWN_TRIPS = 1, 64, 16
UNKNOWN_ITEMSIZE = 2


@dataclass(frozen=True)
class Price:
    """In the units of the table: of each byte, of each that lies ``far``, beyond the cache, of each run and call."""

    byte: float = 0.0
    far: float = 0.0
    run: float = 0.0
    call: float = 0.0

    def of(self, size: int, runs: float) -> float:
        """What it is for ``size`` bytes in so many runs."""
        return self.call + size * self.byte + max(size - NEAR, 0) * self.far + runs * self.run


@dataclass(frozen=True)
class Row:
    """What an operator costs, by what is ``see``-n of a node of it."""

    see: See
    prices: Mapping[str, Price]


@dataclass(frozen=True)
class Runtime:
    """The prices of one runtime, or plain bytes.

    ``changes``: of one Transpose, by its kind (``situations.change``), or one price for any; ``half``: what one of
    float16 costs besides, in times of that. ``dialect``: how files for the runtime are written, if it matters.
    ``undoes``: whether its optimiser cancels Transposes whatever its operators cost. ``blocked``: operators that work
    on blocks of their own, so that a change next to them is two. ``folds``: products that it has read transposed what a
    Transpose before them swaps, though that be dearer.
    """

    name: str
    about: str
    unit: str
    changes: Mapping[str, Price]
    half: float = 0.0
    dialect: str | None = None
    undoes: bool = False
    blocked: Collection[str] = ()
    folds: Collection[str] = ()
    operators: Mapping[str, Row] = field(default_factory=dict)

    # Among plans of equal cost the one with fewest changes of layout, among those the one that leaves most nodes as
    # they are: all moves of a plan together cost less than one change. ``tie`` is nothing beside what costs differ by
    tie: float = 1.0

    @property
    def is_uniform(self) -> bool:
        """Whether a change costs the same whatever the layouts."""
        return ANY_CHANGE in self.changes

    def changes_of(self, tensor: gs.Tensor, sizes: Mapping[str, int], times: int = 1) -> "Changes":
        """What changes of a tensor's layout cost, each made so many ``times``."""
        size, known = bytes_of(tensor, sizes), not self.is_uniform and tensor.shape is not None
        besides = self.half if tensor.dtype == np.float16 else 0.0
        elements, shape = size / itemsize(tensor), lengths(tensor, sizes) if known else None
        return Changes(self.changes, shape, size, elements, 1.0 + besides, times)

    def inside(self, node: Node, move: Move, sizes: Mapping[str, int]) -> float:
        """What one run of a node, so moved, costs because of how its data is stored."""
        row = self.operators.get(node.op) if node.domain in ("", MICROSOFT) else None
        if row is None or any(node.tensor(slot).shape is None for slot in node.slots):
            return 0.0
        seen = row.see(node, move, lambda tensor: lengths(tensor, sizes))
        if seen is None or seen.name not in row.prices:
            return 0.0
        tensor = node.tensor(seen.slot)
        size, besides = bytes_of(tensor, sizes), self.half if tensor.dtype == np.float16 else 0.0
        return row.prices[seen.name].of(size, size / itemsize(tensor) / seen.run) * (1.0 + besides)


@dataclass(frozen=True)
class Changes:
    """What Transposes of one value cost, in ``prices`` by kind, which its ``shape`` tells (``None``: the dearest).

    ``size`` is in bytes; ``weight`` is that of its type.
    """

    prices: Mapping[str, Price]
    shape: Sequence[int] | None
    size: int
    elements: float
    weight: float
    times: int

    @cached_property
    def dearest(self) -> float:
        """What the dearest one costs; any, where all cost the same."""
        return max(self._of(Situation(kind)) for kind in self.prices)

    def between(self, source: Layout, target: Layout) -> float:
        """What one from a layout to another costs."""
        return self.dearest if self.shape is None else self._of(change(source, target, self.shape))

    def _of(self, seen: Situation) -> float:
        return self.prices[seen.name].of(self.size, self.elements / seen.run) * self.weight * self.times


def bytes_of(tensor: gs.Tensor, sizes: Mapping[str, int]) -> int:
    """Bytes that one Transpose of the tensor moves, none if its rank is unknown; ``sizes``: of symbolic dims."""
    return 0 if tensor.shape is None else itemsize(tensor) * prod(dims(tensor, sizes))


def dims(tensor: gs.Tensor, sizes: Mapping[str, int]) -> list[int]:
    """The sizes of a value of known rank, guessed where nobody knows them."""
    return [
        dim if isinstance(dim, int) else sizes.get(dim, DYNAMIC_DIM if axis else DYNAMIC_BATCH)
        for axis, dim in enumerate(dims_of(tensor))
    ]


def lengths(tensor: gs.Tensor, sizes: Mapping[str, int]) -> list[int]:
    """As ``dims``, an empty axis as one of 1: runs are made of these, and no run is empty."""
    return [max(size, 1) for size in dims(tensor, sizes)]


def itemsize(tensor: gs.Tensor) -> int:
    """Bytes of an element."""
    known = tensor.dtype is not None and not isinstance(tensor.dtype, int)
    return np.dtype(tensor.dtype).itemsize if known else UNKNOWN_ITEMSIZE


@cache
def runtime(name: str) -> Runtime:
    """The table of this name, one of ``runtimes()``."""
    table = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    rows = table.pop("operator", [])
    operators = {op: _row(row) for row in rows for op in row["names"]}
    changes = table.pop("change")
    half = changes.pop("half", 0.0)
    return Runtime(name, changes=_prices(changes), half=half, operators=operators, **table)


def _row(row: Mapping[str, Any]) -> Row:
    return Row(SEEN[row["seen"]], _prices({name: one for name, one in row.items() if name not in ("names", "seen")}))


def _prices(table: Mapping[str, Mapping[str, float]]) -> dict[str, Price]:
    return {name: Price(**price) for name, price in table.items()}


def transposed_bytes(graph: gs.Graph, sizes: Mapping[str, int]) -> int:
    """What the Transposes of a graph move per inference, in bodies too."""
    times = executions_per_inference(graph, UNKNOWN_TRIPS)
    results = [n.outputs[0] for n in every_node(graph) if n.op == "Transpose" and is_standard(n)]
    return sum(bytes_of(t, sizes) * times.get(t.name, 1) for t in results)
