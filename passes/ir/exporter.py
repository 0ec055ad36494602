"""onnx-graphsurgeon's graph as a protobuf again: all that no pass changed is taken from the protobufs it was read from.

The *skeleton* is the model without the data of its weights, which become inputs: all that shape inference needs,
however large the model.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_graphsurgeon as gs
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, ValueInfoProto, helper

from passes.ir import constants
from passes.ir.constants import Stored
from passes.ir.declared import MICROSOFT, SMALL, imports_of, standard, values_of
from passes.ir.functions import still_called
from passes.ir.graph import bodies, every_graph, every_node
from passes.ir.importer import UNKNOWN, Origin

FREE_INITIALIZERS_IR_VERSION = 4  # from here on, a constant need not be declared as an input

Constants = dict[str, gs.Constant]


def export_model(graph: gs.Graph, weights: dict[str, Stored] | None = None) -> ModelProto:
    """The model that ``graph`` was read from, with the graph as it is now.

    ``weights``: is filled with the large ones, by name, of which the model then has all but the data.
    """
    original, model = graph.origin.model, ModelProto()
    for name in ("ir_version", "producer_name", "producer_version", "domain", "model_version", "doc_string"):
        setattr(model, name, getattr(original, name))
    for name in ("metadata_props", "training_info"):
        getattr(model, name).extend(getattr(original, name))
    model.opset_import.extend(_opsets(graph, {"": graph.opset, MICROSOFT: 1, **imports_of(original)}))
    _raise_opset(model, graph.opset)
    _Export(True, weights).fill(model.graph, graph)
    model.functions.extend(still_called(original, model.graph))
    if constants_of(graph):
        model.ir_version = max(model.ir_version, FREE_INITIALIZERS_IR_VERSION)
    return model


def _raise_opset(model: ModelProto, opset: int) -> None:
    """The standard operators, if the model imports any, are those of an opset, of an IR version that knows it."""
    for one in (one for one in model.opset_import if not standard(one.domain) and one.version != opset):
        one.version = opset
        model.ir_version = max(model.ir_version, helper.find_min_ir_version_for([one], ignore_unknown=True))


def export_skeleton(graph: gs.Graph) -> ModelProto:
    """The model, as far as shape inference reads it: large constants are inputs."""
    original: ModelProto = graph.origin.model
    model = ModelProto(ir_version=max(original.ir_version, FREE_INITIALIZERS_IR_VERSION))
    model.opset_import.extend(_opsets(graph, imports_of(original)))
    _raise_opset(model, graph.opset)
    large = {name: t for name, t in constants_of(graph).items() if prod(t.shape) > SMALL}
    _Export(False).fill(model.graph, graph, frozenset(large))
    model.functions.extend(still_called(original, model.graph))
    model.graph.name = model.graph.name or "graph"
    model.graph.input.extend(_value_info(tensor, None, False) for tensor in large.values())
    return model


def _opsets(graph: gs.Graph, known: Mapping[str, int]) -> list[OperatorSetIdProto]:
    """What the graph's model imports, and what nodes need besides, as those of its functions may, of what is known."""
    imported = graph.origin.model.opset_import
    needed = {standard(node.domain) for node in every_node(graph)} - {standard(opset.domain) for opset in imported}
    return [*imported, *(helper.make_opsetid(d, known[d]) for d in sorted(needed & known.keys()))]


def export_constants(nodes: Mapping[str, gs.Node], graph: gs.Graph, values: Constants) -> ModelProto:
    """A model of nodes, by what they give, that read nothing but each other, constants and ``values``."""
    proto = GraphProto(name="constants", node=[_Export(True).node(node) for node in nodes.values()])
    proto.output.extend(ValueInfoProto(name=name) for name in nodes)
    read = {t.name: values.get(t.name, t) for node in nodes.values() for t in node.inputs}
    for tensor in (t for t in read.values() if isinstance(t, gs.Constant)):
        constants.write(tensor, proto.initializer.add())
    opsets = [helper.make_opsetid("", graph.opset)]
    return helper.make_model(proto, opset_imports=opsets, ir_version=graph.origin.model.ir_version)


@dataclass(frozen=True)
class _Export:
    """``complete``: the model to be written, else its skeleton, which keeps the symbols that inference invented.

    ``weights``: takes large weights, in place of the model.
    """

    complete: bool
    weights: dict[str, Stored] | None = None

    def fill(self, target: GraphProto, graph: gs.Graph, around: frozenset[str] = frozenset()) -> None:
        """``around`` are the constants that graphs around this one hold."""
        origin: Origin = graph.origin
        original = origin.proto
        target.name, target.doc_string = original.name, original.doc_string
        target.metadata_props.extend(original.metadata_props)
        declared = {origin.name(name): value for name, value in values_of(original).items()}
        for tensors, protos in ((graph.inputs, target.input), (graph.outputs, target.output)):
            protos.extend(_value_info(tensor, declared.get(tensor.name), self.complete) for tensor in tensors)
        held = _held(graph, {tensor.name for tensor in origin.constants.values()}, around)
        target.node.extend(self.node(node, around | held.keys()) for node in graph.nodes)
        self.write(held.values(), origin, target)
        interface = {t.name for t in (*graph.inputs, *graph.outputs)}
        results = [t for node in graph.nodes for t in node.outputs if t.name and t.name not in interface]
        typed = (t for t in results if t.dtype is not None and (t.shape is not None or not self.complete))
        target.value_info.extend(_value_info(t, declared.get(t.name), self.complete) for t in typed)
        names = interface | held.keys() | {t.name for t in results}
        for note in original.quantization_annotation:
            if origin.name(note.tensor_name) in names:
                target.quantization_annotation.add().CopyFrom(note)
                target.quantization_annotation[-1].tensor_name = origin.name(note.tensor_name)

    def node(self, node: gs.Node, around: frozenset[str] = frozenset()) -> NodeProto:
        """The node's own protobuf with what changed, or a new one."""
        origin = getattr(node, "origin", None) or NodeProto()
        changed = node.changed if origin.op_type else node.attrs.keys()
        proto = NodeProto()
        proto.CopyFrom(origin)
        del proto.input[:], proto.output[:]
        proto.op_type, proto.name, proto.domain = node.op, node.name, node.domain or ""
        if (proto.op_type, proto.domain) != (origin.op_type, origin.domain):
            proto.ClearField("overload")  # which is of the function that it called
        proto.input.extend(t.name for t in node.inputs)
        proto.output.extend(t.name for t in node.outputs)
        while proto.input and not proto.input[-1] and len(proto.input) > len(origin.input):
            del proto.input[-1]
        for attr in [attr for attr in proto.attribute if attr.name in changed]:
            proto.attribute.remove(attr)
        new = sorted(changed & node.attrs.keys())
        proto.attribute.extend(helper.make_attribute(name, node.attrs[name]) for name in new)
        for attr in (attr for attr in proto.attribute if attr.type == AttributeProto.GRAPH):
            attr.g.Clear()
            self.fill(attr.g, node.attrs[attr.name], around)
        return proto

    def write(self, held: Iterable[gs.Constant], origin: Origin, target: GraphProto) -> None:
        """What was sparse and is as it was stays sparse."""
        sparse = {origin.name(t.values.name): t for t in origin.proto.sparse_initializer if self.complete}
        for tensor in held:
            if tensor.name in sparse and constants.is_as_read(tensor):
                target.sparse_initializer.add().CopyFrom(sparse[tensor.name])
                target.sparse_initializer[-1].values.name = tensor.name
            elif self.weights is not None and constants.is_weight(tensor):
                constants.declare(tensor, target.initializer.add())
                self.weights[tensor.name] = tensor._values
            else:
                constants.write(tensor, target.initializer.add())


def _held(graph: gs.Graph, before: set[str], around: frozenset[str]) -> Constants:
    """The constants that a graph holds: what it reads itself, what several of its bodies read, what it held before."""
    mine = constants_of(graph, deep=False)
    inner = [constants_of(body) for node in graph.nodes for body in bodies(node)]
    count = Counter(name for found in inner for name in found)
    for found in inner:
        mine |= {name: tensor for name, tensor in found.items() if count[name] > 1 or name in before}
    return {name: tensor for name, tensor in mine.items() if name not in around}


def constants_of(graph: gs.Graph, deep: bool = True) -> Constants:
    """The constants that a graph reads or gives; ``deep``: and its bodies."""
    graphs = every_graph(graph) if deep else [graph]
    tensors = (t for each in graphs for ts in (*(node.inputs for node in each.nodes), each.outputs) for t in ts)
    return {t.name: t for t in tensors if isinstance(t, gs.Constant)}


def _value_info(tensor: gs.Tensor, declared: ValueInfoProto | None, complete: bool) -> ValueInfoProto:
    """Name, doc string, metadata and kind of type as declared, type of elements and shape as the tensor has them."""
    value = ValueInfoProto()
    if declared is not None:
        value.CopyFrom(declared)
    elif tensor.dtype is not None:
        elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
        value.type.CopyFrom(helper.make_tensor_type_proto(elem_type, None))
    value.name = tensor.name
    if value.type.HasField("tensor_type") and tensor.dtype is not None:
        value.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    if value.type.HasField("tensor_type") and tensor.shape is not None:
        shape = [None if complete and str(size).startswith(UNKNOWN) else size for size in tensor.shape]
        value.type.tensor_type.shape.CopyFrom(helper.make_tensor_type_proto(0, shape).tensor_type.shape)
    return value
