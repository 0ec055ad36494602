"""A model as another runtime's file, run by that runtime against onnxruntime."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from onnx import ModelProto, TensorProto, shape_inference

from passes.layout.edit import Array
from rewriter.backends.arguments import LAYOUT
from rewriter.backends.base import Job
from rewriter.backends.tflite import BACKEND
from rewriter.backends.validate import Proof, validate
from rewriter.pipeline import rewrite
from rewriter.validation.inputs import InputRequest
from rewriter.validation.layouts import of_perms
from rewriter.validation.verdict import ProviderResult


def typed(model: ModelProto) -> ModelProto:
    """The model with the types of its outputs; one that is not inferred is float32."""
    model = shape_inference.infer_shapes(model)
    for value in model.graph.output:
        if not value.type.WhichOneof("value"):
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    return model


def verdict(model: ModelProto, feeds: Mapping[str, Array], quantize: str | None = None) -> ProviderResult:
    """What LiteRT makes of it. Raises UsageError where an operator has no form."""
    model = typed(model)
    result = rewrite(model, "nhwc", weight_layout=LAYOUT, runtime=BACKEND.prices, graphs=False)
    with tempfile.TemporaryDirectory() as folder:
        written = BACKEND.write(Job(result.model, "model"), Path(folder), quantize)
        request = InputRequest(2, 0, {}, feeds)
        proof = Proof(model, BACKEND, written, of_perms(result.layouts), request, quantize=quantize)
        (found,) = validate(proof).providers
    return found
