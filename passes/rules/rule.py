"""What a rule is: how one operator runs on tensors stored with other layouts.

A rule is a pure function ``rule(node, *layouts) -> Move``. It sees a read-only :class:`Node`, is given the layouts of
the node's *independent slots* (the values whose layouts determine all the others) and either answers with the
:class:`Move` that keeps the law ``f'(T_p(x)) == T_q(f(x))`` or raises :class:`Refusal` with a reason a user can act on.
"""

from collections.abc import Callable
from dataclasses import dataclass

from passes.layout.layout import Layout
from passes.refusal import Refusal
from passes.rules.move import IN, Move, Slot
from passes.rules.node import Node

RuleFn = Callable[..., "Move | list[Move]"]


@dataclass(frozen=True)
class Rule:
    """``fn(node, *layouts)`` with one layout per independent slot, each of the slot's rank."""

    fn: RuleFn
    slots: "tuple[Slot, ...] | Callable[[Node], tuple[Slot, ...]]" = (IN(0),)
    inverse: "Callable[[Node, Layout], list[Layout]] | None" = None  # layout of the other end -> layouts of the slot
    image: bool = False  # its input axes are batch, channel, spatial...
    always_rewrite: bool = False  # the file's form is not to stay, even where its layout does
    keeps_axes: bool = True  # axes of inputs and outputs mean the same, so roles pass

    def moves(self, node: Node, *layouts: Layout) -> list[Move]:
        """The moves for these layouts of the independent slots.

        Raises Refusal: the rule's reason, or that a tensor cannot be stored so.
        """
        for slot, layout in zip(self.slots_of(node), layouts, strict=True):
            if not layout.fits(node.shape(slot)):
                raise Refusal(f"{node.tensor(slot).name!r} of shape {node.shape(slot)} cannot be stored {layout}")
        moves = self.fn(node, *layouts)
        return moves if isinstance(moves, list) else [moves]

    def slots_of(self, node: Node) -> tuple[Slot, ...]:
        """The independent slots of this node."""
        return self.slots if isinstance(self.slots, tuple) else self.slots(node)
