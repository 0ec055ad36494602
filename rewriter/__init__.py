"""ONNX layout rewriter: converts models between channels-first (NCHW) and channels-last (NHWC).

>>> from rewriter import rewrite, validate
>>> result = rewrite("model.onnx", to="nhwc")
>>> validate("model.onnx", result.model).ok
True
"""

from rewriter.contract import Port
from rewriter.errors import RewriterError, UsageError, VerificationError
from rewriter.pipeline import RewriteResult, rewrite
from rewriter.report import Report
from rewriter.validate import CouldNotValidate, ValidationReport, validate
from rewriter.version import __version__

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
    "rewrite",
    "validate",
]
