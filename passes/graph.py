"""Building onnx-graphsurgeon graphs: every pass returns a new graph with tensors of its own."""

from collections.abc import Iterable, Sequence

import onnx_graphsurgeon as gs


def assemble(
    like: gs.Graph, nodes: Iterable[gs.Node], inputs: Sequence[gs.Tensor], outputs: Sequence[gs.Tensor]
) -> gs.Graph:
    """A graph of fresh nodes and tensors, equal by name to those given; the rest is as in the graph ``like``."""
    tensors: dict[str, gs.Tensor] = {}

    def fresh(tensor: gs.Tensor) -> gs.Tensor:
        if not tensor.name:
            return gs.Variable.empty()
        if tensor.name not in tensors:
            tensors[tensor.name] = copied(tensor, tensor.name)
        return tensors[tensor.name]

    heads = [fresh(tensor) for tensor in inputs]
    body = [new_node(node, [fresh(t) for t in node.inputs], [fresh(t) for t in node.outputs]) for node in nodes]
    tails = [fresh(tensor) for tensor in outputs]
    return gs.Graph(
        body,
        heads,
        tails,
        like.name,
        like.doc_string,
        like.opset,
        like.import_domains,
        like.producer_name,
        like.producer_version,
        like.functions,
        like.ir_version,
    )


def new_node(node: gs.Node, inputs: list[gs.Tensor], outputs: list[gs.Tensor], **changes: object) -> gs.Node:
    """The same node with other inputs and outputs.

    ``origin`` (the node's protobuf in the file), ``changed`` (names of the attributes that differ from it) and
    ``captures`` (new names of values that its bodies read from outside) let the writer keep what onnx-graphsurgeon
    cannot hold.
    """
    new = gs.Node(
        changes.get("op", node.op),
        node.name,
        changes.get("attrs", node.attrs),
        inputs,
        outputs,
        changes.get("domain", node.domain),
    )
    new.origin = getattr(node, "origin", None)
    new.changed = getattr(node, "changed", frozenset()) | changes.get("changed", frozenset())  # type: ignore[operator]
    new.captures = changes.get("captures", getattr(node, "captures", {}))
    return new


def copied(tensor: gs.Tensor, name: str) -> gs.Tensor:
    """The tensor alone, under ``name``, without producer and readers."""
    if isinstance(tensor, gs.Constant):
        return gs.Constant(name, tensor._values)
    return gs.Variable(name, tensor.dtype, tensor.shape, tensor.type)


def captured(node: gs.Node) -> set[str]:
    """Names of values from outside that the bodies of a node (If, Loop, Scan) read."""
    renamed = getattr(node, "captures", {})
    return {renamed.get(name, name) for body in bodies(node) for name in read_from_outside(body)}


def bodies(node: gs.Node) -> list[gs.Graph]:
    return [value for value in node.attrs.values() if isinstance(value, gs.Graph)]


def read_from_outside(body: gs.Graph) -> set[str]:
    made = {t.name for t in body.inputs} | {t.name for node in body.nodes for t in node.outputs}
    read = {t.name for node in body.nodes for t in node.inputs} | {t.name for t in body.outputs}
    for node in body.nodes:
        read |= captured(node)
    return {name for name in read - made if name}


def captured_names(graph: gs.Graph) -> set[str]:
    """Names of values that bodies anywhere in the graph read from it."""
    return {name for node in graph.nodes for name in captured(node)}


def captured_values(graph: gs.Graph) -> set[str]:
    """Those of them that are computed in the graph, or its inputs."""
    computed = {t.name for t in graph.inputs} | {t.name for node in graph.nodes for t in node.outputs}
    return captured_names(graph) & computed


def is_standard(node: gs.Node) -> bool:
    return node.domain in (None, "", "ai.onnx")


def unused(wish: str, taken: set[str]) -> str:
    """``wish``, numbered if it is taken; it is taken from now on."""
    name, n = wish, 1
    while name in taken:
        name, n = f"{wish}_{n}", n + 1
    taken.add(name)
    return name


def all_names(graph: gs.Graph) -> set[str]:
    """Names of all values of the graph itself."""
    names = {t.name for node in graph.nodes for t in (*node.inputs, *node.outputs)}
    return names | {t.name for t in (*graph.inputs, *graph.outputs)}
