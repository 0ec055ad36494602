"""What a dialect is: how an operator that standard ONNX defines channels-first is written on channels-last tensors.

Standard ONNX defines convolution, pooling and normalisation channels-first only. A dialect says which of them it can
write channels-last, how, and how it reads them back.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from onnx import FunctionProto

from passes.layout.perm import Perm

WEIGHT_LAYOUTS = ("ohwi", "hwio")
KERNEL_LAYOUTS = (*WEIGHT_LAYOUTS, "oihw", "ihwo", "iohw", "hwoi")  # the same, and those that only tables ask for


class Form(NamedTuple):
    """A channels-first operator in one of its forms (by optional inputs and outputs), and what each of these is.

    ``x`` activation, ``p`` one of a single pixel, ``w`` kernel, ``v`` vector with one entry per axis, ``-`` passed
    through. ``grouped``: the operator works on ``[N, groups, -1]``, which the attribute ``group_shape`` says.
    """

    name: str
    op: str
    inputs: str
    outputs: str = "x"
    since: int = 1
    grouped: bool = False


FORMS = (
    Form("Conv", "Conv", "xw-"),
    Form("ConvNoBias", "Conv", "xw"),
    Form("ConvTranspose", "ConvTranspose", "xw-"),
    Form("ConvTransposeNoBias", "ConvTranspose", "xw"),
    Form("ConvInteger", "ConvInteger", "xw--", since=10),
    Form("ConvIntegerNoKernelZeroPoint", "ConvInteger", "xw-", since=10),
    Form("ConvIntegerNoZeroPoints", "ConvInteger", "xw", since=10),
    Form("QLinearConv", "QLinearConv", "x--w-----", since=10),
    Form("QLinearConvNoBias", "QLinearConv", "x--w----", since=10),
    Form("AveragePool", "AveragePool", "x"),
    Form("MaxPool", "MaxPool", "x"),
    Form("MaxPoolWithIndices", "MaxPool", "x", "xx"),
    Form("MaxUnpool", "MaxUnpool", "xx"),
    Form("MaxUnpoolToShape", "MaxUnpool", "xxv"),
    Form("LpPool", "LpPool", "x"),
    Form("GlobalAveragePool", "GlobalAveragePool", "x"),
    Form("GlobalAveragePool", "GlobalAveragePool", "x", "p", since=5),
    Form("GlobalMaxPool", "GlobalMaxPool", "x"),
    Form("GlobalMaxPool", "GlobalMaxPool", "x", "p", since=5),
    Form("GlobalLpPool", "GlobalLpPool", "x"),
    Form("GlobalLpPool", "GlobalLpPool", "x", "p", since=5),
    Form("BatchNormalization", "BatchNormalization", "x----"),
    Form("InstanceNormalization", "InstanceNormalization", "x--"),
    Form("GroupedInstanceNormalization", "InstanceNormalization", "x--", since=12, grouped=True),
    Form("GroupNormalization", "GroupNormalization", "x--"),
    Form("LRN", "LRN", "x"),
    Form("HardSwish", "HardSwish", "x", since=14),
    Form("DynamicQuantizeLinear", "DynamicQuantizeLinear", "x", "x--", since=11),
    Form("DepthToSpace", "DepthToSpace", "x"),
    Form("SpaceToDepth", "SpaceToDepth", "x"),
    Form("GridSample", "GridSample", "x-", since=16),
    Form("RoiAlign", "RoiAlign", "x--", since=10),
    Form("MaxRoiPool", "MaxRoiPool", "x-"),
    Form("DeformConv", "DeformConv", "xwx-", since=19),
    Form("DeformConvNoBias", "DeformConv", "xwx", since=19),
    Form("DeformConvWithMask", "DeformConv", "xwx-x", since=19),
    Form("Upsample", "Upsample", "xv", since=9),
    Form("Resize", "Resize", "xv", since=10),
    Form("Resize", "Resize", "x-v", since=11),
    Form("ResizeToSizes", "Resize", "x--v", since=11),
)


def form_named(name: str, opset: int) -> Form | None:
    """The form with this name at an opset of the standard domain."""
    return next((form for form in reversed(FORMS) if form.name == name and form.since <= opset), None)


def form_of(op: str, inputs: int, outputs: int, opset: int) -> Form | None:
    """The form of an operator with this many inputs (up to the last that is given) and outputs."""
    arity = (inputs, outputs)
    same = (f for f in reversed(FORMS) if f.op == op and not f.grouped and (len(f.inputs), len(f.outputs)) == arity)
    return next((form for form in same if form.since <= opset), None)


def kernel_perm(op: str, rank: int, weight_layout: str) -> Perm:
    """Perm of a standard kernel (Conv: OIHW, ConvTranspose: IOHW) to ``weight_layout``, one of ``KERNEL_LAYOUTS``."""
    out, inp = (1, 0) if op == "ConvTranspose" else (0, 1)
    places = {"o": (out,), "i": (inp,), "h": tuple(range(2, rank)), "w": ()}
    return tuple(axis for letter in weight_layout for axis in places[letter])


class Spelling(NamedTuple):
    """A form on channels-last tensors as a dialect writes it; its kernels are standard ones stored as ``kernel``."""

    form: Form
    rank: int
    op: str
    domain: str
    kernel: Perm
    attrs: Mapping[str, Any] = {}  # besides the operator's own


@dataclass(frozen=True)
class Dialect:
    """One that writes standard operators only; others say more. ``weight_layout`` is that of kernels, if it has any."""

    weight_layout: str = WEIGHT_LAYOUTS[0]

    name: ClassVar[str]
    note: ClassVar[str] = ""  # what the report says of a file with functions of this dialect
    ranks: ClassVar[Collection[int]] = ()  # of the images that it would have channels-last
    domains: ClassVar[Collection[str]] = ()  # of its operators
    optional: ClassVar[Collection[str]] = ()  # its operators that the plan may write otherwise
    turning: ClassVar[tuple[str, str] | None] = None  # a MatMul of batches with flags to read operands transposed
    opset: ClassVar[int] = 0  # of the standard operators, to which a file may be raised that profits from it

    def spell(self, form: Form, rank: int) -> Spelling | None:
        """How it writes a form on channels-last tensors; ``None`` if it cannot."""
        return None

    def lacks(self, form: Form, rank: int, opset: int, attrs: Mapping[str, Any], dtype: Any) -> str | None:
        """Why it cannot write a form that it spells with these attributes and elements; ``None`` if it can."""
        return None

    def spells(self, name: str) -> bool:
        """Whether it can write the form with this name on channels-last images."""
        return any(form.name == name and self.spell(form, 4) is not None for form in FORMS)

    def demands(self, domain: str | None, op: str | None) -> bool:
        """Whether a node that can be written so must be: that is what the user asked for, not a preference."""
        return domain in self.domains and op not in self.optional

    @classmethod
    def read(cls, domain: str, op: str, opset: int) -> Spelling | None:
        """What a node of a file stands for, if it is of this dialect."""
        return None

    @classmethod
    def function(cls, domain: str, op: str, opset: int) -> FunctionProto | None:
        """The function that a file needs for such nodes, if they are calls of one that this dialect brings."""
        return None
