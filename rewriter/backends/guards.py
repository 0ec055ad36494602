"""Guards of a Softmax against NaN, as PyTorch's exporter writes them around attention; integers need none."""

from collections.abc import Mapping, Set

from onnx import ModelProto, NodeProto, helper

from rewriter.backends.pairs import with_nodes


def without_guards(model: ModelProto) -> ModelProto:
    """The model with ``y`` for ``Where(IsNaN(y), number, y)`` behind a Softmax; itself, where there is none.

    A Softmax is NaN only of infinities and NaN, which no range has: in int8 the guard would only round once more.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    numbers = {tensor.name for tensor in graph.initializer if [*tensor.dims] in ([], [1])}
    found = {node.output[0] for node in graph.node if _guards(node, makers, numbers)}
    if not found:
        return model
    return with_nodes(model, (_bare(node) if node.output[0] in found else node for node in graph.node))


def is_guard(node: NodeProto, asked: NodeProto | None, made: NodeProto | None) -> bool:
    """Whether a Where is ``Where(IsNaN(y), x, y)`` of a Softmax, by what makes its condition and what makes ``y``."""
    if asked is None or made is None or (asked.op_type, made.op_type) != ("IsNaN", "Softmax"):
        return False
    return bool(asked.input[0] == node.input[2])


def _guards(node: NodeProto, makers: Mapping[str, NodeProto], numbers: Set[str]) -> bool:
    if node.op_type != "Where" or node.input[1] not in numbers:
        return False
    return is_guard(node, makers.get(node.input[0]), makers.get(node.input[2]))


def _bare(guard: NodeProto) -> NodeProto:
    return helper.make_node("Identity", guard.input[2:], guard.output, guard.name)
