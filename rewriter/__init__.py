"""ONNX layout rewriter: converts models between channels-first (NCHW) and channels-last (NHWC).

>>> from rewriter import rewrite, validate
>>> result = rewrite("model.onnx", to="nhwc")
>>> validate("model.onnx", result.model).ok
True
"""

from rewriter.errors import RewriterError, UsageError, VerificationError
from rewriter.interface import Port
from rewriter.pipeline import RewriteResult, rewrite
from rewriter.report.report import Report
from rewriter.validation.validate import CouldNotValidate, ValidationReport, validate
from rewriter.version import __version__
from rewriter.weights.letters import convert_layout, flatten_order
from rewriter.weights.padding import conv_padding, conv_transpose_padding
from rewriter.weights.pooling import pool_padding

__all__ = [
    "CouldNotValidate",
    "Port",
    "Report",
    "RewriteResult",
    "RewriterError",
    "UsageError",
    "ValidationReport",
    "VerificationError",
    "__version__",
    "conv_padding",
    "conv_transpose_padding",
    "convert_layout",
    "flatten_order",
    "pool_padding",
    "rewrite",
    "validate",
]
