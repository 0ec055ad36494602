"""The *function* dialect: channels-last operators as model-local functions.

A node becomes e.g. ``rewriter.nhwc::Conv_NHWC``, with NHWC activations and OHWI kernels, and the model carries a
function that says what it means in standard operators: Transpose, the channels-first operator, Transpose.

The name says again what the domain does, since many readers look at names only: IREE, TVM, tract and OpenCV take a
``MaxPool`` of any domain for ONNX's own, TensorRT and pnnx find a function by its name.
"""

from itertools import product
from types import MappingProxyType

import onnx
from onnx import AttributeProto, FunctionProto, NodeProto, TensorProto, helper

from passes.dialects.base import KERNEL_LAYOUTS, Dialect, Form, Spelling, form_named, kernel_perm
from passes.layout import perm
from passes.layout.formats import FORMATS
from passes.layout.perm import Perm

PREFIX = "rewriter"
# these pass other layouts, too, or have a channels-last form in standard ONNX
OPTIONAL = (
    *("BatchNormalization", "InstanceNormalization", "GroupedInstanceNormalization", "GroupNormalization", "LRN"),
    *("HardSwish", "DynamicQuantizeLinear", "Upsample", "Resize", "ResizeToSizes"),
)


def domain_of(rank: int, weight_layout: str) -> str:
    """The domain of the functions on images of a rank, e.g. ``rewriter.nhwc`` or ``rewriter.nhwc.hwio``."""
    suffix = "" if weight_layout == KERNEL_LAYOUTS[0] else f".{weight_layout}"
    return f"{PREFIX}.{FORMATS[rank].name}{suffix}"


def suffix_of(domain: str) -> str:
    """What the names of a domain's functions end with, e.g. ``_NHWC`` or ``_NHWC_HWIO``."""
    return domain.removeprefix(PREFIX).replace(".", "_").upper()


class FunctionDialect(Dialect):
    """Functions in ``rewriter.nwc``, ``rewriter.nhwc`` and ``rewriter.ndhwc``, with kernels in ``weight_layout``."""

    name = "function"
    note = (
        "Channels-last operators are model-local functions: a runtime without these (OpenVINO refuses them) needs "
        "--dialect onnx."
    )
    ranks = FORMATS
    domains = MappingProxyType({domain_of(*key): key for key in product(FORMATS, KERNEL_LAYOUTS)})
    optional = frozenset(name + suffix_of(domain) for domain, name in product(domains, OPTIONAL))

    def spell(self, form: Form, rank: int) -> Spelling | None:
        """A call of the function that is named after the form."""
        return called(form, rank, self.weight_layout) if rank in FORMATS else None

    @classmethod
    def read(cls, domain: str, op: str, opset: int) -> Spelling | None:
        """What one of its functions stands for; files of version 0.2.0 and earlier name them without a suffix."""
        form = form_named(op.removesuffix(suffix_of(domain)), opset)
        return None if domain not in cls.domains or form is None else called(form, *cls.domains[domain])

    @classmethod
    def function(cls, domain: str, op: str, opset: int) -> FunctionProto | None:
        """The meaning of a call in standard operators: Transpose, the channels-first operator, Transpose."""
        spelling = cls.read(domain, op, opset)
        if spelling is None:
            return None
        form, schema = spelling.form, onnx.defs.get_schema(spelling.form.op, opset)
        inputs = [schema.inputs[i].name for i in range(len(form.inputs))]
        outputs = [schema.outputs[j].name for j in range(len(form.outputs))]
        operands = dict(zip(inputs, form.inputs, strict=True))
        before = [node for name, kind in operands.items() for node in _to_first(kind, name, spelling)]
        body = helper.make_node(
            form.op,
            [name if kind == "-" else f"{name}_first" for name, kind in operands.items()],
            [name if kind == "-" else f"{name}_first" for name, kind in zip(outputs, form.outputs, strict=True)],
        )
        attrs = sorted(schema.attributes)
        for name in attrs:
            refer(body, name, str(schema.attributes[name].type).rpartition(".")[2])
        bodies = in_groups(body) if form.grouped else [body]
        results = zip(outputs, form.outputs, strict=True)
        after = [node for name, kind in results for node in _to_last(kind, name, spelling.rank)]
        nodes = [*before, *bodies, *after]
        for node in nodes:
            node.name = node.output[0]  # pnnx puts the call's name before it
        return helper.make_function(
            domain, op, inputs, outputs, nodes,
            [helper.make_opsetid("", opset)], [*attrs, *["group_shape"] * form.grouped],
        )  # fmt: skip


def called(form: Form, rank: int, weight_layout: str) -> Spelling:
    """A form as a call of its function."""
    domain = domain_of(rank, weight_layout)
    return Spelling(form, rank, form.name + suffix_of(domain), domain, kernel_perm(form.op, rank, weight_layout))


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


def _to_first(kind: str, formal: str, spelling: Spelling) -> list[NodeProto]:
    """The nodes that make a formal input of this ``kind`` (see ``Form``) the channels-first operator's operand."""
    first, result = perm.channels_first(spelling.rank), f"{formal}_first"
    if kind == "-":
        return []
    if kind != "v":
        return [_transpose(formal, result, first if kind == "x" else perm.inverse(spelling.kernel))]
    order = helper.make_tensor(f"{formal}_order", TensorProto.INT64, [len(first)], first)
    return [
        helper.make_node("Constant", [], [f"{formal}_order"], value=order),
        helper.make_node("Gather", [formal, f"{formal}_order"], [result], axis=0),
    ]


def _to_last(kind: str, formal: str, rank: int) -> list[NodeProto]:
    """The nodes that make a channels-first result of this ``kind`` a formal output.

    Where no byte moves a Reshape says so: for a Transpose at the end of a quantised net onnxruntime writes QDQ pairs
    twice (1.05 to 1.07 times the naive conversion's time, 1.01 to 1.03 with a Reshape).
    """
    first = f"{formal}_first"
    if kind == "-":
        return []
    if kind != "p":
        return [_transpose(first, formal, perm.channels_last(rank))]
    shape = helper.make_tensor(f"{formal}_shape", TensorProto.INT64, [rank], [0, *[1] * (rank - 2), -1])
    return [
        helper.make_node("Constant", [], [f"{formal}_shape"], value=shape),
        helper.make_node("Reshape", [first, f"{formal}_shape"], [formal]),
    ]


def _transpose(source: str, result: str, p: Perm) -> NodeProto:
    return helper.make_node("Transpose", [source], [result], perm=list(p))
