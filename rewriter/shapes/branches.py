"""Results that have one rank or another, as a condition or a number of trips says: what a file declares of them is true
of one case, and no shape of any other value may follow from it."""

from collections.abc import Iterator

from onnx import GraphProto, NodeProto

from passes.dialects.facts import facts_of
from passes.ir.declared import body_protos, every_node_proto
from passes.ir.graph import is_standard


def of_several_ranks(graph: GraphProto) -> set[str]:
    """The results of the If and Loop nodes of a graph and its bodies whose cases are known to differ in rank."""
    ranks = {name: len(fact.dims) for name, fact in facts_of(graph).items() if fact.dims is not None}
    cases = (case for node in every_node_proto(graph) if is_standard(node) for case in _cases(node))
    return {name for name, values in cases if len({ranks[value] for value in values if value in ranks}) > 1}


def _cases(node: NodeProto) -> Iterator[tuple[str, list[str]]]:
    """By result of an If or Loop: the values of which it is one."""
    inner = body_protos(node)
    if node.op_type == "If":
        yield from ((name, [body.output[i].name for body in inner]) for i, name in enumerate(node.output))
    if node.op_type == "Loop":  # without a trip the state is the first one
        states = zip(node.output, node.input[2:], inner[0].output[1:], strict=False)
        yield from ((name, [first, last.name]) for name, first, last in states)
