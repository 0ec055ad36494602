"""A row of the tables: one node with its operands, what the law (tests/rules/law.py) is checked on.

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
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

from tests.support.edges import edged

Array = NDArray[Any]
Dim = int | str
TOLERANCE = 1e-5  # of the largest result: for operators that do not compute exactly in integers


@dataclass(frozen=True, eq=False)
class Fed:
    """An input of the graph with this value; unless it is ``ranked``, its rank is not told."""

    value: Array
    ranked: bool = True


@dataclass(frozen=True)
class Of:
    """An input of the graph with this shape, and another element type than the case's."""

    dtype: DTypeLike
    shape: tuple[Dim, ...]


Operand = tuple[Dim, ...] | list[int] | Array | Fed | Of | None


@dataclass(frozen=True, eq=False)
class Case:
    """One node, its operands, and the perms its rule must accept (a kind of ``accepts.py``, if not usual)."""

    op: str
    opset: int  # of ai.onnx, also where ``domain`` is another one
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
        imports = [helper.make_opsetid("", self.opset)]
        imports += [helper.make_opsetid(self.domain, 1)] if self.domain else []
        return helper.make_model(graph, ir_version=10, opset_imports=imports)

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

    def at_edges(self, endless: bool) -> dict[str, Array]:
        """The same with ties, zeros, denormals and, if ``endless``, infinities and NaN; what is ``Fed`` stays."""
        rng = np.random.default_rng(11)
        fed = {f"x{i}" for i, operand in enumerate(self.operands) if isinstance(operand, Fed)}
        return {name: array if name in fed else edged(array, rng, endless) for name, array in self.feeds().items()}

    def _node(self, names: list[str]) -> NodeProto:
        results = [f"y{j}" for j in range(self.outputs)]
        return helper.make_node(self.op, names, results, "node", domain=self.domain, **self.attrs)

    def _declared(self, operand: Operand) -> tuple[int, Sequence[Dim] | None]:
        if isinstance(operand, Fed):
            return element_type(operand.value.dtype), operand.value.shape if operand.ranked else None
        if isinstance(operand, Of):
            return element_type(operand.dtype), operand.shape
        assert isinstance(operand, tuple)
        return element_type(self.dtype), operand


def element_type(dtype: DTypeLike) -> int:
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def as_array(operand: Operand) -> Array:
    return operand if isinstance(operand, np.ndarray) else np.asarray(operand, dtype=np.int64)


def shape_of(operand: Operand) -> tuple[Dim, ...]:
    if operand is None:
        return ()
    if isinstance(operand, tuple):
        return operand
    return (
        operand.shape
        if isinstance(operand, Of)
        else as_array(operand.value if isinstance(operand, Fed) else operand).shape
    )


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
        value, how = operand.value, "fed" if operand.ranked else "hidden"
        return f"{how}{value.dtype.name[0]}{value.tolist() if value.size < 15 else value.shape}".replace(" ", "")
    if isinstance(operand, Of):
        return f"{np.dtype(operand.dtype).name}{operand.shape}".replace(" ", "")
    return str(operand).replace(" ", "")


CASE_FIELDS = ("dtype", "outputs", "data", "accepts", "tolerance", "out", "domain")


def case(op: str, opset: int, /, *operands: Operand, **more: Any) -> Case:
    """A row; keyword arguments that are no field of Case are attributes of the node."""
    own = {key: more.pop(key) for key in CASE_FIELDS if key in more}
    return Case(op, opset, operands, more, **own)


def ops(names: str) -> list[str]:
    return names.split()


X3, X4, X5 = (2, 3, 5), (2, 3, 5, 7), (1, 2, 3, 5, 7)
O3, O4 = (2, 6, 5), (2, 30, 5, 7)  # with an axis whose elements may be in another order
ABOUT = {"data": "unit", "tolerance": TOLERANCE}
