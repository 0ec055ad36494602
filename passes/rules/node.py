"""A node as rules see it: read-only, without the graph around it."""

from collections.abc import Mapping
from copy import copy
from math import prod
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from passes.dialects.base import Dialect
from passes.ir.declared import standard
from passes.layout.edit import Array, changes_nothing
from passes.layout.layout import Layout, natural
from passes.refusal import Refusal
from passes.rules.move import IN, OUT, Move, Slot

Shape = list[int | str | None]
# operators that compute target shapes, and how many of their inputs hold sizes (the others hold positions)
SIZE_OPS = {"Shape": 0, "Concat": None, "Unsqueeze": 1, "Squeeze": 1, "Gather": 1, "Slice": 1, "Cast": 1, "Mul": None}
SMALL = 4096  # elements; larger constants are weights, which no rule needs to read


class Node:
    """A read-only view of a node, with shapes and small constants, for rules."""

    def __init__(self, node: gs.Node, opset: int, dialect: Dialect) -> None:
        self.op: str = node.op
        self.domain = standard(node.domain)
        self.name: str = node.name
        self.opset = opset
        self.barrier: str | None = getattr(node, "barrier", None)  # why nothing is known of it
        self.dialect = dialect
        self._inputs: list[gs.Tensor] = list(node.inputs)
        self._outputs: list[gs.Tensor] = list(node.outputs)
        self.attrs: Mapping[str, Any] = node.attrs

    def part(self, *inputs: int) -> "Node":
        """The same node with only these inputs, for rules that know nothing of the others."""
        part = copy(self)
        part._inputs = [self._inputs[i] for i in inputs if self.has(IN(i))]
        return part

    def attr(self, name: str, default: Any = None) -> Any:
        return self.attrs.get(name, default)

    def tensor(self, slot: Slot) -> gs.Tensor:
        return self._at(slot)

    def _at(self, slot: Slot) -> gs.Tensor:
        return (self._inputs if slot.side == "in" else self._outputs)[slot.number]

    def value(self, slot: Slot) -> str:
        """The name of the value at a slot."""
        return str(self._at(slot).name)

    def dtype(self, slot: Slot) -> Any:
        """The type of the elements; ``None`` if it is unknown."""
        return self._at(slot).dtype

    def has(self, slot: Slot) -> bool:
        side = self._inputs if slot.side == "in" else self._outputs
        return slot.number < len(side) and side[slot.number].name != ""

    @property
    def slots(self) -> list[Slot]:
        """The inputs and outputs that are given."""
        n_in, n_out = self.arity
        return [slot for slot in (*map(IN, range(n_in)), *map(OUT, range(n_out))) if self.has(slot)]

    @property
    def arity(self) -> tuple[int, int]:
        return len(self._inputs), len(self._outputs)

    def shape(self, slot: Slot) -> Shape:
        """Dims: sizes, symbols, or ``None``. Refuses if not even the rank is known."""
        self.rank(slot)
        return list(self.tensor(slot).shape)

    def rank(self, slot: Slot) -> int:
        """The number of axes. Refuses if it is unknown."""
        rank = self.known_rank(slot)
        if rank is None:
            raise Refusal(f"the rank of {self.value(slot)!r} is unknown")
        return rank

    def known_rank(self, slot: Slot) -> int | None:
        """The number of axes; ``None`` if it is unknown, or there is no value at the slot."""
        shape = self._at(slot).shape if self.has(slot) else None
        return None if shape is None else len(shape)

    def fits(self, slot: Slot, layout: Layout) -> bool:
        """Whether the value at a slot can be stored so. Refuses if not even its rank is known."""
        return layout.fits(self.shape(slot)) if layout.is_divided else layout.rank == self.rank(slot)

    def is_left_out(self, index: int) -> bool:
        """Whether an input is not given: it has no name, or is an empty vector, which some operators take for that."""
        return not self.has(IN(index)) or list(self._at(IN(index)).shape or ()) == [0]

    def sizes(self, slot: Slot) -> list[int]:
        """The shape, which must be static."""
        shape = self.shape(slot)
        if not all(isinstance(d, int) for d in shape):
            raise Refusal(f"{self.value(slot)!r} has dynamic dims {shape}")
        return [d for d in shape if isinstance(d, int)]

    def const(self, index: int) -> Array:
        """The value of a small constant input. Refuses if it is computed, or large."""
        if self.is_constant(index) and prod(self.sizes(IN(index))) > SMALL:
            raise Refusal(f"input {index} ({self.value(IN(index))!r}) is too large to be a parameter")
        return self.weights(index)

    def ints(self, index: int) -> list[int]:
        return [int(v) for v in self.const(index).reshape(-1)]

    def is_constant(self, index: int) -> bool:
        return isinstance(self._at(IN(index)), gs.Constant)

    def weights(self, index: int) -> Array:
        """The value of a constant input of any size. Refuses if it is computed."""
        if not self.is_constant(index):
            raise Refusal(f"input {index} ({self.value(IN(index))!r}) is not a constant")
        return np.asarray(self._at(IN(index)).values)

    def may_hold_zero(self, index: int) -> bool:
        """Whether a computed vector of sizes could hold a 0: not if it is made of Shapes and non-zero constants."""
        pending, seen = [self._at(IN(index))], 0
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

    def natural(self, slot: Slot) -> Layout:
        """The layout of the original at a slot."""
        return natural(self.known_rank(slot))

    def move(
        self, inputs: Mapping[int, Layout] | None = None, outputs: Mapping[int, Layout] | None = None, **changes: Any
    ) -> Move:
        """A Move with the original's layout for every slot not named, without edits that do nothing."""
        n_in, n_out = self.arity
        changes["edits"] = {i: edit for i, edit in changes.get("edits", {}).items() if not changes_nothing(edit)}
        n_in = max(n_in, 1 + max(changes["edits"], default=-1))
        ins = tuple(self._own(IN(i), (inputs or {}).get(i)) for i in range(n_in))
        return Move(ins, tuple(self._own(OUT(j), (outputs or {}).get(j)) for j in range(n_out)), **changes)

    def _own(self, slot: Slot, layout: Layout | None) -> Layout:
        """The layout; the original's as the slot has it, where its rank may be unknown."""
        if layout is None or layout.is_natural:
            return self.natural(slot)
        rank = self.known_rank(slot) if slot.side == "out" else None
        if rank not in (None, layout.rank):  # the file declares another than the operator gives
            raise Refusal(f"{self.value(slot)!r} has {rank} axes, {self.op} knows of {layout.rank}")
        return layout
