"""Operators that treat every element alike: unary ones, and broadcasting ones."""

from passes.rules.api import (
    ANY,
    IN,
    OUT,
    Edit,
    Expand,
    Layout,
    Move,
    Node,
    Perm,
    Refusal,
    Rule,
    broadcast_axes,
    register,
)


def same(node: Node, layout: Layout) -> Move:
    """Input 0 and all outputs have one shape; further inputs are scalars or types."""
    return node.move({0: layout}, {j: layout for j in range(node.arity[1]) if node.has(OUT(j))})


def dropout(node: Node, layout: Layout) -> Move:
    """Dropout: the identity, unless input 2 says that this is training."""
    if node.has(IN(2)) and node.const(2).any():
        raise Refusal("Dropout in training mode chooses elements by their position")
    return same(node, layout)


def cast_like(node: Node, layout: Layout) -> Move:
    """CastLike: input 1 is read for its type only."""
    return node.move({0: layout, 1: ANY}, {0: layout})


def broadcast(node: Node, layout: Layout) -> Move:
    """All inputs broadcast to the output's shape, aligned at the last axis."""
    inputs: dict[int, Layout] = {}
    edits: dict[int, Edit] = {}
    for i in (i for i in range(node.arity[0]) if node.has(IN(i))):
        inputs[i], missing = operand(node, i, layout)
        if missing:
            edits[i] = Expand(missing)
    return node.move(inputs, {0: layout}, edits=edits)


def operand(node: Node, index: int, layout: Layout) -> tuple[Layout, Perm]:
    """Layout of a broadcast operand, and the axes to insert so that it aligns with ``layout``."""
    rank = node.rank(IN(index))
    lead = layout.rank - rank
    if lead < 0:
        raise Refusal(f"operand {node.value(IN(index))!r} has more axes than the output")
    own = layout.drop(range(lead))
    if layout.is_divided:
        shape = node.shape(IN(index))
        for axis in layout.lengths():
            if axis >= lead and not isinstance(shape[axis - lead], int):
                raise Refusal(f"whether {node.value(IN(index))!r} is broadcast along axis {axis} is unknown")
        own = own.natural_along(axis for axis, size in enumerate(shape) if size == 1)
    missing = tuple(i for i, a in enumerate(layout.axis_perm) if a < lead)
    aligned = missing == tuple(range(lead))
    return own, () if aligned or not rank else missing


SAME = Rule(same)
CAST_LIKE = Rule(cast_like)
BROADCAST = Rule(broadcast, (OUT(0),), labels=broadcast_axes)

register(
    """Abs Acos Acosh Asin Asinh Atan Atanh BitCast BitwiseNot Cast Ceil Celu Clip Cos Cosh Elu Erf Exp Floor
    Gelu HardSigmoid Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal RegexFullMatch Relu Round Selu
    Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu""",
    SAME,
)
register(
    """Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Mod Mul Or
    PRelu Pow StringConcat Sub Where Xor""",
    BROADCAST,
    since=7,  # before, the attributes ``broadcast`` and ``axis`` said how operands align
)
register("Max Mean Min Sum", BROADCAST)
register("CastLike", CAST_LIKE)
register("Dropout", Rule(dropout))
