"""What a rule is: how one operator runs on tensors stored with other layouts.

A rule is a pure function ``rule(node, *layouts) -> Move``. It sees a read-only :class:`Node`, is given the layouts of
the node's *independent slots* (the values whose layouts determine all the others) and either answers with the
:class:`Move` that keeps the law ``f'(T_p(x)) == T_q(f(x))`` or raises :class:`Refusal` with a reason a user can act on.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from passes.layout.layout import Layout
from passes.layout.perm import Perm
from passes.refusal import Refusal
from passes.rules.labels import LabelsFn, same_axes
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
    partners: "Callable[[Node, Layout], Collection[Perm]] | None" = None  # of the first of two slots, by the second's
    suggests: "Callable[[Node], Collection[Perm]] | None" = None  # worth trying, for any value of that rank
    whole: "Callable[..., Layout] | None" = None  # of the slot, by those of all inputs, or outputs, which are its parts
    always_rewrite: bool = False  # the file's form is not to stay, even where its layout does
    labels: LabelsFn = same_axes  # which axes of inputs and outputs are the same

    def moves(self, node: Node, *layouts: Layout) -> list[Move]:
        """The moves for these layouts of the independent slots.

        Raises Refusal: the rule's reason, or that a tensor cannot be stored so.
        """
        for slot, layout in zip(self.slots_of(node), layouts, strict=True):
            if not node.fits(slot, layout):
                raise Refusal(f"its value {node.value(slot)!r} of shape {node.shape(slot)} cannot be stored {layout}")
        moves = self.fn(node, *layouts)
        return moves if isinstance(moves, list) else [moves]

    def slots_of(self, node: Node) -> tuple[Slot, ...]:
        """The independent slots of this node."""
        return self.slots if isinstance(self.slots, tuple) else self.slots(node)


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
