"""Building onnx-graphsurgeon graphs: every pass returns a new graph with tensors of its own.

Names of values are unique in all of a model: in the main graph and in all bodies of If, Loop and Scan.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import onnx_graphsurgeon as gs

from passes.layout.layout import Layout, natural


def assemble(
    like: gs.Graph,
    nodes: Iterable[gs.Node],
    inputs: Sequence[gs.Tensor],
    outputs: Sequence[gs.Tensor],
    new: Callable[[gs.Tensor], gs.Tensor] = lambda tensor: tensor,
    outer: Mapping[str, gs.Tensor] | None = None,
) -> gs.Graph:
    """A graph of fresh nodes, tensors and bodies, equal by name to those given; the rest is as in the graph ``like``.

    ``new`` gives the tensor to use instead of another one, in bodies too; ``outer`` are the tensors around a body.
    """
    tensors = dict(outer or {})

    def fresh(tensor: gs.Tensor) -> gs.Tensor:
        tensor = new(tensor)
        if not tensor.name:
            return gs.Variable.empty()
        if tensor.name not in tensors:
            tensors[tensor.name] = copied(tensor, tensor.name)
        return tensors[tensor.name]

    def inner(body: gs.Graph) -> gs.Graph:
        return assemble(body, body.nodes, body.inputs, body.outputs, new, tensors)

    heads = [fresh(tensor) for tensor in inputs]
    body = []
    for node in nodes:
        operands, results = [fresh(t) for t in node.inputs], [fresh(t) for t in node.outputs]
        body.append(new_node(node, operands, results, attrs=changed_bodies(node, inner)))
    return with_nodes(like, body, heads, [fresh(tensor) for tensor in outputs])


def with_nodes(
    like: gs.Graph, nodes: Sequence[gs.Node], inputs: Sequence[gs.Tensor], outputs: Sequence[gs.Tensor]
) -> gs.Graph:
    """A graph of these; the rest is as in the graph ``like``."""
    graph = gs.Graph(nodes, inputs, outputs, like.name, like.doc_string, like.opset)
    graph.origin = like.origin
    return graph


def new_node(node: gs.Node, inputs: Sequence[gs.Tensor], outputs: Sequence[gs.Tensor], **changes: Any) -> gs.Node:
    """The same node with other inputs and outputs (and other ``changes``).

    ``origin`` (the node's protobuf in the file) and ``changed`` (names of the attributes that differ from it) let the
    writer keep what onnx-graphsurgeon cannot hold. ``calls``: see ``calls_of``; ``barrier``: why it has one move only.
    """
    changed = changes.pop("changed", frozenset())
    kept = {"op": node.op, "name": node.name, "attrs": node.attrs, "domain": node.domain}
    new = gs.Node(**{**kept, **changes}, inputs=list(inputs), outputs=list(outputs))
    new.origin = getattr(node, "origin", None)
    new.changed = getattr(node, "changed", frozenset()) | changed
    new.calls, new.barrier = calls_of(node), getattr(node, "barrier", None)
    return new


def calls_of(node: gs.Node) -> tuple[gs.Node, ...]:
    """The calls of the model's own functions that a node stands for with others, the outermost first."""
    return getattr(node, "calls", ())


def with_bodies(node: gs.Node, change: Callable[[gs.Graph], gs.Graph]) -> gs.Node:
    """The same node with each of its bodies changed."""
    if not bodies(node):
        return node
    return new_node(node, node.inputs, node.outputs, attrs=changed_bodies(node, change))


def changed_bodies(node: gs.Node, change: Callable[[gs.Graph], gs.Graph]) -> dict[str, object]:
    """The attributes of a node with each of its bodies changed, in their order."""
    return {key: change(value) if isinstance(value, gs.Graph) else value for key, value in node.attrs.items()}


def natural_layout(tensor: gs.Tensor) -> Layout:
    """The layout of the original of a tensor."""
    return natural(None if tensor.shape is None else len(tensor.shape))


def copied(tensor: gs.Tensor, name: str) -> gs.Tensor:
    """The tensor alone, under ``name``, without producer and readers."""
    if isinstance(tensor, gs.Constant):
        return gs.Constant(name, tensor._values)
    return gs.Variable(name, tensor.dtype, tensor.shape, tensor.type)


def bodies(node: gs.Node) -> list[gs.Graph]:
    """The graphs that an If, Loop or Scan (or another operator) runs."""
    return [value for value in node.attrs.values() if isinstance(value, gs.Graph)]


def every_graph(graph: gs.Graph) -> Iterator[gs.Graph]:
    """The graph, and all bodies in it."""
    yield graph
    for node in graph.nodes:
        for body in bodies(node):
            yield from every_graph(body)


def every_node(graph: gs.Graph) -> Iterator[gs.Node]:
    """The nodes of the graph and of all bodies in it."""
    return (node for each in every_graph(graph) for node in each.nodes)


def every_tensor(graph: gs.Graph) -> Iterator[gs.Tensor]:
    """The values of the graph and of all bodies in it, as often as they are made and read."""
    for each in every_graph(graph):
        yield from each.inputs
        for node in each.nodes:
            yield from (*node.inputs, *node.outputs)
        yield from each.outputs


def reads(node: gs.Node) -> set[str]:
    """Names of the values that a node reads, and that its bodies read from outside."""
    names = {t.name for t in node.inputs}
    for body in bodies(node):
        made = {t.name for t in body.inputs} | {t.name for inner in body.nodes for t in inner.outputs}
        names |= {t.name for t in body.outputs}.union(*map(reads, body.nodes)) - made - {""}
    return names


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
    """Names of all values of the graph and of all bodies in it."""
    return {t.name for t in every_tensor(graph)}
