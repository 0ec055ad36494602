"""The layers of a graph: which operators are layers, and which constants are their parameters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import onnx_graphsurgeon as gs

from passes import perm
from passes.graph import is_standard
from passes.perm import Perm
from passes.ports import Port

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
    node: "gs.Node | Port"
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


def find_layer(node: "gs.Node | Port") -> Layer | None:
    """The layer that a node is; ``None`` if it is no layer, or one without parameters where its kind has some."""
    if isinstance(node, Port) or not is_standard(node) or node.op not in OPERATORS:
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
    """The constant behind an input, through Transposes and what leaves its elements in place."""
    total: Perm | None = None
    while not isinstance(node.inputs[number], gs.Constant):
        producers = node.inputs[number].inputs
        if not producers or not is_passed_through(producers[0]):
            return None
        node, number = producers[0], 0
        if node.op == "Transpose":
            if node.inputs[0].shape is None:
                return None
            p = tuple(node.attrs.get("perm") or reversed(range(len(node.inputs[0].shape))))
            total = p if total is None else perm.then(p, total)
    constant = node.inputs[number]
    return Parameter(Use(constant, node, number), total or perm.identity(len(constant.shape)))


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


def is_passed_through(node: gs.Node) -> bool:
    """Whether a node leaves its first input's elements in place, or permutes axes, or scales along one axis at most."""
    if not is_standard(node):
        return False
    if node.op == "DequantizeLinear":
        return len(node.inputs[1].shape or ()) < 2
    return node.op in SAME_DATA or node.op == "Transpose"


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
