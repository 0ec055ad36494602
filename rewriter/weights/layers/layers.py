"""The layers of a graph: which operators are layers, and which constants are their parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import onnx_graphsurgeon as gs

from passes.ir.control_flow import Coupling
from passes.ir.graph import is_standard
from passes.layout import perm
from rewriter.weights.framework import KERNEL_KINDS
from rewriter.weights.layers.integers import added_bias, scaling_of
from rewriter.weights.layers.trace import Use, is_zero, name_of, trace
from rewriter.weights.windows import Settings

# operator -> kind of layer, and the inputs that are its parameters, in the order of ``framework.parameter_names``
OPERATORS: dict[str, tuple[str, tuple[int, ...]]] = {
    "Conv": ("conv", (1, 2)),
    "QLinearConv": ("conv", (3, 8)),
    "ConvInteger": ("conv", (1,)),
    "ConvTranspose": ("conv_transpose", (1, 2)),
    "Gemm": ("dense", (1, 2)),
    "MatMul": ("dense", (1,)),
    "QLinearMatMul": ("dense", (3,)),
    "QGemm": ("dense", (3, 6)),  # onnxruntime's
    "MatMulInteger": ("dense", (1,)),
    "BatchNormalization": ("batch_norm", (1, 2, 3, 4)),
    "LayerNormalization": ("layer_norm", (1, 2)),
    "GroupNormalization": ("group_norm", (1, 2)),
    "InstanceNormalization": ("instance_norm", (1, 2)),
    "PRelu": ("prelu", (1,)),
    "Gather": ("embedding", (0,)),
    "AveragePool": ("average_pool", ()),
    "MaxPool": ("max_pool", ()),
}
CONTRIB = ("QGemm",)
# operators whose bias, or some exporter's, is an Add behind them -> the axis of the kernel that has their channels
BIAS_ADDED = {"MatMul": -1, "MatMulInteger": -1, "QLinearMatMul": -1, "ConvInteger": 0, "ConvTranspose": 1}

Compute = Callable[[gs.Tensor], gs.Constant | None]


@dataclass(frozen=True)
class Layer:
    """``parameters`` by their place in ``framework.parameter_names``; those of ``computed`` are no constants, but may
    be made of constants only. ``consumed``: constants, by node and input, that the settings say. ``reads`` and
    ``gives``: an input of another node, and the node that makes the result, where those of ``node`` are not the
    layer's; ``channels``: their axis there."""

    kind: str
    node: gs.Node
    parameters: Mapping[int, Use]
    computed: Mapping[int, gs.Tensor]
    told: Settings = field(default_factory=dict)
    consumed: tuple[tuple[gs.Node, int], ...] = ()
    reads: tuple[gs.Node, int] | None = None
    gives: gs.Node | None = None
    channels: int = 1

    @property
    def name(self) -> str:
        """The node's, or where it has none that of its result."""
        return name_of(self.node)

    @property
    def kernel(self) -> list[int]:
        """The spatial shape of its kernel, or of what it pools; empty if it is not known."""
        held = self.kind in KERNEL_KINDS and 0 in self.parameters
        return list(self.parameters[0].shape[2:] if held else self.node.attrs.get("kernel_shape", ()))

    @property
    def spatial(self) -> int:
        """The number of spatial axes of its kernel, or of what it pools."""
        return 0 if self.kind in KERNEL_KINDS and 0 not in self.parameters else len(self.kernel)


def find_layer(node: "gs.Node | Coupling", compute: Compute) -> Layer | None:
    """The layer that a node is; ``None`` if it is no layer, or one without parameters where its kind has some.

    ``compute``: what the graph makes of constants only, as a constant.
    """
    if isinstance(node, Coupling) or node.op not in OPERATORS or not (is_standard(node) or node.op in CONTRIB):
        return None
    kind, numbers = OPERATORS[node.op]
    inputs = {place: i for place, i in enumerate(numbers) if i < len(node.inputs) and node.inputs[i].name}
    traced = {place: trace(node, i) for place, i in inputs.items()}
    lacks = {place for place, i in inputs.items() if place and not traced[place] and is_zero(node.inputs[i])}  # a bias
    found = {place: use or made(node, inputs[place], compute) for place, use in traced.items() if place not in lacks}
    known = {place: use for place, use in found.items() if use is not None}
    if node.op in ("Gemm", "QGemm") and node.attrs.get("transB") and 0 in known:
        known[0] = replace(known[0], perm=known[0].perm[::-1])
    parameters = {place: replace(use, scaling=scaling_of(node, place, use)) for place, use in known.items()}
    if node.op in BIAS_ADDED and 0 in parameters and 1 not in inputs:
        channels = parameters[0].shape[BIAS_ADDED[node.op]] * node.attrs.get("group", 1)
        bias = added_bias(node, channels, lambda add, i: trace(add, i) or made(add, i, compute))
        parameters |= {} if bias is None else {1: bias}
    parameters = {place: p for place, p in parameters.items() if fits(kind, node, place, p)}
    if numbers and not parameters and kind not in ("conv", "conv_transpose"):
        return None
    if kind in ("dense", "embedding") and 0 not in parameters:
        return None
    computed = {place: node.inputs[inputs[place]] for place, parameter in traced.items() if parameter is None}
    computed = {place: tensor for place, tensor in computed.items() if kind not in KERNEL_KINDS or not is_zero(tensor)}
    if kind == "conv" and 0 in parameters and node.attrs.get("group", 1) > 1 and parameters[0].shape[1] == 1:
        kind = "depthwise_conv"  # one input channel per group, and several of these
    return Layer(kind, node, parameters, computed)


def made(node: gs.Node, number: int, compute: Compute) -> Use | None:
    """An input that the graph makes of constants only, as what it makes."""
    constant = compute(node.inputs[number])
    return None if constant is None else Use(constant, node, number, perm.identity(len(constant.shape)))


def fits(kind: str, node: gs.Node, place: int, parameter: Use) -> bool:
    """Whether the constant has the form that the parameter has in a layer, and is none that is broadcast."""
    rank = len(parameter.shape)
    if kind == "dense":
        return rank == (1 if place else 2)
    if kind == "embedding":
        return rank == 2 and node.attrs.get("axis", 0) == 0 and str(parameter.constant.dtype) != "int64"
    return True
