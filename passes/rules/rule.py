"""What a rule is: how one operator runs on tensors stored with other layouts.

A rule is a pure function ``rule(node, *layouts) -> Move``. It sees a read-only :class:`Node`, is given the layouts of
the node's *pivots* (the values whose layouts determine all the others) and either answers with the :class:`Move` that
keeps the law ``f'(T_p(x)) == T_q(f(x))`` or raises :class:`Refusal` with a reason a user can act on.
"""

from collections.abc import Callable
from dataclasses import dataclass

from passes.layout.layout import Layout
from passes.rules.move import Move, Slot
from passes.rules.node import Node

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
