"""The nodes of a model and of its result, with the layout in which each value is stored."""

from collections.abc import Callable, Iterator, Sequence

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from passes.ir.declared import shape_of, values_of
from passes.ir.graph import every_graph
from passes.ir.importer import UNKNOWN
from passes.layout.layout import Layout
from passes.pipeline import Work
from passes.plan.plan import Relayout
from rewriter.interface import layout_text, letters
from rewriter.report.data import GraphNode, Graphs, NodeValue

CHANGES = {"Transpose", "Reshape", "Einsum", "Unsqueeze"}  # the last node of a change of layout
Describe = Callable[[GraphProto], Callable[[str], NodeValue]]  # of the graph that has the value, and its name
Known = tuple[str, Layout]  # a value of the original, and how it is stored


def graphs(work: Work, result: ModelProto, changes: Sequence[Relayout]) -> Graphs:
    """Both graphs of a rewrite that gave ``result``; ``changes`` are those that remain, in the report's order."""
    numbers: dict[Known | None, int] = {(one.value, one.needed): number for number, one in enumerate(changes)}
    left = {one.value: number for number, one in enumerate(changes) if one.bytes is None}

    def number(node: NodeProto) -> int | None:
        if node.op_type not in CHANGES or not node.output:
            return None
        made = work.stored.get(node.output[0])
        if made in numbers:
            return numbers[made]
        return left.get(node.input[0]) if node.op_type == "Transpose" else None

    return Graphs(
        [*_nodes(work.program.graph.origin.model.graph, _original(work), lambda node: None)],
        [*_nodes(result.graph, _rewritten(work), number)],
    )


def _nodes(
    graph: GraphProto, describe: Describe, number: Callable[[NodeProto], int | None], body: str = ""
) -> Iterator[GraphNode]:
    """The nodes of a graph, each followed by those of its bodies."""
    value = describe(graph)
    for node in graph.node:
        if node.op_type == "Constant":
            continue
        yield GraphNode(
            name=node.name,
            op=operator(node.op_type, node.domain),
            inputs=list(node.input),
            outputs=[value(name) for name in node.output if name],
            body=body,
            remaining=number(node),
        )
        for attr in (attr for attr in node.attribute if attr.type == AttributeProto.GRAPH):
            inside = f"{body}/{node.name or node.op_type}/{attr.name}".lstrip("/")
            yield from _nodes(attr.g, describe, number, inside)


def operator(op: str, domain: str) -> str:
    """``Conv``, or ``my.domain::Conv``."""
    return op if domain in ("", "ai.onnx") else f"{domain}::{op}"


def _original(work: Work) -> Describe:
    """How the original's values are: shapes as inferred, where they are, letters where they are images."""
    graph, tensors = work.program.graph, work.program.flat.tensors
    origins = {id(one.origin.proto): one.origin for one in every_graph(graph)}

    def describe(proto: GraphProto) -> Callable[[str], NodeValue]:
        origin, declared = origins.get(id(proto)), values_of(proto)

        def value(name: str) -> NodeValue:
            now = origin.name(name) if origin else ""
            inferred = tensors[now].shape if now in tensors else None
            shape = shape_of(declared.get(name)) if inferred is None else inferred
            return NodeValue(name=name, shape=_plain(shape), layout=letters(work.roles.get(now, "")) or "")

        return value

    return describe


def _rewritten(work: Work) -> Describe:
    """How the result's values are: shapes as it declares them, the layouts of the plan."""

    def describe(proto: GraphProto) -> Callable[[str], NodeValue]:
        declared = values_of(proto)

        def value(name: str) -> NodeValue:
            shape = _plain(shape_of(declared.get(name)))
            return NodeValue(name=name, shape=shape, layout=_layout(work, work.stored.get(name)))

        return value

    return describe


def _layout(work: Work, known: Known | None) -> str:
    if known is None:
        return ""
    value, layout = known
    roles = work.roles.get(value, "")
    return "" if layout.is_natural and letters(roles) is None else layout_text(layout, roles)


def _plain(shape: list[int | str | None] | None) -> list[int | str | None] | None:
    """Without the symbols that inference made up."""
    return shape and [None if isinstance(d, str) and d.startswith(UNKNOWN) else d for d in shape]
