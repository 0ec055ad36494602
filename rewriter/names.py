"""Names of values, unique in all of a model: in the main graph and in all bodies of If, Loop and Scan.

ONNX lets two branches of an If use one name, each for a value of its own; passes know values by their names.
"""

from collections.abc import Iterator, Mapping

from onnx import AttributeProto, GraphProto, NodeProto

from passes.ir.graph import unused


def named_apart(graph: GraphProto) -> list[NodeProto]:
    """The nodes of a model's graph, as they are or, if names repeat, copied with values of bodies renamed."""
    nodes = list(graph.node)
    inner = [name for node in nodes for body in bodies(node) for name in all_defined(body)]
    taken = set(defined(graph))
    if len(taken | set(inner)) == len(taken) + len(inner):
        return nodes
    copies = []
    for node in nodes:
        copies.append(NodeProto())
        copies[-1].CopyFrom(node)
        for body in bodies(copies[-1]):
            _rename(body, taken, {})
    return copies


def bodies(node: NodeProto) -> list[GraphProto]:
    return [attr.g for attr in node.attribute if attr.type == AttributeProto.GRAPH]


def defined(graph: GraphProto) -> Iterator[str]:
    """Names of the values that a graph itself defines. A constant that an input overrides comes twice."""
    yield from (value.name for value in graph.input)
    yield from (tensor.name for tensor in graph.initializer)
    yield from (sparse.values.name for sparse in graph.sparse_initializer)
    yield from (name for node in graph.node for name in node.output if name)


def all_defined(graph: GraphProto) -> Iterator[str]:
    yield from defined(graph)
    for node in graph.node:
        for body in bodies(node):
            yield from all_defined(body)


def _rename(body: GraphProto, taken: set[str], outer: Mapping[str, str]) -> None:
    """Give the values of a body names that are not ``taken``; ``outer`` are new names of values around it."""
    inputs = {value.name for value in body.input}
    held = [tensor for tensor in body.initializer if tensor.name not in inputs]  # an input overrides a constant
    del body.initializer[:]
    body.initializer.extend(held)
    names = {**outer, **{name: unused(name, taken) for name in dict.fromkeys(defined(body))}}
    for value in (*body.input, *body.output, *body.value_info, *body.initializer):
        value.name = names.get(value.name, value.name)
    for sparse in body.sparse_initializer:
        sparse.values.name = names[sparse.values.name]
    for note in body.quantization_annotation:
        note.tensor_name = names.get(note.tensor_name, note.tensor_name)
    for node in body.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for inner in bodies(node):
            _rename(inner, taken, names)
