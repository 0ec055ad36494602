"""Files in the qonnx dialect, executed by qonnx itself: the numbers of onnxruntime on the original, on every model."""

import numpy as np
import onnx
import pytest
from onnx import ModelProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp

from passes.dialects.qonnx import DOMAIN
from rewriter import rewrite
from tests.support.engines import by_name
from tests.support.graphs import COMMITTED

TOLERANCE = 1e-5  # of an output's scale
WITHOUT = {"keras_conv3d", "torch_conv3d", "torch_vocoder", "torch_vocoder_legacy"}  # not of images with four axes


def sized(model: ModelProto, size: int = 32) -> ModelProto:
    """A batch of one, and no open sizes, which qonnx does not run."""
    for value in model.graph.input:
        for i, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.dim_value = dim.dim_value or (size if i else 1)
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            dim.Clear()
    del model.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model)


@pytest.mark.filterwarnings("ignore:Output shapes disagree")  # where onnx infers none, qonnx takes them for 0
@pytest.mark.parametrize("name", COMMITTED)
def test_qonnx_computes_the_same(name: str) -> None:
    original = sized(onnx.load(COMMITTED[name]))
    result = rewrite(original, "nhwc", dialect="qonnx")
    theirs = [node for node in result.model.graph.node if node.domain == DOMAIN]
    assert bool(theirs) == (name not in WITHOUT)
    for node in theirs:
        getCustomOp(node, onnx_opset_version=17).verify_node()
    rng = np.random.default_rng(0)
    shapes = {v.name: [dim.dim_value for dim in v.type.tensor_type.shape.dim] for v in original.graph.input}
    feeds = {input_: rng.standard_normal(shape).astype(np.float32) for input_, shape in shapes.items()}
    stored = {each: value.transpose(result.layouts.get(each, range(value.ndim))) for each, value in feeds.items()}
    found = execute_onnx(ModelWrapper(result.model), stored)
    for output, expected in by_name(original, feeds).items():
        wanted = expected.transpose(result.layouts.get(output, range(expected.ndim)))
        np.testing.assert_allclose(found[output], wanted, rtol=0, atol=TOLERANCE * np.abs(expected).max())
