"""How channels-last operators are spelled in the file.

Standard ONNX defines convolution, pooling and normalisation channels-first only. In the *function* dialect such a node
becomes e.g. ``rewriter.nhwc::Conv``, with NHWC activations and OHWI kernels, and the model carries a model-local
function that says what it means in standard operators. In the *onnx* dialect there are standard operators only.
"""

from dataclasses import dataclass
from typing import NamedTuple

import onnx
from onnx import AttributeProto, FunctionProto, NodeProto, TensorProto, helper

from passes.layout import perm
from passes.layout.perm import Perm

LAYOUT_NAMES = {3: "nwc", 4: "nhwc", 5: "ndhwc"}
WEIGHT_LAYOUTS = ("ohwi", "hwio")
PREFIX = "rewriter"


class Spec(NamedTuple):
    """A channels-last function: the operator it stands for, and what each formal input and output is.

    ``x`` activation, ``w`` kernel, ``v`` vector with one entry per axis, ``-`` passed through. ``grouped``: the
    operator works on ``[N, groups, -1]``, which the attribute ``group_shape`` says.
    """

    op: str
    inputs: str
    outputs: str = "x"
    since: int = 1
    grouped: bool = False


FUNCTIONS: dict[str, tuple[Spec, ...]] = {
    "Conv": (Spec("Conv", "xw-"),),
    "ConvNoBias": (Spec("Conv", "xw"),),
    "ConvTranspose": (Spec("ConvTranspose", "xw-"),),
    "ConvTransposeNoBias": (Spec("ConvTranspose", "xw"),),
    "ConvInteger": (Spec("ConvInteger", "xw--", since=10),),
    "ConvIntegerNoKernelZeroPoint": (Spec("ConvInteger", "xw-", since=10),),
    "ConvIntegerNoZeroPoints": (Spec("ConvInteger", "xw", since=10),),
    "QLinearConv": (Spec("QLinearConv", "x--w-----", since=10),),
    "QLinearConvNoBias": (Spec("QLinearConv", "x--w----", since=10),),
    "AveragePool": (Spec("AveragePool", "x"),),
    "MaxPool": (Spec("MaxPool", "x"),),
    "MaxPoolWithIndices": (Spec("MaxPool", "x", "xx"),),
    "MaxUnpool": (Spec("MaxUnpool", "xx"),),
    "MaxUnpoolToShape": (Spec("MaxUnpool", "xxv"),),
    "LpPool": (Spec("LpPool", "x"),),
    "GlobalAveragePool": (Spec("GlobalAveragePool", "x"),),
    "GlobalMaxPool": (Spec("GlobalMaxPool", "x"),),
    "GlobalLpPool": (Spec("GlobalLpPool", "x"),),
    "BatchNormalization": (Spec("BatchNormalization", "x----"),),
    "InstanceNormalization": (Spec("InstanceNormalization", "x--"),),
    "GroupedInstanceNormalization": (Spec("InstanceNormalization", "x--", since=12, grouped=True),),
    "GroupNormalization": (Spec("GroupNormalization", "x--"),),
    "LRN": (Spec("LRN", "x"),),
    "HardSwish": (Spec("HardSwish", "x", since=14),),
    "DepthToSpace": (Spec("DepthToSpace", "x"),),
    "SpaceToDepth": (Spec("SpaceToDepth", "x"),),
    "GridSample": (Spec("GridSample", "x-", since=16),),
    "RoiAlign": (Spec("RoiAlign", "x--", since=10),),
    "MaxRoiPool": (Spec("MaxRoiPool", "x-"),),
    "DeformConv": (Spec("DeformConv", "xwx-", since=19),),
    "DeformConvNoBias": (Spec("DeformConv", "xwx", since=19),),
    "DeformConvWithMask": (Spec("DeformConv", "xwx-x", since=19),),
    "Upsample": (Spec("Upsample", "xv", since=9),),
    "Resize": (Spec("Resize", "xv", since=10), Spec("Resize", "x-v", since=11)),
    "ResizeToSizes": (Spec("Resize", "x--v", since=11),),
}


@dataclass(frozen=True)
class Dialect:
    """``functions``: write channels-last spatial operators as model-local functions, kernels in ``weight_layout``."""

    functions: bool = True
    weight_layout: str = "ohwi"

    def domain(self, rank: int) -> str:
        suffix = "" if self.weight_layout == "ohwi" else f".{self.weight_layout}"
        return f"{PREFIX}.{LAYOUT_NAMES[rank]}{suffix}"


def parse_domain(domain: str) -> tuple[int, str] | None:
    """Rank and weight layout of one of this tool's function domains, ``None`` for any other domain."""
    ranks = {name: rank for rank, name in LAYOUT_NAMES.items()}
    head, _, tail = domain.partition(".")
    name, _, weights = tail.partition(".")
    if head != PREFIX or name not in ranks or (weights or "ohwi") not in WEIGHT_LAYOUTS:
        return None
    return ranks[name], weights or "ohwi"


def spec_of(name: str, opset: int) -> Spec | None:
    """The function ``name`` as written at an opset of the standard domain."""
    fitting = [spec for spec in FUNCTIONS.get(name, ()) if spec.since <= opset]
    return fitting[-1] if fitting else None


def kernel_perm(op: str, rank: int, weight_layout: str) -> Perm:
    """Perm of a standard kernel (Conv: OIHW, ConvTranspose: IOHW) to ``weight_layout``."""
    out, inp = (1, 0) if op == "ConvTranspose" else (0, 1)
    spatial = range(2, rank)
    return (out, *spatial, inp) if weight_layout == "ohwi" else (*spatial, inp, out)


def function_proto(domain: str, name: str, opset: int) -> FunctionProto:
    """The meaning of ``domain::name`` in standard operators: Transpose, the channels-first operator, Transpose."""
    parsed, spec = parse_domain(domain), spec_of(name, opset)
    if parsed is None or spec is None:
        raise ValueError(f"{domain}::{name} is not a function of this dialect at opset {opset}")
    rank, weights = parsed
    schema = onnx.defs.get_schema(spec.op, opset)
    formal_in = [schema.inputs[i].name for i in range(len(spec.inputs))]
    formal_out = [schema.outputs[j].name for j in range(len(spec.outputs))]
    before, operands, after, results = _Nodes(), [], _Nodes(), []
    for kind, formal in zip(spec.inputs, formal_in, strict=True):
        operands.append(before.add(kind, formal, spec.op, rank, weights))
    for formal in formal_out:
        results.append(f"{formal}_first")
        after.transpose(results[-1], formal, perm.channels_last(rank))
    body = helper.make_node(spec.op, operands, results)
    for attr in schema.attributes.values():
        refer(body, attr.name, str(attr.type).rpartition(".")[2])
    bodies = in_groups(body) if spec.grouped else [body]
    return helper.make_function(
        domain, name, formal_in, formal_out, [*before.nodes, *bodies, *after.nodes],
        [helper.make_opsetid("", opset)], [*schema.attributes, *["group_shape"] * spec.grouped],
    )  # fmt: skip


def refer(node: NodeProto, name: str, kind: str, function_name: str = "") -> None:
    """Give a node of a function body the attribute of the function."""
    ref = node.attribute.add()
    ref.name, ref.ref_attr_name = name, function_name or name
    ref.type = AttributeProto.AttributeType.Value(kind)


def in_groups(body: NodeProto) -> list[NodeProto]:
    """The operator on its first input seen as ``[N, groups, -1]``."""
    data, result = body.input[0], body.output[0]
    groups = helper.make_node("Constant", [], ["group_shape"])
    refer(groups, "value_ints", "INTS", "group_shape")
    body.input[0], body.output[0] = f"{data}_groups", f"{result}_groups"
    return [
        groups,
        helper.make_node("Reshape", [data, "group_shape"], [body.input[0]]),
        body,
        helper.make_node("Shape", [data], [f"{data}_shape"]),
        helper.make_node("Reshape", [body.output[0], f"{data}_shape"], [result]),
    ]


class _Nodes:
    """The nodes of a function body that turn channels-last operands into channels-first ones."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []

    def add(self, kind: str, formal: str, op: str, rank: int, weights: str) -> str:
        """The name under which the body reads the formal input."""
        if kind == "-":
            return formal
        if kind == "x":
            return self.transpose(formal, f"{formal}_first", perm.channels_first(rank))
        if kind == "w":
            return self.transpose(formal, f"{formal}_first", perm.inverse(kernel_perm(op, rank, weights)))
        order = helper.make_tensor(f"{formal}_order", TensorProto.INT64, [rank], perm.channels_first(rank))
        self.nodes.append(helper.make_node("Constant", [], [f"{formal}_order"], value=order))
        self.nodes.append(helper.make_node("Gather", [formal, f"{formal}_order"], [f"{formal}_first"], axis=0))
        return f"{formal}_first"

    def transpose(self, source: str, result: str, p: Perm) -> str:
        self.nodes.append(helper.make_node("Transpose", [source], [result], perm=list(p)))
        return result
