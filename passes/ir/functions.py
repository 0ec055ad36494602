"""The model's own functions, as its protobuf holds them: who calls which, and what a call stands for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import onnx
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

from passes.ir.declared import body_protos, every_node_proto, standard

Key = tuple[str, str, str]  # domain, name, overload
Names = Mapping[str, str]
Attributes = Mapping[str, AttributeProto]


class Naming(NamedTuple):
    """New names, which nothing in the model has, for values and for nodes of a function."""

    value: Callable[[str], str]
    node: Callable[[str], str]


def called_by(node: NodeProto) -> Key:
    """The function that a node calls, if there is one of that name."""
    return standard(node.domain), node.op_type, node.overload


def functions_of(model: ModelProto) -> dict[Key, FunctionProto]:
    """The functions of a model by their names."""
    return {(standard(f.domain), f.name, f.overload): f for f in model.functions}


def called(functions: Mapping[Key, FunctionProto], nodes: Iterable[NodeProto]) -> set[Key]:
    """The functions that nodes call, in their bodies too, and those that these call."""
    found: set[Key] = set()
    pending = list(nodes)
    while pending:
        node = pending.pop()
        pending += (inner for body in body_protos(node) for inner in body.node)
        key = called_by(node)
        if key in functions and key not in found:
            found.add(key)
            pending += functions[key].node
    return found


def still_called(model: ModelProto, graph: GraphProto) -> list[FunctionProto]:
    """The functions of a model of which the graph is this now: those that it calls, and those that it never called."""
    functions = functions_of(model)
    before = called(functions, model.graph.node)
    others = [node for key, function in functions.items() if key not in before for node in function.node]
    gone = before - called(functions, [*graph.node, *others])
    return [function for key, function in functions.items() if key not in gone]


def why_a_call(call: NodeProto, functions: Mapping[Key, FunctionProto], imports: Mapping[str, int]) -> str | None:
    """Why a call of one of the model's ``functions`` cannot be taken for the nodes of that; ``None`` if it can.

    ``imports`` are the versions of operators in the model. Those of the function may differ where its operators are the
    same in both.
    """
    function = functions[called_by(call)]
    if len(call.input) > len(function.input) or len(call.output) > len(function.output):
        return f"{function.name} is called with more inputs or outputs than it has"
    made = {name for node in function.node for name in node.output} - {*function.input}
    if not made.issuperset(function.output) or len({*function.output}) < len(function.output):
        return f"{function.name} gives an input, or one value twice"
    if any(attr.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for attr in call.attribute):
        return f"{function.name} is called with a graph as an attribute"
    own = {standard(opset.domain): opset.version for opset in function.opset_import}
    for node in (node for node in every_node_proto(function) if called_by(node) not in functions):
        domain = standard(node.domain)
        versions = own.get(domain, 0), imports.get(domain, 0)
        if not _is_same_operator(node.op_type, domain, *versions):
            name = f"{domain or 'ai.onnx'}::{node.op_type}"
            return f"{function.name} is written for version {versions[0]} of {name}, the model for {versions[1]}"
    return None


def _is_same_operator(op: str, domain: str, one: int, other: int) -> bool:
    if one == other:
        return True
    known = all(onnx.defs.has(op, max_inclusive_version=version, domain=domain) for version in (one, other))
    schemas = [onnx.defs.get_schema(op, version, domain) for version in (one, other)] if known else []
    return known and schemas[0].since_version == schemas[1].since_version


def nodes_of_call(
    function: FunctionProto, call: NodeProto, inputs: Sequence[str], outputs: Sequence[str], held: Names, naming: Naming
) -> list[NodeProto]:
    """The nodes that a call with these inputs and outputs stands for; its other values have new names.

    Constants that are ``held`` already, under these names, are left out. Attributes are the call's, else the function's
    defaults; those that refer to neither are left out.
    """
    nodes = [node for node in function.node if not held.keys() & {*node.output}]
    own = dict.fromkeys(name for node in nodes for name in node.output if name)
    new = {**held, **{name: naming.value(name) for name in own}}
    new |= {"": "", **dict.fromkeys(function.input, ""), **dict(zip(function.input, inputs, strict=False))}
    new |= {formal: actual for formal, actual in zip(function.output, outputs, strict=False) if actual}
    given = {attr.name: attr for attr in (*function.attribute_proto, *call.attribute)}
    return [_node(node, given, new, naming) for node in nodes]


def tensors_of(function: FunctionProto) -> dict[str, TensorProto]:
    """What the function holds whoever calls it, by the names of values inside."""
    inside = (node for node in function.node if node.op_type == "Constant" and not standard(node.domain))
    tensors = ((node.output[0], attr) for node in inside for attr in node.attribute if attr.name == "value")
    return {name: attr.t for name, attr in tensors if not attr.ref_attr_name and name not in function.output}


def _node(node: NodeProto, given: Attributes, new: Names, naming: Naming) -> NodeProto:
    proto = NodeProto()
    proto.CopyFrom(node)
    proto.name = naming.node(node.name or node.op_type)
    del proto.input[:], proto.output[:], proto.attribute[:]
    for names, target in ((node.input, proto.input), (node.output, proto.output)):
        target.extend(new[name] if name in new else naming.value(name) for name in names)
    for attr in node.attribute:
        if not attr.ref_attr_name or attr.ref_attr_name in given:
            proto.attribute.add().CopyFrom(given[attr.ref_attr_name] if attr.ref_attr_name else attr)
            proto.attribute[-1].name = attr.name
    for body in (body for attr in proto.attribute for body in (attr.g, *attr.graphs) if body.ByteSize()):
        _rename(body, given, new, naming)
    return proto


def _rename(body: GraphProto, given: Attributes, around: Names, naming: Naming) -> None:
    """Rename what a body defines, and what it reads from ``around``."""
    held = [*body.initializer, *(sparse.values for sparse in body.sparse_initializer)]
    own = dict.fromkeys([value.name for value in (*body.input, *held)])
    own |= dict.fromkeys(name for node in body.node for name in node.output if name)
    new = {**around, **{name: naming.value(name) for name in own}}
    for value in (*body.input, *body.output, *body.value_info, *held):
        value.name = new.get(value.name, value.name)
    for note in body.quantization_annotation:
        note.tensor_name = new.get(note.tensor_name, note.tensor_name)
    nodes = [_node(node, given, new, naming) for node in body.node]
    del body.node[:]
    body.node.extend(nodes)
