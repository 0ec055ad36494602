"""Keras's GRU, which tf2onnx writes as a Loop: as the operator GRU, where it gives the same when both are run.

Source: ``keras.layers.GRU``: kernel (F, 3H), recurrent kernel (H, 3H), gates z r h as ONNX has them; a bias (2, 3H)
with ``reset_after=True``, which is ``linear_before_reset`` of ONNX, else (3H,).
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from rewriter.errors import RunFailed
from rewriter.validation.session import Session
from rewriter.weights.tensors.letters import Array

CLOSE = 1e-5
BATCH = 2  # of the run
RESULTS = ("sequence", "state")  # of a GRU: for each step [T, N, H], and after the last one [N, H]


@dataclass(frozen=True)
class Found:
    """A Loop over a sequence ``x`` [T, N, F] with one state [N, H]; ``weights`` go through it unchanged."""

    node: NodeProto
    x: str
    state: str
    steps: int
    weights: tuple[Array, ...]
    held: tuple[TensorProto, ...]  # all constants that it reads

    @property
    def name(self) -> str:
        """As a manifest has it."""
        return str(self.node.name or self.node.output[0])


def with_grus(model: ModelProto) -> tuple[ModelProto, list[str]]:
    """The model with a GRU for each Loop that is one, and notes on the other Loops and Scans that hold weights."""
    loops = [node for node in model.graph.node if node.op_type in ("Loop", "Scan") and not node.domain]
    if not loops:
        return model, []
    held = {t.name: t for t in model.graph.initializer}
    changed, notes = deepcopy(model), list[str]()
    del changed.graph.node[:]
    for node in model.graph.node:
        found = find_loop(node, held) if node in loops else None
        parts = None if found is None else gru_of(found, model)
        if found is None or parts is None:
            changed.graph.node.append(node)
            notes += notes_on(node, held) if node in loops else []
        else:
            changed.graph.node.extend(parts[0])
            changed.graph.initializer.extend(parts[1])
    return changed, notes


def notes_on(node: NodeProto, held: Mapping[str, TensorProto]) -> Iterator[str]:
    """A note on what a loop holds that may be a layer's."""
    read = dict.fromkeys([*node.input, *captured(body_of(node))])
    weights = [name for name in read if name in held and len(held[name].dims) > 1]
    if weights:
        told = ", ".join(map(repr, weights))
        yield f"{node.name or node.output[0]}: no layer is known for this {node.op_type}; it computes with {told}"


def find_loop(node: NodeProto, held: Mapping[str, TensorProto]) -> Found | None:
    """What may be a GRU: one sequence from outside, one state, and a constant number of steps."""
    body = body_of(node)
    if (
        node.op_type != "Loop"
        or node.input[0] not in held
        or any(a.HasField("g") for n in body.node for a in n.attribute)
    ):
        return None
    outside = [name for name in captured(body) if name not in held]
    carried = list(zip(node.input[2:], body.input[2:], body.output[1:], strict=False))
    through = [name for name, inner, result in carried if inner.name == result.name]
    floats = (name for name, inner, _ in carried if inner.type.tensor_type.elem_type == TensorProto.FLOAT)
    states = [name for name in floats if name not in through]
    others = {node.input[0], *node.input[2:], *captured(body)} - {*states, *outside}
    if len(outside) != 1 or len(states) != 1 or not others <= held.keys():
        return None
    weights = tuple(numpy_helper.to_array(held[name]) for name in through)
    steps = int(numpy_helper.to_array(held[node.input[0]]))
    return Found(node, outside[0], states[0], steps, weights, tuple(held[name] for name in others))


def gru_of(found: Found, model: ModelProto) -> tuple[list[NodeProto], list[TensorProto]] | None:
    """Nodes and constants in the Loop's place; ``None`` unless they give what it gives, for random numbers."""
    outputs = [name for name in found.node.output if name in names_read(model)]
    begin = numpy_helper.from_array(np.asarray(True), found.node.input[1])
    for arrays, after in candidates(found.weights):
        sizes = {found.x: (found.steps, BATCH, arrays[0].shape[2]), found.state: (BATCH, arrays[1].shape[2])}
        inputs = {name: np.random.default_rng(0).standard_normal(size).astype("f") for name, size in sizes.items()}
        wanted = run(model, [found.node], (*found.held, begin), inputs, outputs)
        names = [f"{found.name}.{letter}" for letter in "WRB"[: len(arrays)]]
        constants = [numpy_helper.from_array(array, name) for name, array in zip(names, arrays, strict=True)]
        nodes, axes = gru_nodes(found, names, arrays[1].shape[2], after)
        results = [f"{found.name}.{result}" for result in RESULTS]
        made = run(model, nodes, (*constants, *axes), inputs, results)
        same = [r for w in wanted for r in [r for r, m in zip(results, made, strict=False) if close(w, m)][:1]]
        if len(same) == len(outputs) > 0:
            ends = [helper.make_node("Identity", [r], [o]) for r, o in zip(same, outputs, strict=True)]
            return [*nodes, *ends], [*constants, *axes]
    return None


def candidates(weights: Sequence[Array]) -> Iterator[tuple[list[Array], bool]]:
    """W, R and maybe B of ONNX, and ``linear_before_reset``, as which the weights may be meant."""
    matrices = [array for array in weights if array.ndim == 2]
    for kernel, recurrent in permutations(matrices, 2):
        bias = [array for array in weights if array is not kernel and array is not recurrent]
        hidden = recurrent.shape[0]
        gates = 3 * hidden
        if (recurrent.shape[1], kernel.shape[1]) != (gates, gates) or len(bias) > 1:
            continue
        if bias and bias[0].shape not in ((gates,), (2, gates)):
            continue
        rows = (
            [np.concatenate([*bias, np.zeros_like(bias[0])]) if bias[0].ndim == 1 else bias[0].ravel()] if bias else []
        )
        arrays = [np.ascontiguousarray(array)[None] for array in (kernel.T, recurrent.T, *rows)]
        yield from ((arrays, after) for after in (True, False))


def gru_nodes(
    found: Found, names: Sequence[str], hidden: int, after: bool
) -> tuple[list[NodeProto], list[TensorProto]]:
    """A GRU, and the axes that it has for directions taken away by Reshapes."""
    given, made = f"{found.name}.initial", [f"{found.name}.Y", f"{found.name}.Y_h"]
    sizes = {"sequence": [0, -1, hidden], "state": [-1, hidden], "initial": [1, -1, hidden]}
    shapes = {key: f"{found.name}.{key}_shape" for key in sizes}
    held = [numpy_helper.from_array(np.asarray(sizes[key], np.int64), name) for key, name in shapes.items()]
    inputs = [found.x, *names, *[""] * (4 - len(names)), given]
    nodes = [
        helper.make_node("Reshape", [found.state, shapes["initial"]], [given]),
        helper.make_node("GRU", inputs, made, found.name, hidden_size=hidden, linear_before_reset=int(after)),
    ]
    for value, result in zip(made, RESULTS, strict=True):
        nodes.append(helper.make_node("Reshape", [value, shapes[result]], [f"{found.name}.{result}"]))
    return nodes, held


def run(
    model: ModelProto,
    nodes: Sequence[NodeProto],
    constants: Sequence[TensorProto],
    inputs: Mapping[str, Array],
    outputs: Sequence[str],
) -> list[Array]:
    """What some nodes give in a model of the same opset; nothing, if they cannot be run."""
    heads = [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in inputs.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "part", heads, ends, constants)
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    try:
        return Session(part.SerializeToString(), "cpu", "disabled").run(dict(inputs))
    except RunFailed:
        return []


def close(a: Array, b: Array) -> bool:
    """Whether two results are the same but for their last bits."""
    return a.shape == b.shape and bool(np.allclose(a, b, atol=CLOSE))


def body_of(node: NodeProto) -> GraphProto:
    """The body of a Loop or Scan."""
    bodies: list[GraphProto] = [a.g for a in node.attribute if a.name == "body"]
    return bodies[0]


def captured(graph: GraphProto) -> list[str]:
    """Names of values from outside that a body reads."""
    own = {value.name for value in (*graph.input, *graph.initializer)} | {o for n in graph.node for o in n.output}
    inner = (name for n in graph.node for a in n.attribute if a.HasField("g") for name in captured(a.g))
    read = dict.fromkeys(name for n in graph.node for name in n.input if name)
    return [name for name in {**read, **dict.fromkeys(inner)} if name not in own]


def names_read(model: ModelProto) -> set[str]:
    """Names of values that a node, a body or the outside of a model reads."""
    return {*all_inputs(model.graph), *(output.name for output in model.graph.output)}


def all_inputs(graph: GraphProto) -> Iterator[str]:
    """Inputs of nodes, in bodies too."""
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            yield from all_inputs(attribute.g)
