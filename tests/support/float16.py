"""Models converted inside to float16, as their users do it before they convert layouts."""

from onnx import ModelProto
from onnxruntime.transformers.float16 import convert_float_to_float16

FLOAT32_ONLY = ["NonMaxSuppression"]  # as the specification has it


def in_float16(model: ModelProto, *, keep_io: bool) -> ModelProto:
    """The model in float16 throughout, or ``keep_io`` with a float32 interface and Casts behind it."""
    copy = ModelProto()
    copy.CopyFrom(model)
    half: ModelProto = convert_float_to_float16(copy, keep_io_types=keep_io, op_block_list=FLOAT32_ONLY)
    return half
