"""ONNX layout rewriter: converts models between channels-first (NCHW) and channels-last (NHWC).

>>> from rewriter import rewrite, validate
>>> result = rewrite("model.onnx", to="nhwc")
>>> validate("model.onnx", result.model).ok
True
"""

from typing import TYPE_CHECKING

from rewriter.errors import CouldNotValidate, DoesNotRun, ResultDiffers, RewriterError, UsageError, VerificationError
from rewriter.lazy import names_from
from rewriter.version import __version__

if TYPE_CHECKING:
    from rewriter.farm import rewrite_many
    from rewriter.files.reader import read_model
    from rewriter.interface import InterfaceValue
    from rewriter.many.record import Record
    from rewriter.pipeline import rewrite
    from rewriter.report.data import Report
    from rewriter.result import RewriteResult
    from rewriter.validation.validate import validate
    from rewriter.validation.verdict import ValidationReport
    from rewriter.weights.padding import conv_padding, conv_transpose_padding, pool_padding
    from rewriter.weights.tensors.letters import convert_layout, flatten_order
else:
    __getattr__ = names_from(
        __name__,
        {
            "rewriter.farm": ("rewrite_many",),
            "rewriter.files.reader": ("read_model",),
            "rewriter.interface": ("InterfaceValue",),
            "rewriter.many.record": ("Record",),
            "rewriter.pipeline": ("rewrite",),
            "rewriter.report.data": ("Report",),
            "rewriter.result": ("RewriteResult",),
            "rewriter.validation.validate": ("validate",),
            "rewriter.validation.verdict": ("ValidationReport",),
            "rewriter.weights.tensors.letters": ("convert_layout", "flatten_order"),
            "rewriter.weights.padding": ("conv_padding", "conv_transpose_padding", "pool_padding"),
        },
    )

__all__ = [
    "CouldNotValidate", "DoesNotRun", "InterfaceValue", "Record", "Report", "ResultDiffers", "RewriteResult",
    "RewriterError", "UsageError", "ValidationReport", "VerificationError", "__version__", "conv_padding",
    "conv_transpose_padding", "convert_layout", "flatten_order", "pool_padding", "read_model", "rewrite",
    "rewrite_many", "validate",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__
