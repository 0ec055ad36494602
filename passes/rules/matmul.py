"""Matrix products: an order along the contracted axis, or along the result's columns, is folded into the weight."""

from passes import perm
from passes.layout import Layout, Order
from passes.perm import Perm
from passes.rule import IN, OUT, Edit, Expand, Move, Node, Refusal, Rule, register
from passes.rules.elementwise import operand


def gemm(node: Node, left: Layout, result: Layout) -> Move:
    """Gemm: Y[m, n] = A[m, k] B[k, n] + C. Rows of B follow the order along k, columns of B and C that along n."""
    transposed_a, transposed_b = node.attr("transA", 0), node.attr("transB", 0)
    m, k = (1, 0) if transposed_a else (0, 1)
    rows, columns = (1, 0) if transposed_b else (0, 1)
    if result.perm != (0, 1):
        raise Refusal("Gemm cannot store its result transposed")
    if left.order(m) != result.order(0):
        raise Refusal("Gemm keeps the order of its rows")
    right = Layout((0, 1), orders((rows, left.order(k)), (columns, result.order(1))))
    flip = {"transA": 1 - transposed_a} if left.perm == (1, 0) else {}
    inputs = {0: left, 1: right}
    if node.has(IN(2)):
        inputs[2], _ = operand(node, 2, result)
    return node.move(inputs, {0: result}, attrs=flip)


def matmul(node: Node, left: Layout, result: Layout) -> Move:
    """As MatMul, for two operands of one rank or a matrix on the right."""
    if node.rank(IN(0)) < 2 or node.rank(IN(1)) not in (2, node.rank(IN(0))):
        raise Refusal(f"{node.op} broadcasts an operand of another rank")
    return broadcast_matmul(node, left, result)


def broadcast_matmul(node: Node, left: Layout, result: Layout) -> Move:
    """MatMul: batch axes may be stored in any order; with a matrix on the right so may the rows of the left."""
    ranks = node.rank(IN(0)), node.rank(IN(1))
    places = with_both_axes(result.perm, *ranks)
    m, n = len(places) - 2, len(places) - 1
    if places[-1] != n or (ranks[1] > 2 and places[-2] != m):
        raise Refusal("MatMul needs its last two axes last")
    if left.perm != perm.suffix(places, ranks[0]):
        raise Refusal("MatMul keeps the places of its rows and batches")
    rows = [(a, order) for a, order in left.orders if a != ranks[0] - 1]
    if rows != [(a, order) for a, order in result.orders if ranks[1] == 1 or a != len(result.perm) - 1]:
        raise Refusal("MatMul keeps the order of its rows and batches")
    if rows and ranks[1] > 2:
        raise Refusal("MatMul needs its batches in their original order")
    k, columns = left.order(ranks[0] - 1), result.order(len(result.perm) - 1) if ranks[1] > 1 else None
    right = Layout(perm.suffix(places, ranks[1]), orders((max(ranks[1] - 2, 0), k), (ranks[1] - 1, columns)))
    missing = {i: absent(places, rank) for i, rank in enumerate(ranks)}
    edits: dict[int, Edit] = {i: Expand(axes) for i, axes in missing.items() if axes}
    return node.move({0: left, 1: right}, {0: result}, edits=edits)


def with_both_axes(p: Perm, left: int, right: int) -> Perm:
    """The perm of a result that also has the axes which a vector on the left or on the right takes away."""
    rank = max(left, right, 2)
    if left == 1:
        p = tuple(b for a in p for b in ((a,) if a < rank - 2 else (a, a + 1)))
    return (*p, rank - 1) if right == 1 else p


def absent(places: Perm, rank: int) -> Perm:
    """The axes to insert in an operand of lower ``rank`` so that its batches are in their places."""
    axes = tuple(i for i, a in enumerate(places) if a < len(places) - rank)
    return axes if rank > 2 and axes != tuple(range(len(axes))) else ()


def orders(*pairs: tuple[int, Order | None]) -> tuple[tuple[int, Order], ...]:
    return tuple((axis, order) for axis, order in sorted(pairs, key=lambda pair: pair[0]) if order is not None)


register("Gemm", Rule(gemm, (IN(0), OUT(0)), "matmul", roles=False))
register("MatMul", Rule(broadcast_matmul, (IN(0), OUT(0)), "matmul", roles=False))
