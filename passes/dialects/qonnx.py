"""The *qonnx* dialect: https://github.com/fastmachinelearning/qonnx, the format of FINN and hls4ml.

Its operators, ``src/qonnx/custom_op/channels_last``, run the standard operator of the domain's version on a transposed
input and kernel, so the version is that of the standard operators. They take float32, want every attribute written, and
have no others; what they say of shapes knows no padding of a pool that is not even. Images of 3 axes have the same
names, but a function is of one rank: these stay channels-first.
"""

from passes.dialects.spelled import SpelledDialect
from passes.dialects.table import Row, Table

DOMAIN = "qonnx.custom_op.channels_last"
WINDOW = ("kernel_shape", "strides", "pads")


def _row(op: str, *only: str, even: bool = False) -> Row:
    return Row(op, 4, op, DOMAIN, only=only, explicit=True, types=("float32",), even=even)


class QonnxDialect(SpelledDialect):
    """Conv, MaxPool and BatchNormalization with NHWC images and OHWI kernels, with functions that say so."""

    name = "qonnx"
    table = Table(
        (
            _row("Conv", *WINDOW, "dilations", "group"),
            _row("MaxPool", *WINDOW, even=True),
            _row("BatchNormalization", "epsilon", "momentum"),
        ),
        version=0,
        functions=True,
    )
