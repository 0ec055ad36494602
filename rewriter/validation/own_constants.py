"""Constants that a rewritten model holds by its own computation, as the factors of a respelled BatchNormalization."""

from collections.abc import Iterator

import numpy as np
from onnx import AttributeProto, ModelProto, TensorProto, numpy_helper

from rewriter.validation.reference import nudged
from rewriter.validation.wider import COARSE, every_graph


def shaken(original: ModelProto, rewritten: ModelProto, seed: int) -> ModelProto | None:
    """The rewritten model with the last bits changed of its own float16 constants; ``None`` if it has none.

    Its own are the vectors that hold other elements than any constant of the original, in whatever order. Kernels and
    matrices are never computed: one with other elements is wrong.
    """
    known = {_elements(tensor) for tensor in _coarse_tensors(original)}
    copy = ModelProto()
    copy.CopyFrom(rewritten)
    own = [tensor for tensor in _coarse_tensors(copy) if _is_vector(tensor) and _elements(tensor) not in known]
    rng = np.random.default_rng(seed)
    for tensor in own:
        array = nudged({tensor.name: numpy_helper.to_array(tensor)}, rng)[tensor.name]
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return copy if own else None


def _coarse_tensors(model: ModelProto) -> Iterator[TensorProto]:
    for graph in every_graph(model.graph):
        held = (attr.t for node in graph.node for attr in node.attribute if attr.type == AttributeProto.TENSOR)
        yield from (tensor for tensor in (*graph.initializer, *held) if tensor.data_type in COARSE)


def _is_vector(tensor: TensorProto) -> bool:
    return len([size for size in tensor.dims if size > 1]) <= 1


def _elements(tensor: TensorProto) -> bytes:
    """The elements in one order."""
    return np.sort(numpy_helper.to_array(tensor).reshape(-1).view(np.uint16)).tobytes()
