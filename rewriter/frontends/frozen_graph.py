"""Frozen graphs: a GraphDef does not say what its inputs and outputs are."""

from pathlib import Path
from typing import Any

import numpy as np

from rewriter.errors import UsageError
from rewriter.frontends import Asked
from rewriter.frontends.converting import Converted
from rewriter.frontends.tf_graph import of_graph, refuse_unknown, sized, tensorflow

MOST = 8  # names in a sentence
SILENT = ("NoOp", "Const", "Placeholder", "Assert")  # nodes that nobody reads, and that give nothing


def convert(path: Path, asked: Asked) -> Converted:
    """The model of a .pb file. Raises UsageError, which lists candidates, if its ends are not told, or wrong."""
    tf = tensorflow(path)
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's, of its own class in each build
        raise UsageError(f"{path}: not a frozen graph ({error})") from None
    if not asked.inputs or not asked.outputs:
        raise UsageError(
            f"{path}: a frozen graph does not say what its inputs and outputs are; name them with --tf-inputs and "
            f"--tf-outputs: its placeholders are {_told(placeholders(graph))}, nobody reads {_told(unread(graph))}"
        )
    inputs, outputs = ({tensor_name(path, graph, name): name for name in names} for names in asked[1:3])
    refuse_unknown(path, asked, [*inputs.values()])
    for node in (node for node in graph.node if node.op == "Placeholder"):
        shape = tf.TensorShape(node.attr["shape"].shape)
        fixed = sized(path, asked, inputs.get(f"{node.name}:0", ""), shape)
        node.attr["shape"].shape.CopyFrom(fixed.as_proto())
    model = of_graph(path, asked, graph, inputs, outputs)

    def run(feed: Any) -> list[Any]:
        function = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph, name=""), [])
        pruned = function.prune([*inputs], [*outputs])
        return [np.asarray(value) for value in pruned(*(tf.constant(feed[name]) for name in inputs.values()))]

    return Converted(model, run)


def placeholders(graph: Any) -> list[str]:
    """The nodes that are given."""
    return [node.name for node in graph.node if node.op == "Placeholder"]


def unread(graph: Any) -> list[str]:
    """The nodes whose results nobody reads."""
    read = {name.lstrip("^").partition(":")[0] for node in graph.node for name in node.input}
    return [node.name for node in graph.node if node.name not in read and node.op not in SILENT]


def tensor_name(path: Path, graph: Any, name: str) -> str:
    """TensorFlow's name of a tensor (``node:0``) for that, or for its node's."""
    node, _, number = name.partition(":")
    if node not in {one.name for one in graph.node}:
        raise UsageError(
            f"{path} has no node {node!r}; its placeholders are {_told(placeholders(graph))}, nobody reads "
            f"{_told(unread(graph))}"
        )
    return f"{node}:{number or 0}"


def _told(names: list[str]) -> str:
    return ", ".join(names[:MOST]) + ", ..." * (len(names) > MOST) if names else "none"
