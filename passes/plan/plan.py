"""The plan of least transposed bytes: one move per node, and the changes of layout that remain, with their reasons."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from passes.layout.recipe import Transpose, recipe
from passes.plan.blame import Blame, Blames
from passes.plan.flat_graph import FlatGraph, Touch
from passes.plan.formulation import Formulation
from passes.plan.milp import Dearer
from passes.plan.program import Program
from passes.plan.reduced import Reduced
from passes.rules.api import ANY, IN, Layout, Move, Shape, natural, permuted


@dataclass(frozen=True)
class Relayout:
    """A value stored one way and needed another: a Transpose of ``bytes``, or a Reshape where no byte moves.

    ``bytes`` is ``None`` for a Transpose of the model's own that stays because the rank of its value is unknown;
    ``needed`` then is ANY if it reverses all axes. ``blocker`` is the node that is the ``reason``, if one is.
    """

    value: str
    stored: Layout
    needed: Layout
    op: str
    bytes: int | None
    made_by: str
    readers: tuple[str, ...]  # empty: only the interface
    reason: str
    blocker: str = ""

    @property
    def blame(self) -> str:
        """Who is the reason, and why."""
        return f"{self.blocker}: {self.reason}" if self.blocker else self.reason


@dataclass(frozen=True)
class Plan:
    """One move per node (in the order of ``control_flow.flat``), the layout each value is stored in, what remains.

    ``bytes`` are those of the Transposes that remain. ``cost``, in units of the runtime's prices, is that of these and
    of what runs dearer or cheaper because of how values are stored; ``bound`` is proven: no plan costs less.
    ``held``: values and needed layouts of changes that the runtime would undo, if they were Transposes.
    """

    moves: list[Move]
    stored: Mapping[str, Layout]
    relayouts: list[Relayout]
    bytes: int
    cost: float
    bound: float
    optimal: bool
    held: frozenset[tuple[str, Layout]] = frozenset()


def make_plan(
    program: Program,
    time_limit: float = 60.0,
    only: Mapping[int, list[Move]] | None = None,
    at_most: float = float("inf"),
) -> Plan:
    """The cheapest plan; ``only``: by node the moves that it may make, if not all.

    Raises PlanError if there is none, or the solver finds none within ``time_limit`` seconds; Dearer, if none costs
    ``at_most`` so much.
    """
    flat = program.flat
    chosen, bound, optimal = Formulation(program, Reduced(program, only or {})).solve(time_limit, at_most)
    stored = {**program.inputs, **{name: chosen[i].at(slot) for name, (i, slot) in program.flat.makers.items()}}
    relayouts = [*_relayouts(program, chosen, stored), *_left(program.flat, chosen)]
    total = sum(relayout.bytes or 0 for relayout in relayouts)
    cost = sum(program.per_inference(i, program.inside(flat.nodes[i].node, move)) for i, move in enumerate(chosen))
    cost += sum(program.changes_of(one.value).between(one.stored, one.needed) for one in relayouts if one.bytes)
    if cost > at_most:
        raise Dearer
    return Plan(chosen, stored, relayouts, total, cost, cost if optimal else bound, optimal)


def nearest(have: Iterable[Layout], needed: Layout, shape: Shape | None) -> Layout:
    """Of the layouts ``have``, the one to make ``needed`` from: one that holds the same bytes, else the first."""
    have, order = list(have), needed.memory_order(shape)
    return next((layout for layout in have if layout.memory_order(shape) == order), have[0])


def _relayouts(program: Program, chosen: Sequence[Move], stored: Mapping[str, Layout]) -> Iterator[Relayout]:
    """What remains, by value and needed layout."""
    flat, had = program.flat, {name: [layout] for name, layout in stored.items()}
    blames = Blames(program)
    for (name, needed), readers in _needs(program, chosen).items():
        have = had[name]
        if needed in have:
            continue
        shape = flat.tensors[name].shape
        source = nearest(have, needed, shape)
        moved = 0 if source.memory_order(shape) == needed.memory_order(shape) else program.bytes_of(name)
        op = "Transpose" if any(isinstance(step, Transpose) for step in recipe(source, needed, shape)) else "Reshape"
        labels = tuple(str(flat.nodes[i]) for i, _ in readers)
        culprit = _cheaper(program, chosen, have[0], readers) or blames.of(name, have[0], readers)
        yield Relayout(name, source, needed, op, moved, flat.made_by(name), labels, *culprit)
        have.append(needed)


def _needs(program: Program, chosen: Sequence[Move]) -> dict[tuple[str, Layout], list[Touch]]:
    """Who reads which value in which layout; nobody where only a graph output is in it. Constants cost nothing."""
    needs: dict[tuple[str, Layout], list[Touch]] = {}
    for name in program.flat.tensors:
        for i, slot in program.flat.readers(name):
            if chosen[i].at(slot) != ANY:
                needs.setdefault((name, chosen[i].at(slot)), []).append((i, slot))
    for name, layout in program.outputs.items():
        if name in program.flat.tensors:
            needs.setdefault((name, layout), [])
    return needs


def _cheaper(program: Program, chosen: Sequence[Move], stored: Layout, readers: Sequence[Touch]) -> Blame | None:
    """The first reader that costs less with another layout than with the one that the value is stored in."""
    for i, slot in readers:
        ruled, cost = program.flat.nodes[i], program.inside(program.flat.nodes[i].node, chosen[i])
        others = [program.inside(ruled.node, move) for move in program.moves[i] if move.at(slot) == stored]
        if others and cost < min(others):
            return "it costs less so than in the layout that its input has", str(ruled)
    return None


def _left(flat: FlatGraph, chosen: Sequence[Move]) -> Iterator[Relayout]:
    """The model's own Transposes that stay: of values whose rank is unknown no other layout can be told."""
    for ruled, move in zip(flat.nodes, chosen, strict=True):
        if (ruled.node.domain, ruled.node.op, move.op) == ("", "Transpose", None):
            name, p = ruled.value(IN(0)), ruled.node.attr("perm")
            needed, reason = permuted(tuple(p)) if p else ANY, "its rank is unknown"
            yield Relayout(name, natural(None), needed, "Transpose", None, flat.made_by(name), (str(ruled),), reason)
