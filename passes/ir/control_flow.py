"""Control flow: how values outside of an If, Loop or Scan hang together with those of its bodies.

Planning sees one flat list of nodes. In place of a control flow node stand its *couplings* and the nodes of its bodies.
A coupling is a pseudo node of values whose layouts depend on each other (a Loop's initial state, the state that the
body is given, the one it returns, the final one), and has a rule like any operator. What a body reads from outside
needs none: it is read.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import onnx_graphsurgeon as gs

from passes.ir.graph import bodies, every_node, is_standard

DOMAIN = "coupling"
NODE = -1
RANDOM = {"Bernoulli", "Multinomial", "RandomNormalLike", "RandomUniformLike"}
MOST_TRIPS = 2**20  # above, a trip count means "until the condition says so"


class Place(NamedTuple):
    """Number ``number`` of the inputs or outputs of a body, or (``NODE``) of the control flow node itself."""

    body: int
    number: int


@dataclass(frozen=True, eq=False)
class Coupling:
    """A pseudo node: ``inputs`` come from the node's inputs and bodies' outputs, ``outputs`` go the other way.

    ``axis`` names the attribute of the control flow node, and its entry, that holds the coupling's attribute ``axis``.
    """

    op: str
    name: str
    domain: str
    sources: Sequence[Place]
    results: Sequence[Place]
    inputs: Sequence[gs.Tensor]
    outputs: Sequence[gs.Tensor]
    attrs: dict[str, Any] = field(default_factory=dict)
    axis: tuple[str, int] | None = None


def flat(graph: gs.Graph) -> "Iterator[gs.Node | Coupling]":
    """The nodes that plans speak of, in their order: couplings and bodies in place of the node that has them."""
    for node in graph.nodes:
        inner = bodies(node)
        if not inner:
            yield node
            continue
        yield from couplings(node)
        for body in inner:
            yield from flat(body)


def in_other_bodies(graph: gs.Graph) -> Iterator[gs.Node]:
    """The nodes in bodies of operators other than If, Loop and Scan, as SequenceMap."""
    for node in graph.nodes:
        for body in bodies(node):
            yield from in_other_bodies(body) if is_control_flow(node) else every_node(body)


def couplings(node: gs.Node) -> list[Coupling]:
    """The couplings of a node with bodies. The last is the rest, conditions and counts; it has no rule.

    Of an operator that is not known here, or one of unexpected form, the rest is all.
    """
    inner, found = bodies(node), list[Coupling]()
    give = [node.inputs, *(body.outputs for body in inner)]  # by ``Place.body`` + 1
    take = [node.outputs, *(body.inputs for body in inner)]

    def couple(op: str, domain: str, sources: list[Place], results: list[Place], *more: Any) -> None:
        inputs = [give[place.body + 1][place.number] for place in sources]
        outputs = [take[place.body + 1][place.number] for place in results]
        found.append(Coupling(op, node.name, domain, sources, results, inputs, outputs, *more))

    for op, sources, places, *axis in COUPLED[node.op](node, inner) if is_control_flow(node) else ():
        results = [place for place in places if take[place.body + 1][place.number].name]  # some may be unnamed
        if results:
            couple(op, DOMAIN, sources, results, {"axis": axis[0] if axis else 0}, axis[1] if axis else None)
    rest = [[Place(k, i) for k, tensors in enumerate(side, NODE) for i in range(len(tensors))] for side in (give, take)]
    coupled = {place for one in found for place in one.sources}, {place for one in found for place in one.results}
    left = [[place for place in side if place not in others] for side, others in zip(rest, coupled, strict=True)]
    couple(node.op, node.domain, *left, {}, None)
    return found


def _if(node: gs.Node, branches: list[gs.Graph]) -> "Iterator[Row]":
    """Each output is that of the one branch or the other."""
    if [len(branch.outputs) for branch in branches] == [len(node.outputs)] * 2:
        for j in range(len(node.outputs)):
            yield "If output", [Place(0, j), Place(1, j)], [Place(NODE, j)]


def _loop(node: gs.Node, inner: list[gs.Graph]) -> "Iterator[Row]":
    """Inputs are trip count, condition and states; the body gets and gives the condition, too, and makes slices."""
    body, states = inner[0], max(len(node.inputs) - 2, 0)
    if len(body.inputs) != 2 + states or len(body.outputs) - 1 < max(states, len(node.outputs)):
        return
    for i in range(states):
        final = [Place(NODE, i)] if i < len(node.outputs) else []
        yield "Loop state", [Place(NODE, 2 + i), Place(0, 1 + i)], [Place(0, 2 + i), *final]
    for j in range(states, len(node.outputs)):
        yield "Loop output", [Place(0, 1 + j)], [Place(NODE, j)]


def _scan(node: gs.Node, inner: list[gs.Graph]) -> "Iterator[Row]":
    """Inputs are states and sequences, of which the body gets slices; outputs are states and sequences."""
    body, scanned = inner[0], node.attrs.get("num_scan_inputs", 0)
    states = len(node.inputs) - scanned
    if body.opset < 9 or len(body.inputs) != len(node.inputs) or len(body.outputs) < max(states, len(node.outputs)):
        return  # before opset 9 there were batches
    for i in range(states):
        final = [Place(NODE, i)] if i < len(node.outputs) else []
        yield "Scan state", [Place(NODE, i), Place(0, i)], [Place(0, i), *final]
    for i, axis in enumerate(scan_axes(node, "scan_input_axes")[:scanned]):
        yield "Scan input", [Place(NODE, states + i)], [Place(0, states + i)], axis, ("scan_input_axes", i)
    for j, axis in enumerate(scan_axes(node, "scan_output_axes")[: len(node.outputs) - states]):
        yield "Scan output", [Place(0, states + j)], [Place(NODE, states + j)], axis, ("scan_output_axes", j)


Row = tuple[Any, ...]  # operator, sources, results; where there is one, the axis and what holds it
COUPLED: dict[str, Callable[[gs.Node, list[gs.Graph]], Iterator[Row]]] = {"If": _if, "Loop": _loop, "Scan": _scan}


def is_control_flow(node: gs.Node) -> bool:
    """Whether this is an If, Loop or Scan of standard ONNX."""
    return is_standard(node) and node.op in COUPLED


def scan_axes(node: gs.Node, name: str) -> list[int]:
    """An attribute of a Scan, one axis for each of its scanned inputs or outputs."""
    scanned = node.attrs.get("num_scan_inputs", 0)
    count = scanned if name == "scan_input_axes" else len(node.outputs) - len(node.inputs) + scanned
    return list(node.attrs.get(name) or [0] * count)


def executions_per_inference(graph: gs.Graph, unknown_trips: int) -> dict[str, int]:
    """How often each value is made per inference, where that is not once: in bodies, and of constants only.

    What is made of constants only runtimes compute when they load the model. The body of a loop runs ``unknown_trips``
    times where nobody knows.
    """
    return {**_in_bodies(graph, unknown_trips), **dict.fromkeys(_of_constants(graph), 0)}


def _of_constants(graph: gs.Graph) -> set[str]:
    found: set[str] = set()
    for node in graph.nodes:
        constant = all(isinstance(t, gs.Constant) or t.name in found or not t.name for t in node.inputs)
        if constant and node.inputs and is_standard(node) and node.op not in RANDOM and not bodies(node):
            found |= {t.name for t in node.outputs}
    return found


def _in_bodies(graph: gs.Graph, unknown_trips: int, times: int = 1) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in graph.nodes:
        for body in bodies(node):
            trips = times * trip_count(node, unknown_trips)
            found.update((t.name, trips) for t in body.inputs)
            found.update((t.name, trips) for n in body.nodes for t in n.outputs)
            found |= _in_bodies(body, unknown_trips, trips)
    return found


def trip_count(node: gs.Node, unknown: int) -> int:
    """How often the bodies of a node run: a price, not a fact."""
    if node.op == "If":
        return 1
    count: Any = None
    if node.op == "Loop" and node.inputs and isinstance(node.inputs[0], gs.Constant):
        count = int(np.asarray(node.inputs[0].values).reshape(-1)[0])
    elif node.op == "Scan" and node.inputs and node.inputs[-1].shape:
        count = node.inputs[-1].shape[scan_axes(node, "scan_input_axes")[-1]]
    return count if isinstance(count, int) and 0 < count < MOST_TRIPS else unknown
