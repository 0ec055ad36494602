"""Random small graphs. Every operator is a function from the values so far to a node, or ``None`` if none fits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper

from tests.support.graphs import FLOAT, Array, ints, model, value

Shape = tuple[int, ...]
DOMAIN = "custom"  # of an operator without a rule; the model says what it does
ODD = helper.make_function(
    DOMAIN, "Odd", ["x"], ["y"], [helper.make_node("Neg", ["x"], ["y"])], [helper.make_opsetid("", 17)]
)
INPUTS = ((2, 3, 5, 7), (1, 3, 5, 7), (2, 6, 4, 1), (1, 2, 6, 4), (2, 3, 5), (1, 4, 6))


@dataclass
class Growing:
    """A graph as it grows: its values by shape, and a source of choices."""

    rng: np.random.Generator
    shapes: dict[str, Shape] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)

    def pick(self, items: Sequence[Any]) -> Any:
        return items[int(self.rng.integers(len(items)))]

    def below(self, n: int) -> int:
        return int(self.rng.integers(n))

    def constant(self, array: Array) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = array
        return name

    def floats(self, *shape: int) -> str:
        return self.constant(self.rng.standard_normal(shape).astype(np.float32))

    def value(self, fits: Callable[[Shape], bool] = lambda shape: True) -> str | None:
        """A value, of late rather than of old."""
        names = [name for name, shape in self.shapes.items() if fits(shape)]
        return self.pick(names[-3:]) if names else None

    def add(self, op: str, inputs: Sequence[str], *shapes: Shape, **attrs: Any) -> None:
        outputs = [f"v{len(self.nodes)}_{j}" for j in range(len(shapes))]
        self.nodes.append(helper.make_node(op, inputs, outputs, f"n{len(self.nodes)}", **attrs))
        self.shapes.update(zip(outputs, shapes, strict=True))


def is_image(shape: Shape) -> bool:
    return len(shape) in (3, 4)


def unary(g: Growing) -> None:
    x = g.value()
    g.add(g.pick(["Relu", "Sigmoid", "Identity"]), [x], g.shapes[x])


def odd(g: Growing) -> None:
    x = g.value()
    g.add("Odd", [x], g.shapes[x], domain=DOMAIN)


def add(g: Growing) -> None:
    x = g.value()
    shape = g.shapes[x]
    others = [name for name, other in g.shapes.items() if other == shape]
    small = shape[g.below(len(shape) + 1) :]
    constant = g.floats(*(d if g.below(2) else 1 for d in small))
    g.add("Add", g.pick([[x, g.pick(others)], [constant, x]]), shape)


def concat(g: Growing) -> None:
    x = g.value()
    shape, axis = g.shapes[x], g.below(len(g.shapes[x]))

    def beside(other: Shape) -> bool:
        return len(other) == len(shape) and (*other[:axis], *other[axis + 1 :]) == (*shape[:axis], *shape[axis + 1 :])

    y = g.value(beside)
    g.add("Concat", [x, y], (*shape[:axis], shape[axis] + g.shapes[y][axis], *shape[axis + 1 :]), axis=axis)


def conv(g: Growing) -> None:
    x = g.value(is_image)
    if x is not None:
        batch, channels, *sizes = g.shapes[x]
        out = g.pick([2, 3, 5])
        g.add("Conv", [x, g.floats(out, channels, *(1 for _ in sizes))], (batch, out, *sizes))


def transpose(g: Growing) -> None:
    x = g.value()
    shape = g.shapes[x]
    p = g.rng.permutation(len(shape)).tolist()
    g.add("Transpose", [x], tuple(shape[i] for i in p), perm=p)


def softmax(g: Growing) -> None:
    x = g.value()
    g.add("Softmax", [x], g.shapes[x], axis=g.below(len(g.shapes[x])))


def reduce(g: Growing) -> None:
    x = g.value(lambda shape: len(shape) > 1)
    if x is None:
        return
    shape, keep = g.shapes[x], g.below(2)
    axes = sorted(g.rng.permutation(len(shape))[: 1 + g.below(len(shape) - 1)].tolist())
    rest = tuple(1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes)
    g.add("ReduceMax", [x], rest, axes=axes, keepdims=keep)


def flatten(g: Growing) -> None:
    x = g.value(lambda shape: len(shape) > 2)
    if x is not None:
        axis = 1 + g.below(len(g.shapes[x]) - 1)
        rows, columns = (int(np.prod(part)) for part in (g.shapes[x][:axis], g.shapes[x][axis:]))
        g.add("Flatten", [x], (rows, columns), axis=axis)


def gemm(g: Growing) -> None:
    x = g.value(lambda shape: len(shape) == 2)
    if x is not None:
        rows, columns = g.shapes[x]
        g.add("Gemm", [x, g.floats(columns, 3), g.floats(3)], (rows, 3))


def matmul(g: Growing) -> None:
    x = g.value(lambda shape: len(shape) > 1)
    if x is not None:
        g.add("MatMul", [x, g.floats(g.shapes[x][-1], 4)], (*g.shapes[x][:-1], 4))


def merge(g: Growing) -> None:
    """Reshape two neighbours into one axis."""
    x = g.value(lambda shape: len(shape) > 1)
    if x is not None:
        shape = g.shapes[x]
        at = g.below(len(shape) - 1)
        target = (*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :])
        g.add("Reshape", [x, g.constant(ints(*target))], target)


def split_axis(g: Growing) -> None:
    """Reshape one even axis into two."""
    x = g.value(lambda shape: len(shape) < 5 and any(d % 2 == 0 for d in shape))
    if x is not None:
        shape = g.shapes[x]
        at = g.pick([i for i, d in enumerate(shape) if d % 2 == 0])
        target = (*shape[:at], 2, shape[at] // 2, *shape[at + 1 :])
        g.add("Reshape", [x, g.constant(ints(*target))], target)


def pad(g: Growing) -> None:
    x = g.value()
    shape = g.shapes[x]
    pads = g.rng.integers(0, 2, 2 * len(shape)).tolist()
    grown = tuple(d + pads[i] + pads[i + len(shape)] for i, d in enumerate(shape))
    g.add("Pad", [x, g.constant(ints(*pads))], grown)


def slice_axis(g: Growing) -> None:
    x = g.value(lambda shape: max(shape, default=0) > 2)
    if x is not None:
        shape = g.shapes[x]
        at = g.pick([i for i, d in enumerate(shape) if d > 2])
        parts = [g.constant(ints(n)) for n in (1, shape[at] - 1, at)]
        g.add("Slice", [x, *parts], (*shape[:at], shape[at] - 2, *shape[at + 1 :]))


def squeeze(g: Growing) -> None:
    x = g.value(lambda shape: 1 in shape and len(shape) > 1)
    if x is not None:
        at = g.shapes[x].index(1)
        g.add("Squeeze", [x, g.constant(ints(at))], (*g.shapes[x][:at], *g.shapes[x][at + 1 :]))


def unsqueeze(g: Growing) -> None:
    x = g.value(lambda shape: len(shape) < 5)
    if x is not None:
        at = g.below(len(g.shapes[x]) + 1)
        g.add("Unsqueeze", [x, g.constant(ints(at))], (*g.shapes[x][:at], 1, *g.shapes[x][at:]))


def gather(g: Growing) -> None:
    x = g.value(lambda shape: len(shape) > 1)
    if x is not None:
        shape, at = g.shapes[x], g.below(len(g.shapes[x]))
        index = g.pick([(), (1,), (2,)])
        array = np.zeros(index, dtype=np.int64)
        g.add("Gather", [x, g.constant(array)], (*shape[:at], *index, *shape[at + 1 :]), axis=at)


def split(g: Growing) -> None:
    x = g.value(lambda shape: any(d % 2 == 0 for d in shape))
    if x is not None:
        shape = g.shapes[x]
        at = g.pick([i for i, d in enumerate(shape) if d % 2 == 0])
        half = (*shape[:at], shape[at] // 2, *shape[at + 1 :])
        g.add("Split", [x], half, half, axis=at)


def batch_norm(g: Growing) -> None:
    x = g.value(is_image)
    if x is not None:
        c = g.shapes[x][1]
        scale, bias, mean = (g.floats(c) for _ in range(3))
        var = g.constant(g.rng.uniform(0.5, 1.5, c).astype(np.float32))
        g.add("BatchNormalization", [x, scale, bias, mean, var], g.shapes[x])


def global_pool(g: Growing) -> None:
    x = g.value(is_image)
    if x is not None:
        g.add("GlobalAveragePool", [x], (*g.shapes[x][:2], *(1 for _ in g.shapes[x][2:])))


def shape_of(g: Growing) -> None:
    """Reshape to a computed shape: what it already is."""
    x = g.value()
    g.add("Shape", [x], (len(g.shapes[x]),))
    sizes = g.nodes[-1].output[0]
    del g.shapes[sizes]
    g.add("Reshape", [x, sizes], g.shapes[x])


FEW = (unary, odd, add, concat, conv, transpose, transpose, softmax, reduce, flatten, gemm)
ALL = (*FEW, conv, matmul, merge, split_axis, pad, slice_axis, squeeze, unsqueeze, gather, split, batch_norm,
       global_pool, shape_of)  # fmt: skip


def grown(seed: int, most: int, operators: Sequence[Callable[[Growing], None]]) -> ModelProto:
    """A graph of up to ``most`` nodes and a few; every value that nobody reads is an output."""
    g = Growing(np.random.default_rng(seed))
    inputs = {f"x{i}": g.pick(INPUTS) for i in range(1 + g.below(2))}
    g.shapes.update(inputs)
    wanted = 2 + g.below(most - 1)
    while len(g.nodes) < wanted:
        g.pick(operators)(g)
    read = {name for node in g.nodes for name in node.input}
    last = [name for name in g.shapes if name not in read and name not in inputs]
    also = [name for name in g.shapes if name in read and name not in inputs and g.below(8) == 0]
    outputs = {name: g.shapes[name] for name in (*last, *also)}
    made = model(g.nodes, inputs, outputs, g.constants, domains=[DOMAIN], functions=[ODD])
    made.graph.value_info.extend(value(name, shape, FLOAT) for name, shape in g.shapes.items())
    return made
