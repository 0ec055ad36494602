"""The original in float32, where it computes in float16 or bfloat16: what shows its own rounding.

Runtimes round such values where they like: onnxruntime's CPU provider has few operators in float16 and computes the
others, and what is between them, in float32, so that a Transpose moved is a rounding moved. The original with all such
types turned float32 rounds nowhere; the same with a Cast there and back at each value that was float16, everywhere.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, helper, numpy_helper
from onnx.inliner import inline_local_functions

from passes.ir.declared import body_protos, every_graph_proto, every_node_proto
from passes.ir.graph import is_standard, unused
from rewriter.shapes.check import skeleton
from rewriter.shapes.infer import every_value
from rewriter.shapes.stand_ins import with_stand_ins
from rewriter.validation.compare import DType

COARSE = (TensorProto.FLOAT16, TensorProto.BFLOAT16)  # not float8, to which files round where they say so
WIDE = TensorProto.FLOAT
TYPE_ATTRIBUTES = {"to", "dtype", "output_dtype", "precision", "softmax_precision", "stash_type"}


def coarse_types(model: ModelProto) -> set[int]:
    """Which of ``COARSE`` the model names: for an input, a constant, or in an attribute."""
    nodes = [node for function in model.functions for node in function.node]
    types = {_attribute_type(attr) for node in nodes for attr in node.attribute}
    for graph in every_graph_proto(model.graph):
        types |= {tensor.data_type for tensor in graph.initializer}
        types |= {sparse.values.data_type for sparse in graph.sparse_initializer}
        types |= {leaf.elem_type for value in graph.input for leaf in _leaves(value.type)}
        types |= {_attribute_type(attr) for node in graph.node for attr in node.attribute}
    return types.intersection(COARSE)


def coarse_inputs(model: ModelProto) -> dict[str, DType]:
    """The inputs that are cast to a type of ``COARSE`` before anything else, each with that type."""
    casts: dict[str, set[int]] = {value.name: set() for value in model.graph.input}
    for node in every_node_proto(model.graph):
        is_cast = node.op_type == "Cast" and is_standard(node)
        for name in casts.keys() & set(node.input):
            casts[name].add(next(attr.i for attr in node.attribute if attr.name == "to") if is_cast else WIDE)
    return {
        name: np.dtype(helper.tensor_dtype_to_np_dtype(next(iter(types))))
        for name, types in casts.items()
        if len(types) == 1 and types <= {*COARSE}
    }


def widened(model: ModelProto, *, rounded: bool) -> ModelProto:
    """The model in float32, its interface too; ``rounded``: to what each value could hold before."""
    wide = _inlined(model)
    coarse = _coarse_values(wide) if rounded else {}
    taken = {name for node in every_node_proto(wide.graph) for name in (*node.input, *node.output)} | set(coarse)
    for graph in [*every_graph_proto(wide.graph)]:
        _widen(graph)
        nodes = [step for node in graph.node for step in _with_rounding(node, coarse, taken)]
        del graph.node[:], graph.value_info[:]
        graph.node.extend(nodes)
    return wide


def _inlined(model: ModelProto) -> ModelProto:
    """A copy without functions; weights, which may be over the limit of protobuf, do not go through onnx's inliner."""
    copy = deepcopy(model)
    if not copy.functions:
        return copy
    del copy.graph.initializer[:]
    inlined: ModelProto = inline_local_functions(copy)
    inlined.graph.initializer.extend(model.graph.initializer)
    return inlined


def _attribute_type(attr: AttributeProto) -> int:
    """The element type that an attribute names, or that of the tensor that it holds."""
    return attr.t.data_type if attr.type == AttributeProto.TENSOR else attr.i if attr.name in TYPE_ATTRIBUTES else 0


def _leaves(proto: TypeProto) -> Iterator[Any]:
    """The types in a type (a sequence's, say) that have an element type."""
    kind = proto.WhichOneof("value")
    if kind in ("sequence_type", "optional_type"):
        yield from _leaves(getattr(proto, kind).elem_type)
    elif kind in ("tensor_type", "sparse_tensor_type"):
        yield getattr(proto, kind)


def _coarse_values(model: ModelProto) -> dict[str, int]:
    """The types of all values that have one of ``COARSE``, by name."""
    bare = with_stand_ins(skeleton(model))
    del bare.graph.value_info[:]  # converters to float16 leave false ones
    found = onnx.shape_inference.infer_shapes(bare, strict_mode=False, data_prop=True)
    types = {value.name: value.type.tensor_type.elem_type for value in every_value(found.graph)}
    return {name: elem_type for name, elem_type in types.items() if elem_type in COARSE}


def _widen(graph: GraphProto) -> None:
    attributes = [attr for node in graph.node for attr in node.attribute if _attribute_type(attr) in COARSE]
    held = [attr.t for attr in attributes if attr.type == AttributeProto.TENSOR]
    for tensor in (*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer), *held):
        if tensor.data_type in COARSE:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    for attr in attributes:
        if attr.type == AttributeProto.INT:
            attr.i = WIDE
    for leaf in (leaf for value in (*graph.input, *graph.output) for leaf in _leaves(value.type)):
        leaf.elem_type = WIDE if leaf.elem_type in COARSE else leaf.elem_type


def _with_rounding(node: NodeProto, coarse: Mapping[str, int], taken: set[str]) -> Iterator[NodeProto]:
    """The node, and behind it Casts of each result that was coarse; what bodies give is rounded in them."""
    yield node
    for i, name in enumerate(node.output):
        if name in coarse and not body_protos(node):
            node.output[i], short = unused(f"{name}_exact", taken), unused(f"{name}_short", taken)
            yield helper.make_node("Cast", [node.output[i]], [short], to=coarse[name])
            yield helper.make_node("Cast", [short], [name], to=WIDE)
