"""The table of operators that TensorFlow is handed: for each a short function of a node and its inputs.

A file for each kind. ``ROWS`` are standard operators, in any layout that a plan may give them; ``LAST`` those that
ONNX defines channels-first, on channels-last tensors and with kernels ``HWIO``, as the function dialect has them;
``MICROSOFT`` onnxruntime's own; ``RANGES`` what says a range.
"""

from onnx import NodeProto

from passes import dialects
from passes.ir.declared import MICROSOFT, standard
from rewriter.backends.forms import (
    contraction,
    control,
    conv,
    elementwise,
    index,
    movement,
    norm,
    pool,
    quant,
    recurrent,
    reduce,
    reshape,
    resize,
    sample,
    shuffle,
)
from rewriter.backends.forms.node import Form, NoForm
from rewriter.backends.ranges import RANGES

FILES = (
    contraction, control, conv, elementwise, index, movement, norm, pool, quant, recurrent, reduce, resize, reshape,
    sample, shuffle,
)  # fmt: skip
LAST_DOMAIN = "channels last"
TABLE: dict[tuple[str, str], Form] = {
    (domain, op): form
    for domain, rows in (("", "ROWS"), (LAST_DOMAIN, "LAST"), (MICROSOFT, "MICROSOFT"), (RANGES, "RANGES"))
    for file in FILES
    for op, form in getattr(file, rows, {}).items()
}


def form_of(node: NodeProto, opset: int) -> Form:
    """The form of a node. Raises NoForm."""
    spelling = dialects.read(node.domain, node.op_type, opset)
    key = (standard(node.domain), node.op_type) if spelling is None else (LAST_DOMAIN, spelling.form.op)
    if key not in TABLE:
        raise NoForm("")
    return TABLE[key]
