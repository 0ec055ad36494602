"""What a rule answers: layouts, attributes, edits and steps of one node."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from passes.layout.edit import Array, Edit
from passes.layout.layout import Layout


class Slot(NamedTuple):
    """One input or output of a node."""

    side: str
    number: int


@cache
def IN(index: int) -> Slot:
    return Slot("in", index)


@cache
def OUT(index: int) -> Slot:
    return Slot("out", index)


PREVIOUS = -1


@dataclass(frozen=True, eq=False)
class Step:
    """One node of a chain that replaces an operator.

    Operands are input indices, new constants or results of the chain: ``PREVIOUS``, ``PREVIOUS - 1`` that before it...
    """

    op: str
    operands: tuple[int | Array, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    same_shape: bool = True  # as the operator's result


@dataclass(frozen=True, eq=False)
class Move:
    """What must change for one node: everything not named here stays as it is.

    ``attrs`` with value ``None`` are removed. ``edits`` act on inputs after they are in the layout ``inputs`` asks
    for, ``results`` on outputs. ``operands`` (if any): the inputs the new node reads, one after the other.
    ``steps`` (if any) replace the node by a chain whose last result is its output.
    """

    inputs: tuple[Layout, ...]
    outputs: tuple[Layout, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    edits: Mapping[int, Edit] = field(default_factory=dict)
    results: Mapping[int, Edit] = field(default_factory=dict)
    op: str | None = None
    domain: str | None = None
    operands: tuple[int, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def first(self) -> int:
        """The input that the new node reads first."""
        return self.operands[0] if self.operands else 0

    def at(self, slot: Slot) -> Layout:
        return (self.inputs if slot.side == "in" else self.outputs)[slot.number]
