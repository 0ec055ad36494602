"""The layers of a graph: which operators are layers, and which constants are their parameters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import permutations
from typing import NamedTuple

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir.control_flow import Coupling
from passes.ir.graph import is_standard
from passes.layout import perm
from passes.layout.perm import Perm

# operator -> kind of layer, and the inputs that are its parameters, in the order of ``targets.NAMES``
OPERATORS: dict[str, tuple[str, tuple[int, ...]]] = {
    "Conv": ("conv", (1, 2)),
    "QLinearConv": ("conv", (3, 8)),
    "ConvInteger": ("conv", (1,)),
    "ConvTranspose": ("conv_transpose", (1, 2)),
    "Gemm": ("dense", (1, 2)),
    "MatMul": ("dense", (1,)),
    "BatchNormalization": ("batch_norm", (1, 2, 3, 4)),
    "LayerNormalization": ("layer_norm", (1, 2)),
    "GroupNormalization": ("group_norm", (1, 2)),
    "InstanceNormalization": ("instance_norm", (1, 2)),
    "PRelu": ("prelu", (1,)),
    "Gather": ("embedding", (0,)),
    "AveragePool": ("average_pool", ()),
    "MaxPool": ("max_pool", ()),
}
KERNEL_KINDS = ("conv", "depthwise_conv", "conv_transpose", "dense")
SAME_DATA = ("Identity", "Cast")  # operators that a parameter may go through


class Use(NamedTuple):
    """A constant as one node reads it."""

    constant: gs.Constant
    node: "gs.Node | Coupling"
    number: int


@dataclass(frozen=True)
class Parameter:
    """A constant, and what a layer reads of it: ``np.transpose(constant, perm)``."""

    use: Use
    perm: Perm

    @property
    def shape(self) -> tuple[int, ...]:
        """As the layer reads it."""
        return tuple(perm.reorder(self.perm, self.use.constant.shape))


@dataclass(frozen=True)
class Layer:
    """``parameters`` by their place in ``targets.NAMES``; those of ``computed`` are no constants."""

    kind: str
    node: gs.Node
    parameters: Mapping[int, Parameter]
    computed: Mapping[int, gs.Tensor]

    @property
    def name(self) -> str:
        """The node's, or where it has none that of its result."""
        return str(self.node.name or self.node.outputs[0].name)

    @property
    def spatial(self) -> int:
        """The number of spatial axes of its kernel, or of what it pools."""
        if self.kind not in KERNEL_KINDS:
            return len(self.node.attrs.get("kernel_shape", ()))
        return len(self.parameters[0].shape) - 2 if 0 in self.parameters else 0


def find_layer(node: "gs.Node | Coupling") -> Layer | None:
    """The layer that a node is; ``None`` if it is no layer, or one without parameters where its kind has some."""
    if isinstance(node, Coupling) or not is_standard(node) or node.op not in OPERATORS:
        return None
    kind, numbers = OPERATORS[node.op]
    given = {k: i for k, i in enumerate(numbers) if i < len(node.inputs) and node.inputs[i].name}
    traced = {k: trace(node, i) for k, i in given.items()}
    parameters = {k: parameter for k, parameter in traced.items() if parameter is not None}
    if node.op == "Gemm" and node.attrs.get("transB") and 0 in parameters:
        parameters[0] = transposed(parameters[0])
    if node.op == "MatMul":
        parameters.update(added_bias(node, parameters))
    parameters = {k: p for k, p in parameters.items() if fits(kind, node, k, p)}
    if numbers and not parameters and kind not in ("conv", "conv_transpose"):
        return None
    if kind in ("dense", "embedding") and 0 not in parameters:
        return None
    computed = {k: node.inputs[given[k]] for k, parameter in traced.items() if parameter is None}
    return Layer(special_kind(kind, node, parameters), node, parameters, computed)


def special_kind(kind: str, node: gs.Node, parameters: Mapping[int, Parameter]) -> str:
    """A convolution with one input channel per group, and several of these, is depthwise."""
    depthwise = kind == "conv" and 0 in parameters and node.attrs.get("group", 1) > 1 and parameters[0].shape[1] == 1
    return "depthwise_conv" if depthwise else kind


def fits(kind: str, node: gs.Node, place: int, parameter: Parameter) -> bool:
    """Whether the constant has the form that the parameter has in a layer, and is none that is broadcast."""
    rank = len(parameter.shape)
    if kind == "dense":
        return rank == (1 if place else 2)
    if kind == "embedding":
        return rank == 2 and node.attrs.get("axis", 0) == 0 and str(parameter.use.constant.dtype) != "int64"
    return True


def trace(node: gs.Node, number: int) -> Parameter | None:
    """The constant behind an input, through operators that leave its elements in place or permute its axes."""
    chain: list[gs.Node] = []
    while not isinstance(node.inputs[number], gs.Constant):
        producers = node.inputs[number].inputs
        if not producers or not is_passed_through(producers[0]):
            return None
        node, number = producers[0], 0
        chain.insert(0, node)
    constant = node.inputs[number]
    p = effect(chain, tuple(constant.shape))
    return None if p is None else Parameter(Use(constant, node, number), p)


def effect(chain: Sequence[gs.Node], shape: tuple[int, ...]) -> Perm | None:
    """The perm that a chain of operators amounts to; ``None`` if it is more than one.

    A Reshape between Transposes may only move axes of size one (tf2onnx has one before a depthwise kernel): the
    positions of all elements show whether it does.
    """
    if not any(node.op == "Reshape" for node in chain):
        transposes = [permuted(node, len(shape)) for node in chain if node.op == "Transpose"]
        return reduce(perm.then, transposes, perm.identity(len(shape)))
    start = result = np.arange(int(np.prod(shape))).reshape(shape)
    for node in chain:
        if node.op == "Transpose":
            result = result.transpose(permuted(node, result.ndim))
        elif node.op == "Reshape":
            sizes = np.asarray(node.inputs[1].values).tolist()
            result = result.reshape([result.shape[i] if n == 0 else n for i, n in enumerate(sizes)])
    moved = (p for p in permutations(range(len(shape))) if perm.reorder(p, shape) == list(result.shape))
    return next((p for p in moved if np.array_equal(start.transpose(p), result)), None)


def permuted(node: gs.Node, rank: int) -> Perm:
    return tuple(node.attrs.get("perm") or reversed(range(rank)))


def is_passed_through(node: gs.Node) -> bool:
    """Whether a node leaves its first input's elements in place, or permutes axes, or scales along one axis at most."""
    if not is_standard(node):
        return False
    if node.op == "DequantizeLinear":
        return len(node.inputs[1].shape or ()) < 2
    if node.op == "Reshape":
        return isinstance(node.inputs[1], gs.Constant) and not node.attrs.get("allowzero")
    return node.op in SAME_DATA or node.op == "Transpose"


def makers(tensor: gs.Tensor) -> Iterator[gs.Node]:
    """The nodes that compute a value, from the graph's inputs and constants."""
    pending, seen = [tensor], {id(tensor)}
    while pending:
        for node in pending.pop().inputs:
            yield node
            pending += [t for t in node.inputs if id(t) not in seen and not isinstance(t, gs.Constant)]
            seen.update(map(id, node.inputs))


def transposed(parameter: Parameter) -> Parameter:
    """As the product reads a weight that Gemm transposes."""
    return Parameter(parameter.use, tuple(reversed(parameter.perm)))


def added_bias(node: gs.Node, parameters: Mapping[int, Parameter]) -> Iterator[tuple[int, Parameter]]:
    """The vector that is added to the result of a MatMul, and to nothing else of it."""
    readers = node.outputs[0].outputs
    if 0 not in parameters or len(readers) != 1 or readers[0].op != "Add" or not is_standard(readers[0]):
        return
    add = readers[0]
    number = 1 if add.inputs[0] is node.outputs[0] else 0
    bias = trace(add, number)
    if bias is not None and bias.shape == parameters[0].shape[-1:]:
        yield 1, bias
