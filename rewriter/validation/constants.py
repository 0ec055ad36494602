"""Models with the last bits of constants changed."""

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from passes.ir.declared import every_graph_proto
from rewriter.validation.compare import RTOL
from rewriter.validation.nudge import nudged
from rewriter.validation.wider import COARSE


def shaken(original: ModelProto, rewritten: ModelProto, seed: int) -> ModelProto | None:
    """The rewritten model with the last bits changed of its own float16 constants; ``None`` if it has none.

    These it has computed and rounded itself, as the factors of a BatchNormalization that is written as Mul and Add.
    Its own are the vectors that hold other elements than any constant of the original, in whatever order. Kernels and
    matrices are never computed: one with other elements is wrong.
    """
    known = {_elements(tensor) for tensor in _coarse_tensors(original)}
    copy = deepcopy(rewritten)
    own = [tensor for tensor in _coarse_tensors(copy) if _is_vector(tensor) and _elements(tensor) not in known]
    rng = np.random.default_rng(seed)
    for tensor in own:
        _nudge(tensor, rng, 1)
    return copy if own else None


def with_nudged_kernels(model: ModelProto, rng: np.random.Generator, bits: int) -> ModelProto:
    """The model with last bits changed of its kernels and matrices; vectors may be scales and sizes."""
    copy = deepcopy(model)
    for tensor in (tensor for graph in every_graph_proto(copy.graph) for tensor in graph.initializer):
        if helper.tensor_dtype_to_np_dtype(tensor.data_type) in RTOL and not _is_vector(tensor):
            _nudge(tensor, rng, bits)
    return copy


def _nudge(tensor: TensorProto, rng: np.random.Generator, bits: int) -> None:
    array = nudged({tensor.name: numpy_helper.to_array(tensor)}, rng, bits)[tensor.name]
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _coarse_tensors(model: ModelProto) -> Iterator[TensorProto]:
    for graph in every_graph_proto(model.graph):
        held = (attr.t for node in graph.node for attr in node.attribute if attr.type == AttributeProto.TENSOR)
        yield from (tensor for tensor in (*graph.initializer, *held) if tensor.data_type in COARSE)


def _is_vector(tensor: TensorProto) -> bool:
    return len([size for size in tensor.dims if size > 1]) <= 1


def _elements(tensor: TensorProto) -> bytes:
    """The elements in one order."""
    return np.sort(numpy_helper.to_array(tensor).reshape(-1).view(np.uint16)).tobytes()
