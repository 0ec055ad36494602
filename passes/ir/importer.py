"""A model's protobuf as onnx-graphsurgeon's graph.

graphsurgeon's own importer is not used: where a body calls a constant like a value outside it takes the one for the
other, and it cannot tell what it leaves out. Each graph and node remembers the protobuf it was read from (``origin``):
writing starts from these, so that metadata, doc strings and kinds of attributes that graphsurgeon does not know stay.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx_graphsurgeon as gs
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto, numpy_helper

from passes.ir.constants import Read, Stored, dense, numpy_type
from passes.ir.declared import opset_of, shape_of, values_of
from passes.ir.graph import every_tensor

Tensors = Mapping[str, gs.Tensor]

UNKNOWN = "?"  # prefix of symbols that stand for a dim of which nothing is known, for shape inference to tell apart
VALUES: dict[int, Callable[[AttributeProto], Any]] = {
    AttributeProto.FLOAT: lambda attr: attr.f,
    AttributeProto.INT: lambda attr: attr.i,
    AttributeProto.STRING: lambda attr: attr.s.decode(),
    AttributeProto.TENSOR: lambda attr: attr.t,
    AttributeProto.FLOATS: lambda attr: list(attr.floats),
    AttributeProto.INTS: lambda attr: list(attr.ints),
    AttributeProto.STRINGS: lambda attr: [text.decode() for text in attr.strings],
}


@dataclass(frozen=True, eq=False)
class Origin:
    """What a graph was read from: its protobuf, and (the main graph) that of the model.

    ``constants`` are those it held; ``renamed`` gives new names, by the file's, where names were not unique.
    """

    proto: GraphProto
    model: ModelProto | None
    constants: Mapping[str, gs.Constant]
    renamed: dict[str, str] = field(default_factory=dict)

    def name(self, name: str) -> str:
        """What the value of that name in the file is called now."""
        return self.renamed.get(name, name)


def import_model(model: ModelProto, read: Read = numpy_helper.to_array) -> gs.Graph:
    """The model's graph as it is in the file. The model is left as it is.

    ``read``: gives the values of an initializer, which are asked for when they are needed.
    """
    return _graph(model.graph, opset_of(model), {}, read, model)


def _graph(proto: GraphProto, opset: int, outer: Tensors, read: Read, model: ModelProto | None = None) -> gs.Graph:
    """``outer`` are the values around a body.

    A constant overrides an input of the main graph (IR version 3 declares each as one), an input of a body a constant.
    """
    initializers = (*proto.initializer, *map(dense, proto.sparse_initializer))
    held = {t.name: gs.Constant(t.name, Stored(t, read=read)) for t in initializers}
    inputs = [value.name for value in proto.input if model is None or value.name not in held]
    constants = {name: tensor for name, tensor in held.items() if name not in inputs}
    declared = values_of(proto)
    own = dict.fromkeys([*inputs, *(name for node in proto.node for name in node.output if name)])
    tensors = {**outer, **{name: _variable(name, declared) for name in own}, **constants}

    def tensor(name: str) -> gs.Tensor:
        if not name:
            return gs.Variable.empty()
        if name not in tensors:  # nobody makes it
            tensors[name] = _variable(name, declared)
        return tensors[name]

    nodes = [_node(node, opset, tensors, tensor, read) for node in proto.node]
    heads, tails = [tensors[name] for name in inputs], [tensor(value.name) for value in proto.output]
    graph = gs.Graph(nodes, heads, tails, proto.name, proto.doc_string, opset)
    graph.origin = Origin(proto, model, constants)
    return graph


def import_nodes(protos: Iterable[NodeProto], opset: int, around: Tensors) -> list[gs.Node]:
    """Nodes that read and make values ``around`` them, or others, by their names."""
    tensors = {"": gs.Variable.empty(), **around}

    def tensor(name: str) -> gs.Tensor:
        if name not in tensors:
            tensors[name] = gs.Variable(name)
        return tensors[name]

    return [_node(proto, opset, tensors, tensor) for proto in protos]


def _node(
    proto: NodeProto,
    opset: int,
    tensors: Tensors,
    tensor: Callable[[str], gs.Tensor],
    read: Read = numpy_helper.to_array,
) -> gs.Node:
    """Attributes of kinds that no pass knows are left out: they are in ``origin``."""
    attrs = {attr.name: VALUES[attr.type](attr) for attr in proto.attribute if attr.type in VALUES}
    attrs |= {a.name: _graph(a.g, opset, tensors, read) for a in proto.attribute if a.type == AttributeProto.GRAPH}
    domain = proto.domain if proto.HasField("domain") else None
    inputs, outputs = list(map(tensor, proto.input)), list(map(tensor, proto.output))
    node = gs.Node(proto.op_type, proto.name, attrs, inputs, outputs, domain)
    node.origin, node.changed = proto, frozenset()
    return node


def _variable(name: str, declared: Mapping[str, ValueInfoProto]) -> gs.Variable:
    variable = gs.Variable(name)
    _set_type(variable, declared)
    return variable


def set_types(graph: gs.Graph, values: Mapping[str, ValueInfoProto]) -> None:
    """Give all values of a graph, and of its bodies, the types and shapes of ``values``, and no others."""
    for tensor in every_tensor(graph):
        if isinstance(tensor, gs.Variable):
            _set_type(tensor, values)


def _set_type(variable: gs.Variable, values: Mapping[str, ValueInfoProto]) -> None:
    value = values.get(variable.name, ValueInfoProto())
    variable.type = value.type.WhichOneof("value") or "tensor_type"
    element = value.type.sequence_type.elem_type if variable.type == "sequence_type" else value.type
    variable.dtype, variable.shape = numpy_type(element.tensor_type.elem_type), shape_of(value)
