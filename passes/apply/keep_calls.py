"""Calls of the model's own functions as the calls that they were, where nothing inside has moved."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import onnx_graphsurgeon as gs

from passes.ir.control_flow import couplings
from passes.ir.graph import assemble, bodies, calls_of, every_node, natural_layout, new_node, reads
from passes.plan.flat_graph import RuledNode
from passes.plan.plan import Plan
from passes.plan.program import Program
from passes.rules.api import ANY, IN, OUT, Layout, Move
from passes.rules.norm import GROUP_DOMAIN


class _Entry(NamedTuple):
    """A node of a graph, and the moves of it and of its bodies.

    ``stays``: these change nothing; ``needs`` are the values that they read as the original stores them.
    """

    node: gs.Node
    moves: list[Move]
    stays: bool
    needs: set[str]


def keep_calls(graph: gs.Graph, program: Program, plan: Plan) -> tuple[gs.Graph, Plan]:
    """The graph and its plan with each call in the place of its nodes, if these, what they read and what they make are
    as they were."""
    if not any(map(calls_of, every_node(graph))):
        return graph, plan
    keeping = _Keeping(program, plan)
    kept, entries = keeping.run(graph)
    moves = [move for entry in entries for move in entry.moves]
    return kept, replace(plan, moves=moves, stored={**plan.stored, **keeping.results})


class _Keeping:
    """``results`` are the layouts of what kept calls make."""

    def __init__(self, program: Program, plan: Plan) -> None:
        self.plan, self.results, self.tensors = plan, dict[str, Layout](), program.flat.tensors
        self.planned = zip(program.flat.nodes, plan.moves, strict=True)
        self.reads = Counter(program.outputs.items())  # how often each value is read in each layout
        for ruled, move in zip(program.flat.nodes, plan.moves, strict=True):
            self.reads.update(_read(ruled, move))
        self.moved = {name for name, layout in self.reads if not layout.is_natural}

    def run(self, graph: gs.Graph) -> tuple[gs.Graph, list[_Entry]]:
        """The graph with calls, and the entries of its nodes."""
        entries = [self._entry(node) for node in graph.nodes]
        readers = Counter(name for entry in entries for name in reads(entry.node))
        readers.update(t.name for t in graph.outputs)
        entries = [*self._with_calls(entries, readers, 0)]
        return assemble(graph, [entry.node for entry in entries], graph.inputs, graph.outputs), entries

    def _entry(self, node: gs.Node) -> _Entry:
        inner = bodies(node)
        own = [next(self.planned) for _ in (couplings(node) if inner else [node])]
        needs = {name for ruled, move in own for name, layout in _read(ruled, move) if layout.is_natural}
        stays = not getattr(node, "changed", ()) and all(self._stays(*one) for one in own)
        whole = _Entry(node, [move for _, move in own], stays, needs)
        if not inner:
            return whole
        runs = [self.run(body) for body in inner]
        graphs = {id(body): run[0] for body, run in zip(inner, runs, strict=True)}
        attrs = {key: graphs.get(id(value), value) for key, value in node.attrs.items()}
        parts = [whole, *(entry for _, entries in runs for entry in entries)]
        return _Entry(new_node(node, node.inputs, node.outputs, attrs=attrs), *_joined(parts))

    def _stays(self, ruled: RuledNode, move: Move) -> bool:
        """Whether a node is as it was; a Transpose is if the plan has one for it alone, before or after it."""
        if (ruled.node.domain, ruled.node.op, move.op) == ("", "Transpose", "Identity"):
            source, result = ruled.value(IN(0)), ruled.value(OUT(0))
            if move.at(IN(0)).is_natural:
                return result not in self.moved
            stored = self.plan.stored.get(source)  # none of a constant
            is_before = stored is not None and stored.is_natural and move.at(OUT(0)).is_natural
            return is_before and self.reads[source, move.at(IN(0))] == 1
        is_natural = all(layout.is_natural or layout == ANY for layout in (*move.inputs, *move.outputs))
        changes = move.op, move.domain, move.steps, move.attrs, move.edits, move.results
        return is_natural and (not any(changes) or ruled.node.domain == GROUP_DOMAIN)

    def _with_calls(self, entries: Sequence[_Entry], readers: "Counter[str]", depth: int) -> Iterator[_Entry]:
        """The entries with kept calls, of those that have ``depth`` others around them."""
        for _, run in groupby(entries, lambda entry: [id(call) for call in calls_of(entry.node)[depth : depth + 1]]):
            group = list(run)
            calls = calls_of(group[0].node)[depth : depth + 1]
            kept = self._call(calls[0], group, readers) if calls else None
            if kept is not None:
                yield kept
            else:
                yield from self._with_calls(group, readers, depth + 1) if calls else group

    def _call(self, call: gs.Node, group: Sequence[_Entry], readers: "Counter[str]") -> _Entry | None:
        """A call in the place of a group of nodes, ``None`` if it cannot stand there."""
        _, stays, needs = _joined(group)
        made = {t.name: t for entry in group for t in entry.node.outputs}
        within = Counter(name for entry in group for name in reads(entry.node))
        others = made.keys() ^ {t.name for t in call.outputs if t.name}  # inside, or computed when the model was read
        is_whole = {t.name for t in call.inputs} >= (needs & within.keys()) - made.keys()
        if not stays or not is_whole or any(readers[name] != within[name] for name in others):
            return None
        held = {t.name: t for entry in group for t in entry.node.inputs}
        inputs = [held.get(t.name, self.tensors.get(t.name, t)) for t in call.inputs]
        if not all(self._is_there(tensor, needs) for tensor in inputs):
            return None
        node = new_node(call, inputs, [made.get(t.name, t) for t in call.outputs])
        self.results |= {t.name: natural_layout(t) for t in node.outputs if t.name}
        move = Move(tuple(map(natural_layout, node.inputs)), tuple(map(natural_layout, node.outputs)))
        return _Entry(node, [move], True, needs)

    def _is_there(self, tensor: gs.Tensor, needs: set[str]) -> bool:
        """Whether a value can be read as it was without a Transpose for this alone."""
        if not tensor.name or isinstance(tensor, gs.Constant):
            return True
        layout = self.plan.stored.get(tensor.name)
        return layout is not None and (layout.is_natural or tensor.name in needs)


def _read(ruled: RuledNode, move: Move) -> Iterator[tuple[str, Layout]]:
    """The values that a node reads for what they hold, and in which layouts."""
    for slot in (slot for slot in ruled.live if slot.side == "in" and move.at(slot) != ANY):
        yield ruled.value(slot), move.at(slot)


def _joined(entries: Sequence[_Entry]) -> tuple[list[Move], bool, set[str]]:
    moves = [move for entry in entries for move in entry.moves]
    return moves, all(entry.stays for entry in entries), set[str]().union(*(entry.needs for entry in entries))
