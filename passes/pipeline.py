"""All that is done to a graph between reading and writing, in order. Who runs the passes checks and times each."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import onnx_graphsurgeon as gs

import passes.rules  # noqa: F401  (fills the registry)
from passes.apply.add_bias import add_bias
from passes.apply.hold_changes import hold_changes
from passes.apply.keep_calls import keep_calls
from passes.apply.push_transposes import Pushed, push
from passes.apply.quantize_as_functions import as_functions
from passes.apply.tidy import tidy
from passes.apply.widen_vectors import widen_vectors
from passes.dialects.base import Dialect
from passes.ir.lint import lint, lint_names
from passes.layout.choice import Choice, Recorded
from passes.layout.layout import Layout
from passes.normalize.constant_nodes import constant_nodes
from passes.normalize.dead_code import dead_code
from passes.normalize.exact_pools import exact_pools
from passes.normalize.fold_sizes import fold_sizes
from passes.normalize.frames import Frames
from passes.normalize.fuse_attention import fuse_attention
from passes.normalize.fuse_group_norm import fuse_group_norm
from passes.normalize.infer_shapes import Engines, infer_shapes
from passes.normalize.inline_functions import inline_functions
from passes.normalize.lower_functions import lower_functions
from passes.normalize.means_of_rows import means_of_rows
from passes.normalize.permuting_einsums import permuting_einsums
from passes.normalize.preprocess import Preprocessed, WithFrames, preprocess
from passes.normalize.raise_opset import raise_opset
from passes.normalize.toposort import toposort
from passes.normalize.unique_names import unique_names
from passes.plan.cost import BYTES, runtime, transposed_bytes
from passes.plan.evidence import CHANNELS
from passes.plan.interface import assumed_roles, interface
from passes.plan.milp import Dearer
from passes.plan.plan import Plan, make_plan
from passes.plan.program import Program
from passes.plan.roles import find_roles, image
from passes.plan.sizes import given_sizes, measured_sizes
from passes.rules.norm import GROUP_NORM

READ, NORMALIZE, PLAN, APPLY = "read", "normalize", "plan", "push"  # stages


@dataclass(frozen=True)
class Request:
    """What was asked for: see ``rewriter.rewrite``.

    ``recorded`` is what the file's own record says of graph inputs and outputs. ``own_weights``: what the file makes of
    weights is not computed. ``runtime``: whose prices the plan is made at. ``frames``: what inputs take in the result.
    """

    to: str
    dialect: Dialect
    choices: Mapping[str, Choice] = field(default_factory=dict)
    recorded: Mapping[str, Recorded] = field(default_factory=dict)
    keep_io: bool = False
    input_shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    time_limit: float = 60.0
    own_weights: bool = False
    runtime: str = BYTES
    frames: Mapping[str, Frames] = field(default_factory=dict)


@dataclass
class Work:
    """A graph on its way through the passes, and what they found out; each gives one part.

    ``seconds`` are by stage; ``measured`` are sizes by symbol; ``bytes_before`` is what the Transposes of the file move
    per inference, ``roles`` those of axes, ``preprocessed`` the inputs that take frames. ``fused`` is the graph with
    attentions as one operator each, if it has any; ``programs`` are what may be planned. The graph that the plan is for
    stays in ``program``; ``kept`` are graph and plan with calls of functions; ``stored`` is how the result stores
    values, by new name (see ``Pushed``).
    """

    graph: gs.Graph
    request: Request
    engines: Engines
    seconds: dict[str, float]
    measured: Mapping[str, int] = field(default_factory=dict)
    bytes_before: int = field(init=False)
    roles: Mapping[str, str] = field(init=False)
    preprocessed: Sequence[Preprocessed] = ()
    fused: gs.Graph = field(init=False)
    programs: Sequence[Program] = field(init=False)
    program: Program = field(init=False)
    plan: Plan = field(init=False)
    kept: tuple[gs.Graph, Plan] = field(init=False)
    stored: Mapping[str, tuple[str, Layout]] = field(init=False)

    @property
    def planned(self) -> "Planned":
        """The graph with its plan."""
        return Planned(self.graph, self.program, self.plan)

    @planned.setter
    def planned(self, planned: "Planned") -> None:
        self.graph, self.program, self.plan = planned

    @property
    def with_frames(self) -> WithFrames:
        """The graph with what became of inputs that take frames."""
        return WithFrames(self.graph, self.preprocessed)

    @with_frames.setter
    def with_frames(self, found: WithFrames) -> None:
        self.graph, self.preprocessed = found
        self.roles = {**self.roles, **{one.value: self.roles.get(one.name, "") for one in found.inputs}}

    @property
    def pushed(self) -> Pushed:
        """The graph with what it stores how."""
        return Pushed(self.graph, self.stored)

    @pushed.setter
    def pushed(self, pushed: Pushed) -> None:
        self.graph, self.stored = pushed

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of symbolic dims, as far as they were given or measured."""
        return {**self.measured, **given_sizes(self.graph, self.request.input_shapes)}


class Planned(NamedTuple):
    """A graph, what there is to choose from, and what was chosen."""

    graph: gs.Graph
    program: Program
    plan: Plan


class Pass(NamedTuple):
    """``check`` raises LintError if the graph is not as this pass must leave it."""

    stage: str
    name: str
    run: Callable[[Work], Any]
    check: Callable[[gs.Graph], None] = lint
    gives: str = "graph"  # the part of the work


def _fuse_group_norm(work: Work) -> gs.Graph:
    return fuse_group_norm(work.graph) if work.request.dialect.spells(GROUP_NORM) else work.graph


def _find_roles(work: Work) -> Mapping[str, str]:
    graph = fuse_group_norm(work.graph)
    told = {name: entry.now for name, entry in work.request.recorded.items()}
    roles = find_roles(graph, told)
    assumed = assumed_roles(work.graph, roles, work.request.choices)
    return find_roles(graph, {**told, **assumed}) if assumed else roles


def _preprocess(work: Work) -> WithFrames:
    roles = {name: image(work.roles.get(name, "")) or work.roles.get(name, "") for name in work.request.frames}
    axes = {name: known.index(CHANNELS) for name, known in roles.items() if known.count(CHANNELS) == 1}
    return preprocess(work.graph, work.request.frames, axes)


def _fuse_attention(work: Work) -> gs.Graph:
    if work.request.own_weights:
        return work.graph
    raised = raise_opset(work.graph, work.request.dialect.opset) or work.graph
    fused = fuse_attention(raised, work.engines)
    return work.graph if fused is raised else fused


def _make_programs(work: Work) -> list[Program]:
    request = work.request
    tensors = (*work.graph.inputs, *work.graph.outputs)
    ends = interface(tensors, work.roles, request.to, request.choices, request.recorded, request.keep_io)
    make = partial(Program, ends=ends, dialect=request.dialect, sizes=work.sizes, cost=runtime(request.runtime))
    first = make(work.fused)
    return [first] if work.fused is work.graph else [first, make(work.graph, like=first)]


def _make_plan(work: Work) -> Planned:
    """The cheapest of the plans, the last on a tie: with attentions as one operator each, and as they are."""
    first, *others = work.programs
    best = Planned(first.graph, first, make_plan(first, work.request.time_limit))
    for program in others:
        with suppress(Dearer):
            plan = make_plan(program, work.request.time_limit, at_most=best.plan.cost)
            best = Planned(program.graph, program, plan)
    return best


PASSES = (
    Pass(READ, "unique_names", lambda work: unique_names(work.graph), lint_names),
    Pass(READ, "toposort", lambda work: toposort(work.graph)),
    Pass(READ, "inline_functions", lambda work: inline_functions(work.graph)),
    Pass(READ, "constant_nodes", lambda work: constant_nodes(work.graph)),
    Pass(READ, "permuting_einsums", lambda work: permuting_einsums(work.graph)),
    Pass(READ, "exact_pools", lambda work: exact_pools(work.graph, work.engines)),
    Pass(READ, "infer_shapes", lambda work: infer_shapes(work.graph, work.engines)),
    Pass(READ, "fold_sizes", lambda work: fold_sizes(work.graph, work.engines, work.request.own_weights)),
    Pass(READ, "measure_sizes", lambda work: measured_sizes(work.graph, work.sizes, work.engines), gives="measured"),
    Pass(READ, "measure", lambda work: transposed_bytes(work.graph, work.sizes), gives="bytes_before"),
    Pass(NORMALIZE, "dead_code", lambda work: dead_code(work.graph)),
    Pass(NORMALIZE, "lower_functions", lambda work: lower_functions(work.graph)),
    Pass(NORMALIZE, "means_of_rows", lambda work: means_of_rows(work.graph)),
    Pass(NORMALIZE, "fuse_group_norm", _fuse_group_norm),
    Pass(PLAN, "find_roles", _find_roles, gives="roles"),
    Pass(PLAN, "preprocess", _preprocess, gives="with_frames"),
    Pass(PLAN, "fuse_attention", _fuse_attention, gives="fused"),
    Pass(PLAN, "make_programs", _make_programs, gives="programs"),
    Pass(PLAN, "make_plan", _make_plan, gives="planned"),
    Pass(APPLY, "quantize_as_functions", lambda work: as_functions(work.program.flat, work.plan), gives="plan"),
    Pass(APPLY, "widen_vectors", lambda work: widen_vectors(work.program.flat, work.plan), gives="plan"),
    Pass(APPLY, "hold_changes", lambda work: hold_changes(work.program, work.plan), gives="plan"),
    Pass(APPLY, "keep_calls", lambda work: keep_calls(work.graph, work.program, work.plan), gives="kept"),
    Pass(APPLY, "push_transposes", lambda work: push(*work.kept, work.program.ends), gives="pushed"),
    Pass(APPLY, "add_bias", lambda work: add_bias(work.graph)),
    Pass(APPLY, "tidy", lambda work: tidy(work.graph)),
)
