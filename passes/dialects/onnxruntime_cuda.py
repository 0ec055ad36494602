"""The *onnxruntime-cuda* dialect: ``com.microsoft::NhwcConv`` where onnxruntime has a CUDA kernel for it.

https://github.com/microsoft/onnxruntime: ``contrib_ops/cuda/nhwc_conv.cc`` registers ``Conv<T, true>`` of
``core/providers/cuda/nn/conv.cc`` for float and float16, with attributes and groups as Conv. It takes a kernel for OHWI
only if that is an initializer (``PrePack`` notes it, which is called for these alone), else for OIHW.
"""

from passes.dialects.spelled import SpelledDialect
from passes.dialects.table import Row, Table
from passes.ir.declared import MICROSOFT


class OnnxRuntimeCudaDialect(SpelledDialect):
    """NhwcConv, and functions for all else."""

    name = "onnxruntime-cuda"
    unproven = "onnxruntime has a kernel of com.microsoft::NhwcConv for CUDA only"
    table = Table((Row("Conv", 4, "NhwcConv", MICROSOFT, types=("float32", "float16"), fixed=True),), others=True)
