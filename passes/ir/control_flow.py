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

from passes.ir.graph import bodies, is_standard

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


def couplings(node: gs.Node) -> list[Coupling]:
    """The couplings of a node with bodies. The last is the rest, conditions and counts; it has no rule.

    Of an operator that is not known here, or one of unexpected form, the rest is all.
    """
    builder = _Couplings(node)
    if is_control_flow(node):
        COUPLED[node.op](builder)
    builder.add_rest()
    return builder.couplings


class _Couplings:
    def __init__(self, node: gs.Node) -> None:
        self.node, self.bodies = node, bodies(node)
        self.couplings: list[Coupling] = []

    def source(self, place: Place) -> gs.Tensor:
        return (self.node.inputs if place.body == NODE else self.bodies[place.body].outputs)[place.number]

    def result(self, place: Place) -> gs.Tensor:
        return (self.node.outputs if place.body == NODE else self.bodies[place.body].inputs)[place.number]

    def add(
        self, op: str, sources: list[Place], results: list[Place], axis: int = 0, held: tuple[str, int] | None = None
    ) -> None:
        results = [place for place in results if self.result(place).name]  # of what a node gives, some may be unnamed
        if results:
            self._add(op, DOMAIN, sources, results, {"axis": axis}, held)

    def add_rest(self) -> None:
        given = [Place(NODE, i) for i in range(len(self.node.inputs))]
        given += [Place(k, i) for k, body in enumerate(self.bodies) for i in range(len(body.outputs))]
        taken = [Place(NODE, j) for j in range(len(self.node.outputs))]
        taken += [Place(k, i) for k, body in enumerate(self.bodies) for i in range(len(body.inputs))]
        sources = [place for place in given if not any(place in one.sources for one in self.couplings)]
        results = [place for place in taken if not any(place in one.results for one in self.couplings)]
        self._add(self.node.op, self.node.domain, sources, results, {}, None)

    def _add(
        self, op: str, domain: str, sources: list[Place], results: list[Place], attrs: dict[str, Any],
        held: tuple[str, int] | None,
    ) -> None:  # fmt: skip
        inputs, outputs = [self.source(place) for place in sources], [self.result(place) for place in results]
        self.couplings.append(Coupling(op, self.node.name, domain, sources, results, inputs, outputs, attrs, held))


def _if(builder: _Couplings) -> None:
    """Each output is that of the one branch or the other."""
    count = len(builder.node.outputs)
    if len(builder.bodies) != 2 or any(len(body.outputs) != count for body in builder.bodies):
        return
    for j in range(count):
        builder.add("If output", [Place(0, j), Place(1, j)], [Place(NODE, j)])


def _loop(builder: _Couplings) -> None:
    """Inputs are trip count, condition and states; the body gets and gives the condition, too, and makes slices."""
    body, states = builder.bodies[0], max(len(builder.node.inputs) - 2, 0)
    if len(body.inputs) != 2 + states or len(body.outputs) - 1 < max(states, len(builder.node.outputs)):
        return
    for i in range(states):
        final = [Place(NODE, i)] if i < len(builder.node.outputs) else []
        builder.add("Loop state", [Place(NODE, 2 + i), Place(0, 1 + i)], [Place(0, 2 + i), *final])
    for j in range(states, len(builder.node.outputs)):
        builder.add("Loop output", [Place(0, 1 + j)], [Place(NODE, j)])


def _scan(builder: _Couplings) -> None:
    """Inputs are states and sequences, of which the body gets slices; outputs are states and sequences."""
    node, body = builder.node, builder.bodies[0]
    scanned = node.attrs.get("num_scan_inputs", 0)
    states = len(node.inputs) - scanned
    if body.opset < 9 or len(body.inputs) != len(node.inputs) or len(body.outputs) < max(states, len(node.outputs)):
        return  # before opset 9 there were batches
    for i in range(states):
        final = [Place(NODE, i)] if i < len(node.outputs) else []
        builder.add("Scan state", [Place(NODE, i), Place(0, i)], [Place(0, i), *final])
    for i, axis in enumerate(scan_axes(node, "scan_input_axes")[:scanned]):
        builder.add("Scan input", [Place(NODE, states + i)], [Place(0, states + i)], axis, ("scan_input_axes", i))
    for j, axis in enumerate(scan_axes(node, "scan_output_axes")[: len(node.outputs) - states]):
        builder.add("Scan output", [Place(0, states + j)], [Place(NODE, states + j)], axis, ("scan_output_axes", j))


COUPLED: dict[str, Callable[[_Couplings], None]] = {"If": _if, "Loop": _loop, "Scan": _scan}


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
