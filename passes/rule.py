"""What a rule is: how one operator runs on tensors stored with other layouts.

A rule is a pure function ``rule(node, *layouts) -> Move``. It sees a read-only :class:`Node`, is given the layouts of
the node's *pivots* (the values whose layouts determine all the others) and either answers with the :class:`Move` that
keeps the law ``f'(T_p(x)) == T_q(f(x))`` or raises :class:`Refusal` with a reason a user can act on.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from passes import layout as lay
from passes.dialect import Dialect
from passes.layout import AS_IS, Layout
from passes.perm import Perm

Array = NDArray[np.generic]
Shape = list[int | str | None]
# operators that compute target shapes, and how many of their inputs hold sizes (the others hold positions)
SIZE_OPS = {"Shape": 0, "Concat": None, "Unsqueeze": 1, "Squeeze": 1, "Gather": 1, "Slice": 1, "Cast": 1, "Mul": None}
SMALL = 4096  # elements; larger constants are weights, which no rule needs to read


class Refusal(Exception):
    """A rule will not move this node; the message is the reason, as the report prints it."""


class Slot(NamedTuple):
    """One input or output of a node."""

    side: str
    number: int


def IN(index: int) -> Slot:
    return Slot("in", index)


def OUT(index: int) -> Slot:
    return Slot("out", index)


class Take(NamedTuple):
    """Edit of a per-axis vector: ``vector[indices]``."""

    indices: Perm

    def apply(self, vector: Array) -> Array:
        return vector[list(self.indices)]


class Lookup(NamedTuple):
    """Edit of a vector of axes: ``table[vector]`` (negative axes count from the table's end, as in ONNX)."""

    table: Perm

    def apply(self, vector: Array) -> Array:
        return np.asarray(self.table, dtype=vector.dtype)[vector.astype(np.int64)]


class Expand(NamedTuple):
    """Edit of a broadcast operand: insert axes of size one."""

    axes: Perm

    def apply(self, array: Array) -> Array:
        return np.expand_dims(array, self.axes)


@dataclass(frozen=True, eq=False)
class Put:
    """Edit that gives an input another constant value, whatever it held."""

    array: Array

    def apply(self, _: Array) -> Array:
        return self.array


@dataclass(frozen=True)
class Omit:
    """Edit that leaves an optional input out."""


ArrayEdit = Take | Lookup | Expand | Put
Edit = ArrayEdit | Omit
PREVIOUS = -1


@dataclass(frozen=True, eq=False)
class Step:
    """One node of a chain that replaces an operator; operands are input indices, new constants or ``PREVIOUS``."""

    op: str
    operands: tuple[int | Array, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    same_shape: bool = True  # as the operator's result


@dataclass(frozen=True, eq=False)
class Move:
    """What must change for one node: everything not named here stays as it is.

    ``attrs`` with value ``None`` are removed. ``edits`` act on inputs after they are in the layout ``inputs`` asks
    for, ``results`` on outputs. ``order`` (if any): the inputs the new node reads, one after the other. ``steps``
    (if any) replace the node by a chain whose last result is its output. ``inside`` is how often runtimes move all of
    the first output's data within the operator, because of how it is stored.
    """

    inputs: tuple[Layout, ...]
    outputs: tuple[Layout, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    edits: Mapping[int, Edit] = field(default_factory=dict)
    results: Mapping[int, Edit] = field(default_factory=dict)
    op: str | None = None
    domain: str | None = None
    order: tuple[int, ...] = ()
    steps: tuple[Step, ...] = ()
    inside: float = 0.0

    def at(self, slot: Slot) -> Layout:
        return (self.inputs if slot.side == "in" else self.outputs)[slot.number]


class Node:
    """A read-only view of a node, with shapes and small constants, for rules."""

    def __init__(self, node: gs.Node, opset: int, dialect: Dialect) -> None:
        self.op: str = node.op
        self.domain: str = "" if node.domain in (None, "ai.onnx") else node.domain
        self.name: str = node.name
        self.opset = opset
        self.dialect = dialect
        self._inputs: list[gs.Tensor] = list(node.inputs)
        self._outputs: list[gs.Tensor] = list(node.outputs)
        self._attrs: Mapping[str, Any] = node.attrs

    def part(self, *inputs: int) -> "Node":
        """The same node with only these inputs, for rules that know nothing of the others."""
        part = copy(self)
        part._inputs = [self._inputs[i] for i in inputs if self.has(IN(i))]
        return part

    def attr(self, name: str, default: Any = None) -> Any:
        return self._attrs.get(name, default)

    def tensor(self, slot: Slot) -> gs.Tensor:
        return (self._inputs if slot.side == "in" else self._outputs)[slot.number]

    def has(self, slot: Slot) -> bool:
        side = self._inputs if slot.side == "in" else self._outputs
        return slot.number < len(side) and side[slot.number].name != ""

    @property
    def arity(self) -> tuple[int, int]:
        return len(self._inputs), len(self._outputs)

    def shape(self, slot: Slot) -> Shape:
        """Dims: sizes, symbols, or ``None``. Refuses if not even the rank is known."""
        shape = self.tensor(slot).shape
        if shape is None:
            raise Refusal(f"the rank of {self.tensor(slot).name!r} is unknown")
        return list(shape)

    def rank(self, slot: Slot) -> int:
        return len(self.shape(slot))

    def sizes(self, slot: Slot) -> list[int]:
        """The shape, which must be static."""
        shape = self.shape(slot)
        if not all(isinstance(d, int) for d in shape):
            raise Refusal(f"{self.tensor(slot).name!r} has dynamic dims {shape}")
        return [d for d in shape if isinstance(d, int)]

    def const(self, index: int) -> Array:
        """The value of a small constant input. Refuses if it is computed, or large."""
        tensor = self.tensor(IN(index))
        if not isinstance(tensor, gs.Constant):
            raise Refusal(f"input {index} ({tensor.name!r}) is not a constant")
        if int(np.prod(tensor.shape, dtype=np.int64)) > SMALL:
            raise Refusal(f"input {index} ({tensor.name!r}) is too large to be a parameter")
        return np.asarray(tensor.values)

    def ints(self, index: int) -> list[int]:
        return [int(v) for v in self.const(index).reshape(-1)]

    def is_constant(self, index: int) -> bool:
        return isinstance(self.tensor(IN(index)), gs.Constant)

    def weights(self, index: int) -> Array:
        """The value of a constant input of any size. Refuses if it is computed."""
        if not self.is_constant(index):
            raise Refusal(f"input {index} ({self.tensor(IN(index)).name!r}) is not a constant")
        return np.asarray(self.tensor(IN(index)).values)

    def may_hold_zero(self, index: int) -> bool:
        """Whether a computed vector of sizes could hold a 0: not if it is made of Shapes and non-zero constants."""
        pending, seen = [self.tensor(IN(index))], 0
        while pending:
            tensor, seen = pending.pop(), seen + 1
            if isinstance(tensor, gs.Constant):
                if int(np.prod(tensor.shape)) > SMALL or 0 in np.asarray(tensor.values):
                    return True
            elif not tensor.inputs or seen > SMALL or tensor.inputs[0].op not in SIZE_OPS:
                return True
            elif tensor.inputs[0].op != "Shape":
                pending.extend(tensor.inputs[0].inputs[: SIZE_OPS[tensor.inputs[0].op]])
        return False

    def move(
        self, inputs: Mapping[int, Layout] | None = None, outputs: Mapping[int, Layout] | None = None, **changes: Any
    ) -> Move:
        """A Move with ``AS_IS`` for every slot not named, layouts in canonical form, without edits that do nothing."""
        n_in, n_out = self.arity
        changes["edits"] = {i: edit for i, edit in changes.get("edits", {}).items() if not changes_nothing(edit)}
        n_in = max(n_in, 1 + max(changes["edits"], default=-1))
        ins, outs = inputs or {}, outputs or {}
        return Move(
            tuple(lay.make(*ins.get(i, AS_IS)) for i in range(n_in)),
            tuple(lay.make(*outs.get(j, AS_IS)) for j in range(n_out)),
            **changes,
        )


def changes_nothing(edit: Edit) -> bool:
    return isinstance(edit, Take | Lookup) and edit[0] == tuple(range(len(edit[0])))


RuleFn = Callable[..., "Move | list[Move]"]


@dataclass(frozen=True)
class Rule:
    """``fn(node, *layouts)`` with one layout per pivot, each of the pivot's rank."""

    fn: RuleFn
    pivots: "tuple[Slot, ...] | Callable[[Node], tuple[Slot, ...]]"
    family: str
    seed: bool = False  # its input axes are batch, channel, spatial...
    anew: bool = False  # written anew even where its layout stays: the file's form is not safe next to a Transpose
    pinned: bool = False  # channels-last wherever the dialect can say it
    back: "Callable[[Node, Layout], list[Layout]] | None" = None  # layout of the other end -> layouts of the pivot
    inside: "Callable[[Node, Move], float] | None" = None  # what Move.inside is
    roles: bool = True  # axes of inputs and outputs mean the same, so roles pass

    def slots(self, node: Node) -> tuple[Slot, ...]:
        """The pivots of this node."""
        return self.pivots if isinstance(self.pivots, tuple) else self.pivots(node)


class Row(NamedTuple):
    since: int
    rule: Rule


RULES: dict[tuple[str, str], list[Row]] = {}


def register(ops: str | Iterable[str], rule: Rule, since: int = 1, domain: str = "") -> None:
    """Add ``rule`` for each of ``ops`` from opset ``since`` on (until a later row). A duplicate raises ValueError."""
    for op in ops.split() if isinstance(ops, str) else ops:
        rows = RULES.setdefault((domain, op), [])
        if any(row.since == since for row in rows):
            raise ValueError(f"two rules for {domain or 'ai.onnx'}::{op} since opset {since}")
        rows.append(Row(since, rule))
        rows.sort(key=lambda row: row.since)


def lookup(domain: str, op: str, opset: int) -> Rule | None:
    """The rule for an operator at an opset, ``None`` if it is a barrier."""
    rows = [row for row in RULES.get((domain, op), ()) if row.since <= opset]
    return rows[-1].rule if rows else None
