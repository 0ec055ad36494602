"""Contractions: MatMul, Gemm (Einsum: einsum.py). A label for each axis says what is multiplied and summed with what.

An order of the elements along a label must be the same wherever the label stands: one along a contracted axis, or along
the result's columns, is folded into the weight. A transposed result is the product of the transposed operands in the
other order.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from string import ascii_uppercase

import numpy as np

from passes.rules.api import (
    IN,
    OUT,
    VECTOR,
    Edit,
    Expand,
    Labels,
    Layout,
    Move,
    Node,
    Perm,
    Refusal,
    Rule,
    Slot,
    arranged,
    no_axes,
    perm,
    register,
    whole,
)
from passes.rules.elementwise import operand

GEMMS = ("Gemm", "FusedGemm", "QGemm")
GEMM = ("", "Gemm")
GEMM_TYPES = (np.float32, np.float64, np.float16)
GEMM_WITHOUT_C = 11  # since this opset

Orders = Mapping[str, Layout]
Operator = tuple[str, str]  # domain and type


def orders_by_label(node: Node, terms: Iterable[tuple[str, Layout]]) -> Orders:
    """The order of the elements along each label. Refuses if it is not one everywhere."""
    orders: dict[str, Layout] = {}
    for labels, layout in terms:
        for axis, label in enumerate(labels):
            if orders.setdefault(label, layout.along(axis)) != layout.along(axis):
                raise Refusal(f"{node.op} needs the elements along axis {label!r} in one order everywhere")
    return orders


def labelled(labels: str, stored: Sequence[str], orders: Orders) -> Layout:
    """The layout of an operand whose labels are ``stored`` in this order."""
    return arranged(tuple(map(labels.index, stored)), {axis: orders[label] for axis, label in enumerate(labels)})


def gemm(node: Node, left: Layout, result: Layout) -> list[Move]:
    """Gemm: Y[m, n] = A[m, k] B[k, n] + C. Rows of B follow the order along k, columns of B and C that along n."""
    return product(node, left, result, turning=(node.domain, node.op))


def gemm_in_order(node: Node, left: Layout, result: Layout) -> list[Move]:
    """As Gemm, for operators whose operands cannot change places."""
    return in_order(node, gemm(node, left, result))


def in_order(node: Node, moves: list[Move]) -> list[Move]:
    """The moves. Refuses if they exchange the operands."""
    if any(move.operands for move in moves):
        raise Refusal(f"{node.op} cannot store its result transposed")
    return moves


def matmul(node: Node, known: Layout, result: Layout) -> list[Move]:
    """MatMul: batch axes are free; an axis of a matrix too, if it stands for all batches; the last two may change
    places. Two matrices may be stored transposed, each, for a Gemm; others where a dialect has an operator for it."""
    return product(node, known, result, known_operand(node), turning=turning_of(node))


def turning_of(node: Node) -> Operator | None:
    """The operator that computes a MatMul whose operands are stored transposed, by its types and ranks; Gemm at opsets
    where it needs no C."""
    dtype, ranks = node.dtype(OUT(0)), operand_ranks(node)
    if ranks == (2, 2) and dtype in GEMM_TYPES and node.opset >= GEMM_WITHOUT_C:
        return GEMM
    return node.dialect.turning if dtype == np.float32 and ranks[0] > 2 and ranks[1] in (2, ranks[0]) else None


def matmul_in_order(node: Node, left: Layout, result: Layout) -> list[Move]:
    """As MatMul, for two operands of one rank or a matrix on the right, which cannot change places."""
    return in_order(node, product(of_matrices(node), left, result))


def fused_matmul(node: Node, left: Layout, result: Layout) -> list[Move]:
    """FusedMatMul: as MatMul; the last two axes of an operand are read in the other order if attributes say so."""
    if node.attr("transBatchA", 0) or node.attr("transBatchB", 0):
        raise Refusal(f"{node.op} moves the first axis of an operand behind its batches")
    return product(of_matrices(node), left, result, turning=(node.domain, node.op))


def of_matrices(node: Node) -> Node:
    """The node. Refuses vectors, and an operand on the right with batches, but of another rank."""
    left, right = operand_ranks(node)
    if left < 2 or right not in (2, left):
        raise Refusal(f"{node.op} broadcasts an operand of another rank")
    return node


def product(node: Node, known: Layout, result: Layout, side: int = 0, turning: Operator | None = None) -> list[Move]:
    """The products with operand ``side`` stored as ``known``; the other operand must be stored to match.

    They read ``[*batch, row, k]`` and ``[*batch, k, column]``; where one operand is a matrix, any axis of the other may
    be row or column. ``turning``: the operator whose attributes turn the last two axes of its operands.
    """
    terms, made = operand_labels(node)
    own, other = terms[side], terms[1 - side]
    forms = operand_forms(node, result, side, turning)
    if known.axis_perm not in forms:
        raise Refusal(f"{node.op} keeps the places of its rows and batches")
    orders = orders_by_label(node, [(own, known), (made, result)])
    if any(orders[label] != VECTOR for label in set(own) & set(other) - {"k"}):
        raise Refusal(f"{node.op} needs its batches in their original order")
    pairs = [
        ({side: known, 1 - side: labelled(other, perm.reorder(p, other), orders)},
         {side: forms[known.axis_perm], 1 - side: turned})
        for p, turned in operand_forms(node, result, 1 - side, turning).items()
    ]  # fmt: skip
    moves = [product_of(node, operands, turns, result, turning) for operands, turns in pairs]
    return [min(moves, key=lambda move: dearness(move, 1 - side))] if node.is_constant(1 - side) else moves


def dearness(move: Move, constant: int) -> tuple[bool, ...]:
    """Of products that differ in how a constant is stored one is enough: if that can be the operator as it is, and the
    first operand, and the constant's axes."""
    return (
        move.op is not None,
        bool(move.attrs.get("transA")),
        move.inputs[constant].axis_perm != perm.identity(move.inputs[constant].rank),
    )


def product_of(
    node: Node, operands: Mapping[int, Layout], turns: Mapping[int, int], result: Layout, turning: Operator | None
) -> Move:
    """The product of operands stored so, the last two axes of which are read in the other order where they ``turn``."""
    batch, _, _, swapped = stored_labels(node, result)
    inputs, edits = dict(operands), dict[int, Edit]()
    for i, own in enumerate(operand_labels(node)[0]):
        missing = tuple(place for place, label in enumerate(batch) if label not in own)
        if len(missing) < len(batch) and missing != tuple(range(len(missing))):
            edits[i] = Expand(missing)
    if node.has(IN(2)):
        inputs[2], missing = operand(node, 2, result)
        edits |= {2: Expand(missing)} if missing else {}
    flags = {"transA": turns[int(swapped)], "transB": turns[int(not swapped)]}
    attrs = {name: flag for name, flag in flags.items() if flag != node.attr(name, 0)}
    places = (1, 0, *range(2, node.arity[0])) if swapped else ()
    domain, op = turning if attrs and turning not in (None, (node.domain, node.op)) else (None, None)
    return node.move(inputs, {0: result}, attrs=attrs, edits=edits, operands=places, op=op, domain=domain)


def stored_labels(node: Node, result: Layout) -> tuple[list[str], str, str, bool]:
    """The labels of the result as stored: batches, row and column, and whether its operands change places for that."""
    left, right, made = matmul_labels(*operand_ranks(node))
    *batch, row, column = with_vectors(perm.reorder(result.axis_perm, made), left, right)
    swapped = is_swapped(row, column, left, right)
    if swapped and repeats(node):
        raise Refusal(f"{node.op} with its operands exchanged would be a product per batch, now it is one for all")
    return batch, row, column, swapped


def operand_forms(node: Node, result: Layout, side: int, turning: Operator | None) -> dict[Perm, int]:
    """The perms of operand ``side`` when the result has a layout, and whether its last two axes then are turned."""
    batch, row, column, swapped = stored_labels(node, result)
    own = operand_labels(node)[0][side]
    matrix = [row, "k"] if swapped == bool(side) else ["k", column]
    p = tuple(own.index(label) for label in (*batch, *matrix) if label in own)
    return {p: 0, (*p[:-2], p[-1], p[-2]): 1} if turning else {p: 0}


def known_operand(node: Node) -> int:
    """Which operand of a MatMul is computed; the left one, if both are."""
    return 1 if node.is_constant(0) else 0


def known_operand_perms(node: Node, result: Layout) -> Collection[Perm]:
    """The perms of the operand that is computed when the result has a layout."""
    return operand_forms(node, result, known_operand(node), turning_of(node))


def operand_ranks(node: Node) -> tuple[int, int]:
    """The ranks of both operands; a Gemm's are matrices, whether shapes say so or not."""
    return (2, 2) if node.op in GEMMS else (node.rank(IN(0)), node.rank(IN(1)))


def operand_labels(node: Node) -> tuple[tuple[str, str], str]:
    """The labels of both operands, which attributes may turn, and of the result."""
    left, right, made = matmul_labels(*operand_ranks(node))
    transposed = (node.attr("transA", 0), node.attr("transB", 0))
    terms = (own[:-2] + own[:-3:-1] if flag else own for own, flag in zip((left, right), transposed, strict=True))
    return (next(terms), next(terms)), made


def matmul_labels(left: int, right: int) -> tuple[str, str, str]:
    """The labels of both operands and of the result, by the operands' ranks; batches are capital letters."""
    batch = ascii_uppercase[: max(left, right, 2) - 2]
    columns = f"{batch}kn"[-right:] if right > 1 else "k"
    return f"{batch}mk"[-left:], columns, batch + "m" * (left > 1) + "n" * (right > 1)


def with_vectors(stored: list[str], left: str, right: str) -> list[str]:
    """The labels of the result, and those that a vector on the left or on the right takes away, where they were."""
    if right == "k":
        stored = [*stored, "n"]
    return [*stored[:-1], "m", stored[-1]] if left == "k" else stored


def is_swapped(row: str, column: str, left: str, right: str) -> bool:
    """Whether a result stored so is the product of the transposed operands; refused if it is no product at all."""
    # A matrix stands for all batches of the other operand.
    only_left = {"m", *(left if len(right) < 3 else "")} - set(right)
    only_right = {"n", *(right if len(left) < 3 else "")} - set(left)
    if row in only_left and column in only_right:
        return False
    if "k" not in (left, right) and row in only_right and column in only_left:
        return True
    raise Refusal("MatMul needs its last two axes last")


def repeats(node: Node) -> bool:
    """Whether a matrix stands for all of several batches: stored side by side these are one large product."""
    left, right = operand_ranks(node)
    if left == right:
        return False
    return any(isinstance(size, int) and size != 1 for size in node.shape(IN(0 if left > right else 1))[:-2])


def known_operand_and_result(node: Node) -> tuple[Slot, ...]:
    """The operand that is computed, and the result."""
    return (IN(known_operand(node)), OUT(0))


def matmul_axes(node: Node) -> Labels:
    """Batches, rows and columns; what is summed over is the same in both operands."""
    terms = matmul_labels(node.rank(IN(0)), node.rank(IN(1)))
    return dict(zip((IN(0), IN(1), OUT(0)), map(whole, terms), strict=True))


register("Gemm", Rule(gemm, (IN(0), OUT(0)), labels=no_axes))
register("MatMul", Rule(matmul, known_operand_and_result, partners=known_operand_perms, labels=matmul_axes))
