"""A model that rounds ties otherwise: what it quantises is moved by last bits.

A right rewrite adds in another order, so that what lies next to the middle of two steps is rounded to the other one.
Such a step is far more than the noise of floats, and the last bits of the inputs need not reach it.
"""

from copy import deepcopy

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from passes.ir.declared import every_graph_proto, held_tensors
from passes.ir.graph import unused
from rewriter.validation.session import Feed

RANGE = 256  # of what is quantised to 8 bits, in steps
LAST_BITS = [2.0**bits * np.finfo(np.float32).eps for bits in range(8)]  # as shares of the range; at most 1.5e-5
MOVES = [*((most, 0.0) for most in LAST_BITS), *((0.0, sign * most) for most in LAST_BITS[1::3] for sign in (-1, 1))]


def quantizes(model: ModelProto) -> bool:
    """Whether there is a QuantizeLinear in the main graph."""
    return any(node.op_type == "QuantizeLinear" for node in model.graph.node)


def with_moved_ties(model: ModelProto) -> tuple[ModelProto, list[Feed]] | None:
    """The model, in which what each QuantizeLinear reads is moved, and what to feed besides, for one way after another.

    Moved at random, otherwise in each run, or all up or down. ``None`` where nothing of float32 is quantised by one
    known scale.
    """
    copy = deepcopy(model)
    taken = {name for graph in every_graph_proto(copy.graph) for node in graph.node for name in node.output}
    taken |= {value.name for value in (*copy.graph.input, *copy.graph.initializer)}
    ends, scales = [unused(name, taken) for name in ("most", "all")], _scales(copy.graph)
    nodes: list[NodeProto] = []
    for node in copy.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[1] in scales:
            nodes += _moved(node, len(nodes), scales[node.input[1]], ends, taken)
        nodes.append(node)
    if len(nodes) == len(copy.graph.node):
        return None
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    copy.graph.input.extend(helper.make_tensor_value_info(end, TensorProto.FLOAT, []) for end in ends)
    return copy, [dict(zip(ends, np.array(move, np.float32), strict=True)) for move in MOVES]


def _moved(node: NodeProto, seed: int, scale: float, ends: list[str], taken: set[str]) -> list[NodeProto]:
    """The nodes that move what it quantises, which it then reads."""
    names = ("random", "some", "share", "range", "by", "moved")
    random, some, share, span, by, moved = (unused(f"{node.output[0]}/{name}", taken) for name in names)
    held = numpy_helper.from_array(np.array(RANGE * scale, np.float32))
    nodes = [
        helper.make_node("RandomUniformLike", [node.input[0]], [random], low=-1.0, high=1.0, seed=float(seed)),
        helper.make_node("Mul", [random, ends[0]], [some]),
        helper.make_node("Add", [some, ends[1]], [share]),
        helper.make_node("Constant", [], [span], value=held),
        helper.make_node("Mul", [share, span], [by]),
        helper.make_node("Add", [node.input[0], by], [moved]),
    ]
    node.input[0] = moved
    return nodes


def _scales(graph: GraphProto) -> dict[str, float]:
    """Constants of one number in float32, by name."""
    held = held_tensors(graph).items()
    single = {name: t for name, t in held if t.data_type == TensorProto.FLOAT and not set(t.dims) - {1}}
    return {name: float(numpy_helper.to_array(tensor).item()) for name, tensor in single.items()}
