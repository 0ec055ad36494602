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

    ``origin`` (the node's protobuf in the file) and ``changed`` (names of the attributes that differ from it) let the
    writer keep what onnx-graphsurgeon cannot hold.
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
    return new


def copied(tensor: gs.Tensor, name: str) -> gs.Tensor:
    """The tensor alone, under ``name``, without producer and readers."""
    if isinstance(tensor, gs.Constant):
        return gs.Constant(name, tensor._values)
    return gs.Variable(name, tensor.dtype, tensor.shape, tensor.type)


def captured(node: gs.Node) -> set[str]:
    """Names of values from outside that the bodies of a node (If, Loop, Scan) read."""
    names: set[str] = set()
    for body in (value for value in node.attrs.values() if isinstance(value, gs.Graph)):
        made = {t.name for t in body.inputs} | {t.name for inner in body.nodes for t in inner.outputs}
        read = {t.name for inner in body.nodes for t in inner.inputs} | {t.name for t in body.outputs}
        for inner in body.nodes:
            read |= captured(inner)
        names |= {name for name in read - made if name}
    return names


def captured_names(graph: gs.Graph) -> set[str]:
    """Names of values that bodies anywhere in the graph read from it."""
    return {name for node in graph.nodes for name in captured(node)}


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
