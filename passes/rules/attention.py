"""Attention: softmax(Q K^T * scale + mask) V for each batch and head, of [N, heads, T, d] or of [N, T, heads * d].

Stored with heads behind the sequence the first form is the second one, between Reshapes that move nothing: its heads
are then read where they lie. All axes before the sequence may be heads.
"""

from math import prod

import numpy as np

from passes.rules.api import (
    IN,
    OUT,
    PREVIOUS,
    VECTOR,
    Labels,
    Layout,
    Move,
    Node,
    Refusal,
    Rule,
    Slot,
    Step,
    no_axes,
    register,
    whole,
)

OP, SINCE = "Attention", 23
SEQUENCE = 2  # the axis of [N, heads, T, d]
KEPT = ("is_causal", "scale", "softcap", "softmax_precision")
ATTRIBUTES = {*KEPT, "kv_num_heads", "q_num_heads", "qk_matmul_output_mode"}  # up to opset 24
HEADS_BEHIND = ((0, 2, 1, 3), (1, 2, 0, 3), (2, 0, 1, 3), (2, 1, 0, 3))


def attention(node: Node, layout: Layout) -> Move:
    """Queries, keys, values and result are stored alike: as they were, or with the sequence before the heads."""
    if layout.is_natural:
        return node.move()
    check(node)
    layout.require_natural(SEQUENCE, 3)
    alike = dict.fromkeys(range(3), layout)
    if any(layout.along(axis) != VECTOR for axis in (0, 1)):
        check_same_for_all(node, "needs its batches and heads in their original order")
    if layout.axis_perm == (0, 1, 2, 3):
        return node.move(alike, {0: layout})
    if layout.axis_perm not in HEADS_BEHIND:
        raise Refusal(f"{node.op} needs its sequence before or behind its heads, and features last")
    if layout.axis_perm != (0, 2, 1, 3):
        check_same_for_all(node, "keeps the places of its batches and heads")
    return node.move(alike, {0: layout}, steps=merged(node, layout))


def check(node: Node) -> None:
    """Refuse the form without an axis of heads, states of other runs, and what later opsets may add."""
    if node.rank(IN(0)) != 4 or node.arity[1] > 1 or any(node.has(IN(i)) for i in range(4, node.arity[0])):
        raise Refusal(f"{node.op} of [batch, sequence, features], or with a cache, has each axis in its place")
    if not node.attrs.keys() <= ATTRIBUTES:
        raise Refusal(f"{node.op} has attributes of an opset that this rule does not know")


def check_same_for_all(node: Node, reason: str) -> None:
    """Refuse, with this reason, what is not the same for all batches and heads."""
    own = node.shape(IN(3))[:-2] if node.has(IN(3)) else []
    if any(size != 1 for size in own) or node.shape(IN(0))[1] != node.shape(IN(1))[1]:
        raise Refusal(f"{node.op} {reason}")


def merged(node: Node, layout: Layout) -> tuple[Step, ...]:
    """The operator on [N, T, heads * d], between Reshapes."""
    is_batched = layout.place(SEQUENCE) == 1
    sizes = [behind(node, slot, layout) for slot in (IN(0), IN(1), IN(2), OUT(0))]
    joined = [np.asarray([0, 0, prod(own)] if is_batched else [1, -1, prod(own)], dtype=np.int64) for own in sizes]
    apart = np.asarray([0, 0, *sizes[3]] if is_batched else [-1, *sizes[3]], dtype=np.int64)
    attrs = {name: node.attr(name) for name in KEPT if node.attr(name) is not None}
    heads = {"q_num_heads": prod(sizes[0][:-1]), "kv_num_heads": prod(sizes[1][:-1])}
    mask = (3,) if node.has(IN(3)) else ()
    return (
        *(Step("Reshape", (i, joined[i]), same_shape=False) for i in range(3)),
        Step(node.op, (PREVIOUS - 2, PREVIOUS - 1, PREVIOUS, *mask), {**attrs, **heads}, same_shape=False),
        Step("Reshape", (PREVIOUS, apart)),
    )


def behind(node: Node, slot: Slot, layout: Layout) -> list[int]:
    """The sizes of the axes that are stored behind the sequence: heads and, last, features."""
    shape = node.shape(slot)
    sizes = [shape[axis] for axis in layout.axis_perm[layout.place(SEQUENCE) + 1 :]]
    if not all(isinstance(size, int) for size in sizes):
        raise Refusal(f"{node.op} has heads or features of dynamic size: {shape}")
    return [int(size) for size in sizes if size is not None]


def attended_axes(node: Node) -> Labels:
    """Queries and result have one sequence, keys and values another."""
    if node.rank(IN(0)) != 4 or node.shape(IN(0))[1] != node.shape(IN(1))[1]:
        return no_axes(node)
    return dict(zip((IN(0), IN(1), IN(2), OUT(0)), map(whole, ("nhtd", "nhsd", "nhse", "nhte")), strict=True))


register(OP, Rule(attention, (OUT(0),), labels=attended_axes), since=SINCE)
