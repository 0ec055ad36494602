"""The *function* dialect: channels-last operators as model-local functions.

A node becomes e.g. ``rewriter.nhwc::Conv``, with NHWC activations and OHWI kernels, and the model carries a function
that says what it means in standard operators: Transpose, the channels-first operator, Transpose.
"""

import onnx
from onnx import AttributeProto, FunctionProto, NodeProto, TensorProto, helper

from passes.dialects.base import WEIGHT_LAYOUTS, Dialect, Form, Spelling, form_named, kernel_perm
from passes.layout import perm
from passes.layout.formats import FORMATS
from passes.layout.layout import Layout, permuted
from passes.layout.perm import Perm

PREFIX = "rewriter"
# operators of these forms pass other layouts, too, or have a channels-last form in standard ONNX: the plan may choose
OPTIONAL = {
    *("BatchNormalization", "InstanceNormalization", "GroupedInstanceNormalization", "GroupNormalization", "LRN"),
    *("HardSwish", "Upsample", "Resize", "ResizeToSizes"),
}


class FunctionDialect(Dialect):
    """Functions in ``rewriter.nwc``, ``rewriter.nhwc`` and ``rewriter.ndhwc``, with kernels in ``weight_layout``."""

    name = "function"
    note = (
        "Channels-last operators are model-local functions: a runtime without these (OpenVINO refuses them) needs "
        "--dialect onnx."
    )

    def image_layout(self, rank: int) -> Layout | None:
        """Channels-last, for ranks with a name."""
        return permuted(perm.channels_last(rank)) if rank in FORMATS else None

    def spell(self, form: Form, rank: int) -> Spelling | None:
        """A call of the function that is named like the form."""
        if rank not in FORMATS:
            return None
        kernel = kernel_perm(form.op, rank, self.weight_layout)
        return Spelling(form, rank, form.name, domain_of(rank, self.weight_layout), kernel)

    def demands(self, domain: str | None, op: str | None) -> bool:
        """Every function but those of operators that the plan may write otherwise."""
        return self.owns(domain or "") and op not in OPTIONAL

    @classmethod
    def owns(cls, domain: str) -> bool:
        """Whether this is one of its function domains."""
        return domain in DOMAINS

    @classmethod
    def read(cls, domain: str, op: str, opset: int) -> Spelling | None:
        """What one of its functions stands for."""
        form = form_named(op, opset)
        if domain not in DOMAINS or form is None:
            return None
        rank, weight_layout = DOMAINS[domain]
        return Spelling(form, rank, op, domain, kernel_perm(form.op, rank, weight_layout))

    @classmethod
    def function(cls, spelling: Spelling, opset: int) -> FunctionProto:
        """The meaning of a call in standard operators: Transpose, the channels-first operator, Transpose."""
        form = spelling.form
        schema = onnx.defs.get_schema(form.op, opset)
        formal_in = [schema.inputs[i].name for i in range(len(form.inputs))]
        formal_out = [schema.outputs[j].name for j in range(len(form.outputs))]
        before, after, results = _Nodes(), _Nodes(), []
        operands = [before.add(kind, name, spelling) for kind, name in zip(form.inputs, formal_in, strict=True)]
        for formal in formal_out:
            results.append(f"{formal}_first")
            after.transpose(results[-1], formal, perm.channels_last(spelling.rank))
        body = helper.make_node(form.op, operands, results)
        for attr in schema.attributes.values():
            refer(body, attr.name, str(attr.type).rpartition(".")[2])
        bodies = in_groups(body) if form.grouped else [body]
        return helper.make_function(
            spelling.domain, spelling.op, formal_in, formal_out, [*before.nodes, *bodies, *after.nodes],
            [helper.make_opsetid("", opset)], [*schema.attributes, *["group_shape"] * form.grouped],
        )  # fmt: skip


def domain_of(rank: int, weight_layout: str) -> str:
    """The domain of the functions on images of a rank, e.g. ``rewriter.nhwc`` or ``rewriter.nhwc.hwio``."""
    suffix = "" if weight_layout == WEIGHT_LAYOUTS[0] else f".{weight_layout}"
    return f"{PREFIX}.{FORMATS[rank].name}{suffix}"


DOMAINS = {
    domain_of(rank, weight_layout): (rank, weight_layout) for rank in FORMATS for weight_layout in WEIGHT_LAYOUTS
}


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

    def add(self, kind: str, formal: str, spelling: Spelling) -> str:
        """The name under which the body reads the formal input."""
        if kind == "-":
            return formal
        first = perm.channels_first(spelling.rank)
        if kind in "xw":
            p = first if kind == "x" else perm.inverse(spelling.kernel)
            return self.transpose(formal, f"{formal}_first", p)
        order = helper.make_tensor(f"{formal}_order", TensorProto.INT64, [len(first)], first)
        self.nodes.append(helper.make_node("Constant", [], [f"{formal}_order"], value=order))
        self.nodes.append(helper.make_node("Gather", [formal, f"{formal}_order"], [f"{formal}_first"], axis=0))
        return f"{formal}_first"

    def transpose(self, source: str, result: str, p: Perm) -> str:
        """The name of the Transpose's result."""
        self.nodes.append(helper.make_node("Transpose", [source], [result], perm=list(p)))
        return result
