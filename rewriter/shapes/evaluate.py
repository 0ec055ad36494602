"""Small models of constants, run by onnxruntime."""

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto

from passes.layout.edit import Array
from rewriter.errors import RunFailed
from rewriter.validation.session import Session


def evaluate(model: ModelProto) -> Sequence[Array] | None:
    """What a model without inputs gives; ``None`` if onnxruntime cannot run it, as at an opset it does not know."""
    try:
        return [np.asarray(result) for result in Session(model.SerializeToString(), "cpu", "disabled").run({})]
    except RunFailed:
        return None
