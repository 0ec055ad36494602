"""Matrix products: an order along the contracted axis, or along the result's columns, is folded into the weight."""

from passes.layout import Layout
from passes.rule import IN, OUT, Move, Node, Refusal, Rule, register
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
    right = Layout((0, 1), orders(((rows, left.order(k)), (columns, result.order(1)))))
    flip = {"transA": 1 - transposed_a} if left.perm == (1, 0) else {}
    inputs = {0: left, 1: right}
    if node.has(IN(2)):
        inputs[2], _ = operand(node, 2, result)
    return node.move(inputs, {0: result}, attrs=flip)


def matmul(node: Node, left: Layout, result: Layout) -> Move:
    """MatMul: batch axes may be stored in any order; with a matrix on the right so may the rows of the left."""
    rank, other = node.rank(IN(0)), node.rank(IN(1))
    if rank < 2 or other < 2:
        raise Refusal("MatMul with a vector")
    if left.perm != result.perm or left.perm[-1] != rank - 1:
        raise Refusal("MatMul needs its last axis last")
    free = rank - 1 if other == 2 else rank - 2
    if left.perm[free:] != tuple(range(free, rank)):
        raise Refusal("MatMul needs its last two axes last")
    if other not in (2, rank):
        raise Refusal("MatMul broadcasts an operand of another rank")
    k, n = left.order(rank - 1), result.order(rank - 1)
    if [x for x in left.orders if x[0] != rank - 1] != [x for x in result.orders if x[0] != rank - 1]:
        raise Refusal("MatMul keeps the order of its rows and batches")
    if other == rank and any(axis < rank - 1 for axis, _ in left.orders) and rank > 2:
        raise Refusal("MatMul needs its batches in their original order")
    p = left.perm if other == rank else (0, 1)
    right = Layout(p, orders(((other - 2, k), (other - 1, n))))
    return node.move({0: left, 1: right}, {0: result})


def orders(pairs: tuple[tuple[int, object], ...]) -> tuple:  # type: ignore[type-arg]
    return tuple(sorted((axis, order) for axis, order in pairs if order is not None))


register("Gemm", Rule(gemm, (IN(0), OUT(0)), "matmul", roles=False))
register("MatMul", Rule(matmul, (IN(0), OUT(0)), "matmul", roles=False))
