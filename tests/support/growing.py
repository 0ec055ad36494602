"""Random graphs, grown node by node; every node is run as it is added, so that only valid ones stay.

Numbers are small multiples of a power of two, so that sums and products are exact in any order of summation and
results can be compared bit for bit. A node whose results are not becomes a leaf: an output that nobody reads.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

from tests.support.engines import disabled

Array = NDArray[Any]
# Of an operator without a rule. The model says what it does, but functions of a runtime's domains are not taken apart
DOMAIN = "com.microsoft.odd"
OPSETS = range(9, 25)
STYLES = ("shapes", "no shapes", "symbols")
IR_VERSION = 10
STEP, MOST = 2.0**-4, 1024.0  # the finest and the largest number that counts as exact
SMALL = 8.0  # operands of products
ELEMENTS = 5000
SHAPES = (
    (), (3,), (1, 5), (3, 3), (6, 4), (2, 3, 5), (1, 4, 6), (4, 1, 4), (2, 2, 2), (2, 3, 5, 7), (1, 3, 5, 7),
    (2, 6, 4, 1), (1, 2, 6, 4), (2, 4, 4, 4), (1, 4, 2, 3), (1, 8, 3, 2), (2, 3, 4, 5, 2), (1, 2, 3, 3, 4),
    (1, 2, 1, 3, 2, 2),
)  # fmt: skip


class Nothing(Exception):
    """No value of the graph fits what a maker needs."""


def odd(opset: int) -> Any:
    """A model-local function."""
    body = [helper.make_node("Neg", ["x"], ["y"])]
    return helper.make_function(DOMAIN, "Odd", ["x"], ["y"], body, [helper.make_opsetid("", opset)])


def declared(name: str, array: Array, dims: Sequence[int | str | None] | None = None) -> ValueInfoProto:
    dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, dtype, array.shape if dims is None else dims)


def is_exact(array: Array) -> bool:
    if array.dtype.kind != "f":
        return array.dtype.kind == "b" or not array.size or abs(int(array.max())) + abs(int(array.min())) < MOST
    scaled = array.astype(np.float64) / STEP
    return bool(np.all(np.abs(array) <= MOST) and np.all(scaled == np.round(scaled)))


@dataclass
class Growing:
    """A graph as it grows: its values, those nobody may read, its constants, and a source of choices."""

    rng: np.random.Generator
    opset: int
    prefix: str = ""
    values: dict[str, Array] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    leaves: dict[str, Array] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)

    def below(self, n: int) -> int:
        if n < 1:
            raise Nothing
        return int(self.rng.integers(n))

    def pick(self, items: Sequence[Any]) -> Any:
        return items[self.below(len(items))]

    def numbers(self, shape: Sequence[int]) -> Array:
        """Whole numbers as float32."""
        return self.rng.integers(-3, 4, shape).astype(np.float32)

    def constant(self, array: Array) -> str:
        """A constant, where it can one that others read, too."""
        for name, other in self.constants.items():
            if other.dtype == array.dtype and np.array_equal(other, array):
                return name
        name = f"{self.prefix}k{len(self.constants)}"
        self.constants[name] = array
        return name

    def weights(self, *shape: int) -> str:
        alike = [n for n, a in self.constants.items() if a.shape == shape and a.dtype == np.float32]
        return str(self.pick(alike)) if alike and self.below(2) else self.constant(self.numbers(shape))

    def ints(self, values: int | Sequence[int]) -> str:
        return self.constant(np.asarray(values, dtype=np.int64))

    def value(self, fits: Callable[[Array], bool] = lambda array: True, kind: str = "f") -> str:
        """A value of an element kind (``numpy.dtype.kind``), of late rather than of old."""
        names = [name for name, array in self.values.items() if array.dtype.kind in kind and fits(array)]
        if not names:
            raise Nothing
        return str(self.pick(names[-4:]))

    def small(self, fits: Callable[[Array], bool] = lambda array: True) -> str:
        """A value that may be multiplied."""
        return self.value(lambda array: fits(array) and bool(np.all(np.abs(array) <= SMALL)))

    def shape(self, name: str) -> tuple[int, ...]:
        return self.known(name).shape

    def known(self, name: str) -> Array:
        return self.values[name] if name in self.values else self.constants[name]

    def axis(self, name: str) -> int:
        """An axis of a value, at times counted from the end."""
        rank = len(self.shape(name))
        if not rank:
            raise Nothing
        return self.below(rank) - (rank if self.opset >= 13 and not self.below(4) else 0)

    def add(self, op: str, inputs: Sequence[str], outputs: int = 1, **attrs: Any) -> list[str]:
        """Add a node, if it runs; raises Nothing if not."""
        names = [f"{self.prefix}v{len(self.nodes)}_{j}" for j in range(outputs)]
        if any(value == [] for value in attrs.values()):
            raise Nothing
        return self.append(
            helper.make_node(op, inputs, names, self.pick(["", f"{self.prefix}n{len(self.nodes)}"]), **attrs)
        )

    def append(self, node: NodeProto) -> list[str]:
        results = dict(zip(node.output, self.results(node), strict=True))
        if any(array.size > ELEMENTS or not array.size for array in results.values()):
            raise Nothing
        self.nodes.append(node)
        (self.values if all(map(is_exact, results.values())) else self.leaves).update(results)
        return list(node.output)

    def results(self, node: NodeProto) -> list[Array]:
        read = {name for name in reads(node) if name in self.values or name in self.constants}
        feeds = {name: self.values[name] for name in sorted(read) if name in self.values}
        graph = helper.make_graph(
            [node], "one", [declared(name, array) for name, array in feeds.items()],
            [ValueInfoProto(name=name) for name in node.output],
            [numpy_helper.from_array(self.constants[name], name) for name in sorted(read) if name not in feeds],
        )  # fmt: skip
        try:
            return disabled(modelled(graph, self.opset), feeds)
        except Exception as error:  # onnxruntime's errors have no narrower base
            raise Nothing from error

    def grow(self, makers: Sequence[Callable[["Growing"], Any]], wanted: int) -> None:
        """Add nodes until there are as many as wanted; what does not fit is tried some times only."""
        for _ in range(10 * wanted):
            if len(self.nodes) >= wanted:
                return
            with suppress(Nothing):
                self.pick(makers)(self)


def reads(node: NodeProto) -> set[str]:
    """Names that a node reads, in its bodies too (where names are unique)."""
    names = set(node.input) - {""}
    for body in (attr.g for attr in node.attribute if attr.type == AttributeProto.GRAPH):
        names |= {value.name for value in body.output}
        for inner in body.node:
            names |= reads(inner)
    return names


def modelled(graph: GraphProto, opset: int) -> ModelProto:
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=[odd(opset)], ir_version=IR_VERSION)


@dataclass(frozen=True)
class Sample:
    """A model, its inputs, and by name its results and whether these are exact."""

    model: ModelProto
    feeds: dict[str, Array]
    results: dict[str, Array]
    exact: frozenset[str]


def grown(
    seed: int, most: int, makers: Sequence[Callable[[Growing], Any]], opset: int | None = None, style: str = ""
) -> Sample:
    """A graph of about ``most`` nodes at most; every value that nobody reads is an output.

    ``opset``, ``style`` (of ``STYLES``): a random one, if none is asked for.
    """
    rng = np.random.default_rng(seed)
    drawn = int(rng.integers(OPSETS.start, OPSETS.stop))
    g = Growing(rng, opset or drawn)
    feeds = {f"x{i}": g.numbers(g.pick(SHAPES[3:] if i == 0 else SHAPES)) for i in range(1 + g.below(3))}
    g.values.update(feeds)
    g.grow(makers, 2 + g.below(most - 1))
    read = {name for node in g.nodes for name in reads(node)}
    made = {name: array for name, array in (g.values | g.leaves).items() if name not in feeds}
    results = {name: array for name, array in made.items() if name not in read or not g.below(8)}
    return Sample(assembled(g, feeds, results, style), feeds, results, frozenset(g.values))


def assembled(g: Growing, feeds: Mapping[str, Array], results: Mapping[str, Array], style: str) -> ModelProto:
    """The model: constants as initializers or nodes, with the shapes of all values, of none, or symbols for sizes."""
    style, as_nodes = style or g.pick(STYLES), not g.below(4)
    if style == "symbols" and g.opset == 10:
        style = "no shapes"  # onnxruntime plans its memory by onnx's inference, which is wrong on Slice-10 of symbols
    nodes = list(g.nodes)
    if as_nodes:
        held = {name: numpy_helper.from_array(array, name) for name, array in g.constants.items()}
        nodes = [helper.make_node("Constant", [], [name], value=tensor) for name, tensor in held.items()] + nodes

    def dims(array: Array) -> list[int | str]:
        return [f"d{d}" if style == "symbols" and g.below(2) else d for d in array.shape]

    graph = helper.make_graph(
        nodes, "grown", [declared(name, array, dims(array)) for name, array in feeds.items()],
        [declared(name, array, [None] * array.ndim if style == "symbols" else None) for name, array in results.items()],
        [] if as_nodes else [numpy_helper.from_array(array, name) for name, array in g.constants.items()],
    )  # fmt: skip
    if style == "shapes":
        graph.value_info.extend(declared(n, a) for n, a in g.values.items() if n not in feeds and n not in results)
    return modelled(graph, g.opset)
