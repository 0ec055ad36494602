"""Matrix products. An order along the contracted axis, or along the result's columns, is folded into the weight; a
transposed result is the product of the transposed operands in the other order."""

from collections.abc import Mapping, Sequence

from passes.layout import layout as lay
from passes.layout import perm
from passes.layout.edit import Edit, Expand
from passes.layout.layout import Layout
from passes.layout.order import AxisOrder
from passes.layout.perm import Perm
from passes.refusal import Refusal
from passes.rules.elementwise import operand
from passes.rules.move import IN, OUT, Move, Slot
from passes.rules.node import Node
from passes.rules.registry import register
from passes.rules.rule import Rule

# what the axes of a MatMul are, apart from its batch axes, which are numbered: rows, contracted, columns
M, K, N = -3, -2, -1
Axes = list[int]


def gemm(node: Node, left: Layout, result: Layout) -> Move:
    """Gemm: Y[m, n] = A[m, k] B[k, n] + C. Rows of B follow the order along k, columns of B and C that along n."""
    transposed_a, transposed_b = node.attr("transA", 0), node.attr("transB", 0)
    m, k = (1, 0) if transposed_a else (0, 1)
    rows, columns = (1, 0) if transposed_b else (0, 1)
    if left.order(m) != result.order(0):
        raise Refusal("Gemm keeps the order of its rows")
    right = lay.make((0, 1), [(rows, left.order(k)), (columns, result.order(1))])
    inputs, edits = {0: left, 1: right}, {}
    if node.has(IN(2)):
        inputs[2], missing = operand(node, 2, result)
        edits = {2: Expand(missing)} if missing else {}
    a, b = transposed_a ^ (left.perm == (1, 0)), transposed_b
    swapped = result.perm == (1, 0)
    attrs = {"transA": 1 - b, "transB": 1 - a} if swapped else {"transA": a, "transB": b}
    return node.move(
        inputs, {0: result}, attrs=changed(node, attrs), edits=edits, operands=exchanged(node) if swapped else ()
    )


def gemm_in_order(node: Node, left: Layout, result: Layout) -> Move:
    """As Gemm, for operators whose operands cannot change places."""
    move = gemm(node, left, result)
    if move.operands:
        raise Refusal(f"{node.op} cannot store its result transposed")
    return move


def changed(node: Node, flags: Mapping[str, int]) -> dict[str, int]:
    return {name: flag for name, flag in flags.items() if flag != node.attr(name, 0)}


def exchanged(node: Node) -> tuple[int, ...]:
    """The inputs of a node whose first two change places."""
    return (1, 0, *range(2, node.arity[0]))


def matmul(node: Node, given: Layout, result: Layout) -> Move:
    """MatMul: batch axes are free; an axis of a matrix too, if it stands for all batches; the last two may change
    places."""
    return multiplied(node, given, result, side=1 if node.is_constant(0) else 0, swap=True)


def matmul_in_order(node: Node, left: Layout, result: Layout) -> Move:
    """As MatMul, for two operands of one rank or a matrix on the right, which cannot change places."""
    if node.rank(IN(0)) < 2 or node.rank(IN(1)) not in (2, node.rank(IN(0))):
        raise Refusal(f"{node.op} broadcasts an operand of another rank")
    return multiplied(node, left, result, side=0, swap=False)


def multiplied(node: Node, given: Layout, result: Layout, side: int, swap: bool) -> Move:
    """The product with operand ``side`` stored as ``given``; the other operand must be stored to match."""
    ranks = node.rank(IN(0)), node.rank(IN(1))
    *operands, axes = named(*ranks)
    stored = with_vectors(perm.reorder(result.perm, axes), ranks)
    swapped = is_swapped(stored, ranks)
    if swapped and not swap:
        raise Refusal(f"{node.op} cannot store its result transposed")
    if swapped and repeats(node, ranks):
        raise Refusal(f"{node.op} with its operands exchanged would be a product per batch, now it is one for all")
    perms = [stored_as(own, stored, swapped) for own in operands]
    if given.perm != perms[side]:
        raise Refusal(f"{node.op} keeps the places of its rows and batches")
    mine, wanted = by_axis(operands[side], given), by_axis(axes, result)
    other = other_orders(operands, side, mine, wanted)
    layouts = [given, given]
    layouts[1 - side] = lay.make(perms[1 - side], [(i, other.get(a)) for i, a in enumerate(operands[1 - side])])
    missing = {i: absent(stored, own) for i, own in enumerate(operands)}
    edits: dict[int, Edit] = {i: Expand(places) for i, places in missing.items() if places}
    exchange = exchanged(node) if swapped else ()
    return node.move(dict(enumerate(layouts)), {0: result}, edits=edits, operands=exchange)


def repeats(node: Node, ranks: tuple[int, int]) -> bool:
    """Whether a matrix stands for all of several batches: stored side by side these are one large product."""
    if ranks[0] == ranks[1]:
        return False
    batches = node.shape(IN(0 if ranks[0] > ranks[1] else 1))[:-2]
    return any(isinstance(size, int) and size != 1 for size in batches)


def named(left: int, right: int) -> tuple[Axes, Axes, Axes]:
    """What the axes of both operands and of the result are, by the operands' ranks."""
    batch = list(range(max(left, right, 2) - 2))
    columns = [*batch, K, N][-right:] if right > 1 else [K]
    return [*batch, M, K][-left:], columns, [*batch, *[M] * (left > 1), *[N] * (right > 1)]


def with_vectors(stored: Axes, ranks: tuple[int, int]) -> Axes:
    """The axes of the result, and those that a vector on the left or on the right takes away, where they were."""
    if ranks[1] == 1:
        stored = [*stored, N]
    return [*stored[:-1], M, stored[-1]] if ranks[0] == 1 else stored


def is_swapped(stored: Axes, ranks: tuple[int, int]) -> bool:
    """Whether a result stored so is the product of the transposed operands; refused if it is no product at all."""
    m, n = stored[-2:]
    if ((m == M or ranks[1] <= 2) and n == N) or (m == M and ranks[0] <= 2):
        return False
    if 1 not in ranks and (((n == M or ranks[1] == 2) and m == N) or (n == M and ranks[0] == 2)):
        return True
    raise Refusal("MatMul needs its last two axes last")


def stored_as(own: Axes, stored: Axes, swapped: bool) -> Perm:
    """The perm of an operand with the axes ``own``: the result's, with the contracted axis for the one it lacks."""
    if len(own) < 3:
        return (1, 0) if swapped else perm.identity(len(own))
    lacks = N if M in own else M
    return tuple(own.index(K if axis == lacks else axis) for axis in stored if axis == lacks or axis in own)


def by_axis(axes: Axes, layout: Layout) -> dict[int, AxisOrder]:
    return {axes[i]: order for i, order in layout.orders}


def other_orders(
    operands: Sequence[Axes], side: int, mine: Mapping[int, AxisOrder], wanted: Mapping[int, AxisOrder]
) -> dict[int, AxisOrder]:
    """The orders of the other operand, if one has ``mine`` and the result the orders ``wanted``."""
    shared = set(operands[0]) & set(operands[1]) - {K}
    if shared & {*mine, *wanted}:
        raise Refusal("MatMul needs its batches in their original order")
    own = set(operands[side]) - {K}
    if {a: mine[a] for a in mine if a != K} != {a: wanted[a] for a in wanted if a in own}:
        raise Refusal("MatMul keeps the order of its rows and batches")
    return {**{a: order for a, order in wanted.items() if a not in own}, **{a: mine[a] for a in mine if a == K}}


def absent(stored: Axes, own: Axes) -> Perm:
    """The axes to insert in an operand of lower rank so that its batches are in their places."""
    axes = tuple(i for i, axis in enumerate(stored) if axis >= 0 and axis not in own)
    return axes if len(own) > 2 and axes != tuple(range(len(axes))) else ()


def data_and_result(node: Node) -> tuple[Slot, ...]:
    """The operand that is computed, and the result."""
    return (IN(1) if node.is_constant(0) else IN(0), OUT(0))


register("Gemm", Rule(gemm, (IN(0), OUT(0)), keeps_axes=False))
register("MatMul", Rule(matmul, data_and_result, keeps_axes=False))
