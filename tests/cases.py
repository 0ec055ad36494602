"""The operators a rule exists for, as rows of a table: what the law (tests/test_law.py) is checked on.

An operand is a shape (an input computed elsewhere; ``"n2"`` is the symbol of an unknown size that is 2 when it runs), a
list (a constant vector of integers), an array (a constant), ``Fed`` (an input computed elsewhere, whose value matters)
or ``None`` (absent). Sizes differ and are prime, so that no wrong perm can hide; a composite one asks for *orders* of
the elements along its axis too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from string import ascii_lowercase
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

Array = NDArray[Any]
Dim = int | str
TOLERANCE = 1e-5  # of the largest result: for operators that do not compute exactly in integers


@dataclass(frozen=True, eq=False)
class Fed:
    """An input of the graph with this value."""

    value: Array


@dataclass(frozen=True)
class Of:
    """An input of the graph with this shape, and another element type than the case's."""

    dtype: DTypeLike
    shape: tuple[Dim, ...]


Operand = tuple[Dim, ...] | list[int] | Array | Fed | Of | None


@dataclass(frozen=True, eq=False)
class Case:
    """One node, its operands, and the perms its rule must accept (a key of ``test_law.ACCEPTS``, if not usual)."""

    op: str
    opset: int
    operands: tuple[Operand, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    dtype: DTypeLike = np.float32
    outputs: int = 1
    data: str = "ints"
    accepts: str = ""
    tolerance: float = 0.0
    out: tuple[Dim, ...] | None = None  # shape of the output, where it cannot be inferred
    domain: str = ""

    @property
    def label(self) -> str:
        attrs = [f"{key}={value}" for key, value in self.attrs.items()]
        parts = [f"{self.op}-{self.opset}", *map(_brief, self.operands), *attrs, np.dtype(self.dtype).name, self.data]
        return " ".join(parts).replace("float32", "").replace(" ints", "").strip()

    def model(self) -> ModelProto:
        named = {f"x{i}": operand for i, operand in enumerate(self.operands) if operand is not None}
        fed = {name: operand for name, operand in named.items() if not isinstance(operand, list | np.ndarray)}
        constant = {name: as_array(value) for name, value in named.items() if name not in fed}
        names = [f"x{i}" if operand is not None else "" for i, operand in enumerate(self.operands)]
        graph = helper.make_graph(
            [self._node(names)],
            "case",
            [helper.make_tensor_value_info(name, *self._declared(operand)) for name, operand in fed.items()],
            [ValueInfoProto(name=f"y{j}") for j in range(self.outputs)],
            [numpy_helper.from_array(value, name) for name, value in constant.items()],
        )
        if self.out is not None:
            graph.output[0].CopyFrom(helper.make_tensor_value_info("y0", element_type(self.dtype), self.out))
        return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", self.opset)])

    @property
    def sized(self) -> bool:
        """Whether the sizes of the operands' axes could be unknown, and the output's rank still be known."""
        return self.out is None and any(isinstance(operand, tuple) and operand for operand in self.operands)

    def dynamic(self) -> "Case":
        """The same case with a symbol for every size."""
        return replace(self, operands=tuple(map(_dynamic, self.operands, ascii_lowercase)))

    def feeds(self) -> dict[str, Array]:
        """Values of the graph's inputs; the same ones every time."""
        rng, feeds = np.random.default_rng(7), {}
        for i, operand in enumerate(self.operands):
            if isinstance(operand, Fed):
                feeds[f"x{i}"] = operand.value
            elif isinstance(operand, Of):
                feeds[f"x{i}"] = values(rng, sizes(operand.shape), operand.dtype, self.data)
            elif isinstance(operand, tuple):
                feeds[f"x{i}"] = values(rng, sizes(operand), self.dtype, self.data)
        return feeds

    def _node(self, names: list[str]) -> NodeProto:
        results = [f"y{j}" for j in range(self.outputs)]
        return helper.make_node(self.op, names, results, "node", domain=self.domain, **self.attrs)

    def _declared(self, operand: Operand) -> tuple[int, Sequence[Dim]]:
        if isinstance(operand, Fed):
            return element_type(operand.value.dtype), operand.value.shape
        if isinstance(operand, Of):
            return element_type(operand.dtype), operand.shape
        assert isinstance(operand, tuple)
        return element_type(self.dtype), operand


def element_type(dtype: DTypeLike) -> int:
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def as_array(operand: Operand) -> Array:
    return operand if isinstance(operand, np.ndarray) else np.asarray(operand, dtype=np.int64)


def sizes(shape: tuple[Dim, ...]) -> tuple[int, ...]:
    return tuple(int(dim[1:]) if isinstance(dim, str) else dim for dim in shape)


def values(rng: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike, kind: str) -> Array:
    """``ints``: all different, around 0; ``ties``: few different ones; ``unit``: between 0 and 1."""
    n = prod(shape)
    mixed: Array = rng.permutation(n).reshape(shape)
    if kind == "unit":
        mixed = (mixed + 0.5) / n
    elif kind == "ties" or np.dtype(dtype) == bool:
        mixed = mixed % (3 if kind == "ties" else 2)
    elif np.dtype(dtype).kind != "u":
        mixed = mixed - n // 2
    return np.asarray(mixed, dtype=dtype)


def W(*shape: int) -> Array:
    """A constant of small integers, all different."""
    return values(np.random.default_rng(len(shape)), shape, np.float32, "ints")


def P(*shape: int) -> Array:
    """A constant of positive integers, all different."""
    return values(np.random.default_rng(len(shape)), shape, np.uint8, "ints").astype(np.float32) + 1


def F(*numbers: float) -> Array:
    return np.asarray(numbers, dtype=np.float32)


def I(*numbers: int) -> Fed:  # noqa: E743
    """A vector of integers that is computed."""
    return Fed(np.asarray(numbers, dtype=np.int64))


def scalar(number: float, dtype: DTypeLike = np.float32) -> Array:
    return np.asarray(number, dtype=dtype)


def _dynamic(operand: Operand, letter: str) -> Operand:
    if isinstance(operand, Of):
        return Of(operand.dtype, symbols(operand.shape, letter))
    return symbols(operand, letter) if isinstance(operand, tuple) else operand


def symbols(shape: tuple[Dim, ...], letter: str) -> tuple[Dim, ...]:
    return tuple(f"{letter}{dim}" if isinstance(dim, int) else dim for dim in shape)


def _brief(operand: Operand) -> str:
    if isinstance(operand, np.ndarray):
        return f"const{operand.tolist() if operand.size < 9 else operand.shape}".replace(" ", "")
    if isinstance(operand, Fed):
        return f"fed{operand.value.dtype.name[0]}{operand.value.tolist()}".replace(" ", "")
    if isinstance(operand, Of):
        return f"{np.dtype(operand.dtype).name}{operand.shape}".replace(" ", "")
    return str(operand).replace(" ", "")


CASE_FIELDS = ("dtype", "outputs", "data", "accepts", "tolerance", "out")


def case(op: str, opset: int, *operands: Operand, **more: Any) -> Case:
    """A row; keyword arguments that are no field of Case are attributes of the node."""
    own = {key: more.pop(key) for key in CASE_FIELDS if key in more}
    return Case(op, opset, operands, more, **own)


def ops(names: str) -> list[str]:
    return names.split()


X3, X4, X5 = (2, 3, 5), (2, 3, 5, 7), (1, 2, 3, 5, 7)
O3, O4 = (2, 6, 5), (2, 30, 5, 7)  # with an axis whose elements may be in another order
ABOUT = {"data": "unit", "tolerance": TOLERANCE}
NOT_FINITE = np.asarray([0, np.inf, 1, -np.inf, np.nan, 2, 3] * 6, dtype=np.float32)
POSITIONS = np.arange(48).reshape(1, 2, 4, 6)[:, :, 1::2, ::2]  # of the largest element in windows of 2 x 2
REDUCTIONS = ops(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare"
)

UNARY = [
    *(case(op, 21, O3) for op in ops("Abs Ceil Floor HardSwish Identity LeakyRelu Neg Relu Round Sign Shrink")),
    *(case(op, 21, O3, **ABOUT) for op in ops("Acos Asin Asinh Atan Atanh Celu Cos Cosh Elu Erf Exp Gelu")),
    *(case(op, 21, O3, **ABOUT) for op in ops("HardSigmoid Log Mish Reciprocal Selu Sigmoid Sin Sinh Softplus")),
    *(case(op, 21, O3, **ABOUT) for op in ops("Softsign Sqrt Tan Tanh ThresholdedRelu")),
    case("Swish", 24, O3, **ABOUT),
    case("Acosh", 21, O3, tolerance=TOLERANCE),
    case("BitwiseNot", 21, O3, dtype=np.int32),
    case("Not", 21, O3, dtype=bool),
    case("IsInf", 21, Fed(NOT_FINITE.reshape(7, 6))),
    case("IsNaN", 21, Fed(NOT_FINITE.reshape(7, 6))),
    case("Relu", 21, X4),
    case("Relu", 21, X5),
    case("Relu", 21, ()),
    case("Relu", 6, ("n2", 3, "h5", "w7")),
    case("Cast", 21, O4, to=TensorProto.FLOAT16),
    case("Cast", 21, X4, to=TensorProto.INT32),
    case("CastLike", 21, O3, Of(np.int32, (11, 13))),
    case("CastLike", 21, X4, np.zeros((2, 3), dtype=np.int64)),
    case("Clip", 6, O3, min=-3.0, max=5.0),
    case("Clip", 13, X4, scalar(-9), scalar(11)),
    case("Clip", 13, O3, None, ()),
    case("Dropout", 10, O3, outputs=2),
    case("Dropout", 13, X4, scalar(0.5), scalar(False, bool), outputs=2),
]

BROADCAST = [
    *(case(op, 21, O3, (6, 1)) for op in ops("Add Sub Mul Max Mean Min Sum")),
    *(case(op, 21, O3, (6, 5), data="ties") for op in ops("Equal Greater GreaterOrEqual Less LessOrEqual")),
    *(case(op, 21, O3, (6, 5), dtype=bool) for op in ops("And Or Xor")),
    *(case(op, 21, O3, (6, 5), dtype=np.uint8) for op in ops("BitwiseAnd BitwiseOr BitwiseXor")),
    case("BitShift", 21, O3, (6, 5), dtype=np.uint8, data="ties", direction="LEFT"),
    case("Div", 21, O3, (6, 5), **ABOUT),
    case("Pow", 21, O3, (6, 5), **ABOUT),
    case("Mod", 21, O3, P(5), fmod=1),
    case("Add", 21, X4, X4),
    case("Add", 21, X4, (7,)),
    case("Add", 21, X4, (5, 7)),
    case("Add", 21, X4, (3, 1, 1)),
    case("Add", 21, (3, 1, 7), (2, 1, 5, 1)),
    case("Add", 12, X4, (3, 5, 1)),
    case("Add", 7, (5, 1), X4),
    case("Add", 21, X5, (3, 5, 7)),
    case("Add", 21, X4, ()),
    case("Add", 21, X4, F(2)),
    case("Add", 21, F(2), X4),
    case("Add", 21, X4, scalar(2)),
    case("Add", 21, X4, W(3, 1, 1)),
    case("Add", 21, X4, W(1, 3, 1, 1)),
    case("Add", 21, O4, W(30, 1, 7)),
    case("Add", 21, W(1, 30, 1, 1), (2, 1, 5, 7)),
    case("Add", 21, ("n2", 6, "h5"), ("n2", 6, 1)),
    case("Add", 21, ("n2", "c6", "h5"), (6, 5), accepts="all"),
    case("Max", 13, X3, (5,), W(3, 1), ()),
    case("Mean", 13, X3),
    case("Sum", 8, X4, (3, 5, 7), (5, 1)),
    case("Where", 21, Of(bool, (3, 1, 7)), X4, (5, 1)),
    case("Where", 21, Of(bool, O3), (6, 1), scalar(1)),
    case("PRelu", 21, X4, W(3, 1, 1)),
    case("PRelu", 9, X4, (3, 1, 1)),
    case("PRelu", 21, O4, W(30, 1, 1)),
    case("PRelu", 21, X4, F(2)),
]

AXIS = [
    *(case(op, 13, X4, **ABOUT) for op in ("Softmax", "LogSoftmax")),
    *(case(op, 21, O3, axis=1, **ABOUT) for op in ("Softmax", "LogSoftmax")),
    *(case(op, 13, X4, axis=axis, **ABOUT) for op in ("Softmax", "LogSoftmax") for axis in (0, -2)),
    *(case(op, 11, X4, axis=axis, accepts="some", **ABOUT) for op in ("Softmax", "LogSoftmax") for axis in (2, -1)),
    *(case(op, 11, O3, accepts="some", **ABOUT) for op in ("Softmax", "LogSoftmax")),
    case("Hardmax", 13, O3, axis=1, data="ties"),
    case("Hardmax", 13, O3, data="ties"),
    case("Hardmax", 11, O3, data="ties", accepts="none"),
    case("Hardmax", 11, X4, axis=2, data="ties", accepts="some"),
    case("Hardmax", 11, X4, axis=-1, data="ties", accepts="some"),
    case("Concat", 21, X4, (2, 11, 5, 7), axis=1),
    case("Concat", 21, (2, 6, 5), (2, 6, 7), W(2, 6, 3), axis=-1),
    case("Concat", 4, (6, 5), (7, 5), axis=0),
    case("Concat", 3, X3, (2, 7, 5), axis=1),
    case("Split", 2, (2, 10, 5, 7), axis=1, outputs=2),
    case("Split", 11, (2, 10, 7), axis=1, split=[3, 7], outputs=2),
    case("Split", 13, (6, 10, 7), [3, 7], axis=-2, outputs=2),
    case("Split", 13, (10, 3), I(3, 7), outputs=2),
    case("Split", 21, (2, 3, 11), axis=2, num_outputs=2, outputs=2),
    *(case(op, 13, O3, axis=axis, data="ties") for op in ("ArgMax", "ArgMin") for axis in (0, -1)),
    *(case(op, 13, X4, axis=1, keepdims=0, select_last_index=1, data="ties") for op in ("ArgMax", "ArgMin")),
    *(case(op, 11, X4, data="ties", keepdims=0) for op in ("ArgMax", "ArgMin")),
    case("Gather", 21, (6, 3, 7), np.asarray([[1, 0], [2, 2], [0, 1]]), axis=1),
    case("Gather", 21, X4, [4, 0], axis=-2),
    case("Gather", 21, X4, scalar(2, np.int64), axis=1),
    case("Gather", 1, (5, 6), Fed(np.asarray([[1, 0, 4]]))),
    case("Gather", 21, X4, Fed(np.asarray(1)), axis=3),
]

REDUCE = [
    *(case(op, 11, O3, axes=[0, -1], **ABOUT) for op in REDUCTIONS),
    *(case(op, 11, X4, axes=[1, 2], keepdims=0, **ABOUT) for op in REDUCTIONS),
    *(case(op, 18, O3, [0, 2], **ABOUT) for op in REDUCTIONS),
    *(case(op, 18, X4, [-1, 1], keepdims=0, **ABOUT) for op in REDUCTIONS),
    case("ReduceSum", 1, X4, axes=[1], keepdims=0),
    case("ReduceMax", 11, O3),
    case("ReduceMax", 11, O3, keepdims=0),
    case("ReduceSum", 13, O3),
    case("ReduceSum", 13, O3, keepdims=0),
    case("ReduceSum", 13, O3, noop_with_empty_axes=1),
    case("ReduceSum", 13, O3, noop_with_empty_axes=1, keepdims=0),
    case("ReduceSum", 13, O3, [], noop_with_empty_axes=1),
    case("ReduceSum", 13, X4, []),
    case("ReduceSum", 13, X4, I(-1, 1)),
    case("ReduceSum", 13, X4, I(1), keepdims=0, accepts="none"),
    case("ReduceMean", 18, (2, 6, 5, 7), [1, 2], keepdims=0, **ABOUT),
    case("ReduceMin", 20, (6, 10, 7), [1], keepdims=0),
]

MATMUL = [
    case("Gemm", 13, (6, 30), W(30, 10), accepts="some"),
    case("Gemm", 13, (6, 30), W(30, 10), W(10), accepts="some"),
    case("Gemm", 13, (30, 6), W(10, 30), W(6, 10), transA=1, transB=1, alpha=2.0, beta=3.0, accepts="some"),
    case("Gemm", 13, (3, 30), (10, 30), (3, 1), transB=1, accepts="some"),
    case("Gemm", 13, (30, 3), (30, 10), (10,), transA=1, accepts="some"),
    case("Gemm", 11, (3, 30), W(30, 10), F(7), accepts="some"),
    case("Gemm", 11, (3, 30), W(30, 10), scalar(7), accepts="some"),
    case("Gemm", 7, ("n3", 30), W(30, 10), ("n3", 10), accepts="some"),
    case("Gemm", 13, (3, 30), W(30, 10), ("k10",), accepts="some"),
    case("MatMul", 13, (6, 30), W(30, 10), accepts="some"),
    case("MatMul", 13, (2, 6, 30), W(30, 10), accepts="some"),
    case("MatMul", 13, (2, 3, 5, 6), W(6, 7), accepts="some"),
    case("MatMul", 13, (2, 3, 5, 7), (2, 3, 7, 6), accepts="some"),
    case("MatMul", 13, (2, 3, 5, 6), (1, 3, 6, 7), accepts="some"),
    case("MatMul", 13, (3, 6), (6, 5), accepts="some"),
]

SHAPES = [
    *(case("Flatten", 13, (2, 6, 5, 7), axis=axis, accepts="some") for axis in (0, 1, 2, -1, 4)),
    case("Flatten", 9, (6, 30, 5), accepts="some"),
    case("Flatten", 13, (2, 3, 1, 1), accepts="some"),
    case("Flatten", 13, (1, 3, 5, 7), accepts="all"),
    case("Flatten", 13, ("n2", 3, "h5"), accepts="some"),
    case("Flatten", 13, X5, axis=2, accepts="some"),
    case("Reshape", 13, X4, [0, 0, -1], accepts="some"),
    case("Reshape", 13, X4, [2, 105], accepts="some"),
    case("Reshape", 13, X4, [0, -1], accepts="some"),
    case("Reshape", 13, (2, 6, 5), [-1], accepts="some"),
    case("Reshape", 5, (2, 105), [2, 3, 5, 7], accepts="some"),
    case("Reshape", 13, (2, 105), [0, 3, -1, 7], accepts="some"),
    case("Reshape", 13, (2, 6, 5), [2, 2, 3, 5], accepts="some"),
    case("Reshape", 13, (2, 2, 3, 5), [0, -1, 5], accepts="some"),
    case("Reshape", 13, (2, 6, 35), [0, 2, 3, 5, 7], accepts="some"),
    case("Reshape", 13, (6, 35), [2, 15, 7], accepts="none"),
    case("Reshape", 13, (2, 15, 7), [6, 35], accepts="none"),
    case("Reshape", 13, (2, 15, 7), [6, 5, 7], accepts="some"),
    case("Reshape", 13, (2, 1, 3, 5), [2, 3, 1, 5], accepts="all"),
    case("Reshape", 13, (6, 5), [1, 6, 5, 1], accepts="all"),
    case("Reshape", 13, (1, 6, 1, 5), [6, 5], accepts="all"),
    case("Reshape", 13, (6, 1, 1, 5), [0, 5], accepts="all"),
    case("Reshape", 13, X4, [0, 0, 0, 0], accepts="all"),
    case("Reshape", 13, X4, [0, 0, 5, 7], accepts="all"),
    case("Reshape", 14, X4, [2, 15, 7], allowzero=1, accepts="some"),
    case("Reshape", 14, (0, 3, 5), [0, 15], allowzero=1, accepts="some"),
    case("Reshape", 14, (2, 15, 7), I(2, 15, 7), allowzero=1, out=(2, 15, 7), accepts="all"),
    case("Reshape", 14, X4, I(2, 15, 7), allowzero=1, out=(2, 15, 7), accepts="some"),
    case("Reshape", 14, X4, I(2, 15, 7), out=(2, 15, 7), accepts="none"),
    case("Reshape", 14, (2, 15, 7), I(2, 3, 5, 7), allowzero=1, out=X4, accepts="some"),
    case("Reshape", 13, ("n2", 3, "h5", "w7"), [0, 3, -1], accepts="some"),
    case("Reshape", 13, ("n2", 6, 5, 7), [0, -1], accepts="some"),
    case("Reshape", 13, ("n2", 6, 5, 7), [-1, 210], accepts="some"),
    case("Reshape", 13, ("n2", 6, "h5"), [0, 2, 3, -1], accepts="some"),
    case("Reshape", 13, ("n2", "h5", 6), [0, -1, 3, 2], accepts="some"),
    case("Reshape", 13, ("n2", 3, "h5"), [-1, 5], accepts="none"),
    case("Squeeze", 11, (2, 1, 6, 1, 5), axes=[1, -2]),
    case("Squeeze", 11, (2, 1, 5), axes=[1]),
    case("Squeeze", 13, (1, 6, 1, 5), [2, 0]),
    case("Squeeze", 13, (2, 3, 1, 5), [-2]),
    case("Squeeze", 13, (1, 6, 1, 5)),
    case("Squeeze", 11, (2, 1, 6)),
    case("Squeeze", 13, ("n2", 3, 1), out=("n2", 3), accepts="none"),
    case("Unsqueeze", 11, X3, axes=[1]),
    case("Unsqueeze", 11, (6, 5), axes=[0, -1]),
    case("Unsqueeze", 13, (6, 5), [3, 0]),
    case("Unsqueeze", 13, X3, [-2]),
    case("Unsqueeze", 13, (), [0, 1]),
    case("Unsqueeze", 13, (1, 3), [], accepts="none"),
    case("Transpose", 13, O3, perm=[2, 0, 1]),
    case("Transpose", 13, X4, perm=[0, 2, 3, 1]),
    case("Transpose", 13, O4, perm=[3, 1, 0, 2]),
    case("Transpose", 1, O3),
    case("Shape", 21, O4),
    case("Shape", 1, ("n2", 3, "h5")),
    case("Shape", 15, X4, start=1),
    case("Shape", 15, X4, start=-3, end=-1),
    case("Shape", 15, X4, start=0, end=2),
    case("Shape", 15, X4, start=3, end=1),
    case("Size", 21, O4),
]

PER_AXIS = [
    case("Tile", 13, X4, [1, 2, 3, 1]),
    case("Tile", 6, X3, I(2, 1, 3)),
    case("Pad", 2, X4, pads=[0, 1, 2, 3, 4, 0, 1, 2]),
    case("Pad", 2, X4, pads=[0, 0, 1, 2, 0, 0, 3, 4], mode="edge"),
    case("Pad", 11, X3, [0, 1, 2, 3, 4, 5]),
    case("Pad", 13, X4, [0, 1, 2, 3, 4, 0, 1, 2], scalar(7)),
    case("Pad", 13, X4, [0, 0, 1, 2, 0, 0, 3, 4], mode="reflect"),
    case("Pad", 13, X4, [0, 0, 1, 2, 0, 0, 3, 4], mode="edge"),
    case("Pad", 13, X4, [0, -1, 2, -3, 0, 1, -2, 4]),
    case("Pad", 13, X3, I(0, 1, 2, 3, 4, 5), ()),
    case("Pad", 18, X4, [1, 2, 3, 4], None, [1, -1]),
    case("Pad", 18, X4, [1, 2, 3, 4], scalar(7), [3, 2]),
    case("Pad", 18, X4, [1, 2], None, [2], mode="edge"),
    case("Pad", 18, X4, I(1, 2, 3, 4), None, [1, -1], accepts="none"),
    case("Pad", 19, X4, [0, 1, 2, 3, 4, 0, 1, 2], mode="wrap"),
    case("Slice", 1, X4, starts=[1, 0], ends=[3, -1], axes=[1, -1]),
    case("Slice", 1, X4, starts=[0, 1], ends=[2, 3]),
    case("Slice", 10, X4, [1, 2], [3, 9], [1, 3]),
    case("Slice", 13, X4, [0, 1, -4], [2, 3, -1]),
    case("Slice", 13, X4, np.asarray([0, 1], np.int32), np.asarray([2, 3], np.int32)),
    case("Slice", 13, X4, [-1, 1], [-9, 3], [-1, 1], [-2, 1]),
    case("Slice", 13, X4, [1], [3], None, [1]),
    case("Slice", 13, X4, I(1, 2), I(3, 9), [1, 3]),
    case("Slice", 13, X4, I(1, 2), I(3, 9), I(1, 3), I(1, 2)),
    case("Slice", 13, X4, I(1, 2), I(3, 9)),
    case("Expand", 13, (1, 3, 1, 7), [2, 1, 5, 1]),
    case("Expand", 13, (3, 6, 1), [5]),
    case("Expand", 8, (3, 6, 1), I(3, 1, 5), out=(3, 6, 5)),
    case("Expand", 13, (3, 1), [2, 3, 5], accepts="none"),
    case("ConstantOfShape", 9, [2, 3, 5]),
    case("ConstantOfShape", 21, I(2, 3, 5, 7), out=X4),
    case("Upsample", 7, X4, scales=[1.0, 1.0, 2.0, 3.0]),
    case("Upsample", 9, X4, F(1, 1, 2, 3), accepts="spatial"),
    case("Upsample", 9, (2, 3, 5), F(2, 1, 3), accepts="all"),
    case("Upsample", 9, X4, Fed(F(1, 1, 2, 3)), out=(2, 3, 10, 21), accepts="spatial"),
]

SPATIAL = [
    case("Conv", 11, (2, 3, 11), W(5, 3, 2), W(5), pads=[1, 2], strides=[2]),
    case("Conv", 11, (1, 3, 11, 13), W(5, 3, 2, 3), W(5), pads=[0, 1, 2, 3], strides=[2, 3], dilations=[3, 2]),
    case("Conv", 11, (2, 6, 7, 5), W(10, 3, 3, 2), group=2, kernel_shape=[3, 2]),
    case("Conv", 11, (2, 5, 7, 11), W(10, 1, 2, 3), W(10), group=5),
    case("Conv", 11, (1, 3, 7, 11), W(5, 3, 2, 3), auto_pad="SAME_UPPER", strides=[2, 3]),
    case("Conv", 11, (1, 3, 7, 11), W(5, 3, 2, 4), auto_pad="SAME_LOWER"),
    case("Conv", 11, (1, 3, 7, 11), W(5, 3, 2, 3), auto_pad="VALID"),
    case("Conv", 1, (1, 3, 7, 11), (5, 3, 2, 3), (5,)),
    case("Conv", 22, ("n2", 3, "h7", "w11"), W(5, 3, 2, 3), None),
    case("Conv", 11, (1, 2, 5, 7, 11), W(3, 2, 2, 3, 4), W(3), pads=[0, 1, 2, 3, 1, 0], strides=[1, 2, 3]),
    case("ConvTranspose", 11, (2, 3, 5), W(3, 7, 2), W(7), strides=[2], pads=[1, 0]),
    case("ConvTranspose", 11, (1, 3, 5, 7), W(3, 2, 2, 3), W(2), strides=[3, 2], output_padding=[2, 1]),
    case("ConvTranspose", 11, (1, 3, 5, 7), W(3, 2, 2, 3), strides=[2, 3], output_shape=[11, 22]),
    case("ConvTranspose", 11, (1, 6, 5, 7), W(6, 5, 2, 3), group=2, dilations=[2, 3], pads=[1, 0, 2, 1]),
    case("ConvTranspose", 1, (1, 3, 5, 7), (3, 2, 2, 3), (2,)),
    case("ConvTranspose", 11, (1, 2, 3, 5, 7), W(2, 3, 2, 3, 1), strides=[2, 1, 3]),
    case("AveragePool", 11, (2, 3, 11), kernel_shape=[3], strides=[2], tolerance=TOLERANCE),
    case("AveragePool", 11, (2, 3, 7, 11), kernel_shape=[2, 3], pads=[0, 1, 1, 2], tolerance=TOLERANCE),
    case("AveragePool", 19, (2, 3, 7, 11), kernel_shape=[2, 4], pads=[0, 1, 1, 2], count_include_pad=1,
         dilations=[3, 2], tolerance=TOLERANCE),
    case("AveragePool", 19, (2, 3, 7, 11), kernel_shape=[2, 3], strides=[3, 2], ceil_mode=1, tolerance=TOLERANCE),
    case("AveragePool", 11, (1, 2, 5, 7, 11), kernel_shape=[2, 1, 3], tolerance=TOLERANCE),
    case("MaxPool", 11, (2, 3, 11), kernel_shape=[3], strides=[2]),
    case("MaxPool", 12, (2, 3, 7, 11), kernel_shape=[2, 3], strides=[3, 2], ceil_mode=1),
    case("MaxPool", 12, (2, 3, 7, 11), kernel_shape=[2, 3], pads=[0, 1, 1, 2], dilations=[3, 2]),
    case("MaxPool", 12, (2, 3, 7, 11), kernel_shape=[2, 3], auto_pad="SAME_UPPER"),
    case("MaxPool", 12, (2, 3, 4, 6), kernel_shape=[2, 3], strides=[2, 3], outputs=2, accepts="still"),
    case("MaxPool", 12, (1, 2, 5, 7, 11), kernel_shape=[2, 1, 3], strides=[1, 2, 3]),
    case("MaxUnpool", 11, (1, 2, 2, 3), Fed(POSITIONS), kernel_shape=[2, 2], strides=[2, 2],
         accepts="still"),
    case("MaxUnpool", 11, (1, 2, 2, 3), Fed(POSITIONS), [1, 2, 4, 7], kernel_shape=[2, 2],
         strides=[2, 2], accepts="still"),
    case("MaxUnpool", 11, (1, 2, 2, 3), Fed(POSITIONS), I(1, 2, 4, 7), kernel_shape=[2, 2],
         strides=[2, 2], out=(1, 2, 4, 7), accepts="still"),
    case("LpPool", 18, (2, 3, 7, 11), kernel_shape=[2, 3], p=3, pads=[0, 1, 1, 2], **ABOUT),
    case("LpPool", 11, (2, 3, 7), kernel_shape=[2], strides=[2], **ABOUT),
    *(case(op, 13, shape, tolerance=TOLERANCE) for op in ("GlobalAveragePool", "GlobalMaxPool") for shape in (X3, X4)),
    case("GlobalLpPool", 13, X4, **ABOUT),
    case("GlobalLpPool", 13, X3, p=3, **ABOUT),
    case("GlobalAveragePool", 13, X5, tolerance=TOLERANCE),
    case("DepthToSpace", 13, (1, 12, 3, 5), blocksize=2, accepts="still"),
    case("DepthToSpace", 13, (1, 12, 3, 5), blocksize=2, mode="CRD", accepts="still"),
    case("DepthToSpace", 1, (1, 8, 3, 5), blocksize=2, accepts="still"),
    case("SpaceToDepth", 13, (1, 3, 4, 10), blocksize=2, accepts="still"),
    case("Resize", 10, X4, F(1, 1, 2, 3)),
    case("Resize", 11, X4, F(), F(1, 1, 2, 3)),
    case("Resize", 13, X4, None, F(1, 1, 2, 3), mode="linear", tolerance=TOLERANCE),
    case("Resize", 13, X4, None, None, [2, 3, 9, 11], mode="linear", tolerance=TOLERANCE),
    case("Resize", 13, X4, F(), F(), [2, 3, 9, 11], coordinate_transformation_mode="align_corners", mode="cubic",
         tolerance=TOLERANCE),
    case("Resize", 19, X4, None, F(1, 1, 2.5, 0.6), coordinate_transformation_mode="asymmetric",
         nearest_mode="floor"),
    case("Resize", 18, X4, None, None, [9, 11], axes=[2, 3], accepts="none"),
    case("Resize", 19, X4, None, None, [2, 3, 9, 11], keep_aspect_ratio_policy="not_larger"),
    case("Resize", 13, X4, None, Fed(F(1, 1, 2, 3)), out=(2, 3, 10, 21)),
    case("Resize", 13, X4, None, None, I(2, 3, 9, 11), out=(2, 3, 9, 11)),
    case("Resize", 13, X4, None, F(2, 1, 3, 1), accepts="all"),
    case("Resize", 13, X4, F(0, 0, 0.25, 0, 1, 1, 0.75, 1), F(1, 1, 2, 3), mode="linear", accepts="region",
         coordinate_transformation_mode="tf_crop_and_resize", tolerance=TOLERANCE),
    case("Resize", 13, ("n2", 3, "h5", "w7"), None, F(1, 1, 2, 3), mode="linear", tolerance=TOLERANCE),
    case("Resize", 13, X3, None, F(1, 1, 3), mode="linear", tolerance=TOLERANCE),
    case("Resize", 13, X5, None, F(1, 1, 2, 1, 3)),
]  # fmt: skip

NORMS = [
    case("BatchNormalization", 15, (2, 6, 5, 7), P(6), W(6), W(6), P(6), tolerance=TOLERANCE, accepts="all"),
    case("BatchNormalization", 9, X4, P(3), W(3), W(3), P(3), epsilon=1e-3, tolerance=TOLERANCE, accepts="all"),
    case("BatchNormalization", 7, X4, P(3), W(3), W(3), P(3), spatial=1, tolerance=TOLERANCE, accepts="all"),
    case("BatchNormalization", 15, (5, 6), P(6), W(6), W(6), P(6), tolerance=TOLERANCE, accepts="all"),
    case("BatchNormalization", 15, X3, P(3), W(3), W(3), P(3), tolerance=TOLERANCE, accepts="all"),
    case("BatchNormalization", 15, X5, P(2), W(2), W(2), P(2), tolerance=TOLERANCE, accepts="all"),
    case("BatchNormalization", 15, (2, 6, 5), (6,), (6,), (6,), (6,), accepts="some", **ABOUT),
    case("BatchNormalization", 15, X4, P(3), W(3), W(3), P(3), training_mode=1, outputs=3, accepts="none"),
    case("BatchNormalization", 7, X3, P(3, 5), W(3, 5), W(3, 5), P(3, 5), spatial=0, accepts="none"),
    case("InstanceNormalization", 6, X4, W(3), W(3), accepts="norm", **ABOUT),
    case("InstanceNormalization", 6, X3, (3,), W(3), accepts="norm", **ABOUT),
    case("GroupNormalization", 21, (2, 6, 5, 7), W(6), W(6), num_groups=3, accepts="norm", **ABOUT),
    case("GroupNormalization", 18, (2, 6, 5), W(3), W(3), num_groups=3, accepts="norm", **ABOUT),
    case("LRN", 13, (2, 7, 3, 5), size=3, alpha=0.5, accepts="norm", **ABOUT),
    case("LRN", 1, (1, 5, 3, 2), size=5, accepts="norm", **ABOUT),
]

CASES = [*UNARY, *BROADCAST, *AXIS, *REDUCE, *MATMUL, *SHAPES, *PER_AXIS, *SPATIAL, *NORMS]
