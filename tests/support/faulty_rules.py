"""Rules with a fault planted in what they answer: the mistakes that authors of layout rules make."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from passes.layout import perm
from passes.layout.layout import Layout, natural, permuted
from passes.rules.api import Move, Node
from passes.rules.rule import RULES, Row, RuleFn

Spoil = Callable[[Node, Move], Move]  # the move itself where the fault changes nothing


@contextmanager
def planted(op: str, spoil: Spoil) -> Iterator[Mapping[int, Move]]:
    """All rules of an operator, spoilt; gives the moves that are wrong, by their ids."""
    spoilt: dict[int, Move] = {}

    def wrong(rule: RuleFn) -> RuleFn:
        def answer(node: Node, *layouts: Layout) -> list[Move]:
            moves = rule(node, *layouts)
            made = [(move, spoil(node, move)) for move in (moves if isinstance(moves, list) else [moves])]
            spoilt.update((id(new), new) for move, new in made if new is not move)
            return [new for _, new in made]

        return answer

    before = {key: rows for key, rows in RULES.items() if key[1] == op}
    RULES.update({k: [Row(r.since, replace(r.rule, fn=wrong(r.rule.fn))) for r in rows] for k, rows in before.items()})
    try:
        yield spoilt
    finally:
        RULES.update(before)


def unmoved(name: str) -> Spoil:
    """An attribute stays as it was."""

    def spoil(node: Node, move: Move) -> Move:
        if move.attrs.get(name) is None or move.attrs[name] == node.attr(name):
            return move
        return replace(move, attrs={key: value for key, value in move.attrs.items() if key != name})

    return spoil


def with_attr(name: str, change: Callable[[Any], Any], default: Any = None) -> Spoil:
    """Another attribute than the move has, where the layout is not the original's."""

    def spoil(node: Node, move: Move) -> Move:
        value = move.attrs.get(name, node.attr(name, default))
        if value is None or is_natural(move) or change(value) == value:
            return move
        return replace(move, attrs={**move.attrs, name: change(value)})

    return spoil


def with_input(number: int, change: Callable[[Layout], Layout]) -> Spoil:
    """An input is asked for in another layout."""

    def spoil(_: Node, move: Move) -> Move:
        if (
            is_natural(move)
            or number >= len(move.inputs)
            or (new := change(move.inputs[number])) == move.inputs[number]
        ):
            return move
        return replace(move, inputs=(*move.inputs[:number], new, *move.inputs[number + 1 :]))

    return spoil


def with_output(number: int, change: Callable[[Layout], Layout]) -> Spoil:
    """A result is said to be stored in another layout."""

    def spoil(_: Node, move: Move) -> Move:
        if (
            is_natural(move)
            or number >= len(move.outputs)
            or (new := change(move.outputs[number])) == move.outputs[number]
        ):
            return move
        return replace(move, outputs=(*move.outputs[:number], new, *move.outputs[number + 1 :]))

    return spoil


def without_edit(number: int) -> Spoil:
    """An input that holds axes, or has an entry for each, stays as it was."""

    def spoil(_: Node, move: Move) -> Move:
        if number not in move.edits or is_natural(move):
            return move
        return replace(move, edits={key: edit for key, edit in move.edits.items() if key != number})

    return spoil


def with_operands(*order: int) -> Spoil:
    """The operands in another order."""

    def spoil(node: Node, move: Move) -> Move:
        if is_natural(move) or node.arity[0] < len(order):
            return move
        return replace(move, operands=(*order, *range(len(order), node.arity[0])))

    return spoil


def with_step(number: int, change: Callable[[Any], Any]) -> Spoil:
    """Another constant in a step of a chain."""

    def spoil(_: Node, move: Move) -> Move:
        if len(move.steps) <= number or is_natural(move):
            return move
        step = move.steps[number]
        operands = tuple(one if isinstance(one, int) else change(one) for one in step.operands)
        return replace(move, steps=(*move.steps[:number], replace(step, operands=operands), *move.steps[number + 1 :]))

    return spoil


def is_natural(move: Move) -> bool:
    return all(layout.is_natural for layout in (*move.inputs, *move.outputs))


def inverted(layout: Layout) -> Layout:
    return layout if layout.is_divided else permuted(perm.inverse(layout.perm))


def unordered(layout: Layout) -> Layout:
    """The elements along all axes in their original order."""
    return natural(layout.rank) if layout.is_divided else layout


def left_alone(layout: Layout) -> Layout:
    return natural(layout.rank)


def exchanged(one: int, other: int) -> Callable[[Layout], Layout]:
    """Two stored axes change places."""

    def change(layout: Layout) -> Layout:
        if layout.is_divided or layout.rank <= max(one, other):
            return layout
        p = list(layout.perm)
        p[one], p[other] = p[other], p[one]
        return permuted(tuple(p))

    return change


def halves_exchanged(values: Sequence[int]) -> list[int]:
    """Ends before begins."""
    half = len(values) // 2
    return [*values[half:], *values[:half]]


def rolled(array: Any) -> Any:
    """The entries along the longest axis one place on."""
    return np.roll(array, 1, int(np.argmax(array.shape))) if array.ndim else array


def other_mode(mode: str) -> str:
    """Of DepthToSpace: which factor of the channels is which."""
    return "CRD" if mode == "DCR" else "DCR"
