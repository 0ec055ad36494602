"""All that is done to a graph between reading and writing, in order. Who runs the passes checks and times each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import onnx_graphsurgeon as gs

import passes.rules  # noqa: F401  (fills the registry)
from passes.apply.past_outputs import past_outputs
from passes.apply.push_transposes import push
from passes.apply.quantize_as_functions import as_functions
from passes.apply.tidy import tidy
from passes.apply.widen_vectors import widen_vectors
from passes.dialects.base import Dialect
from passes.ir.lint import lint, lint_names
from passes.layout.choice import Choice, Recorded
from passes.normalize.constant_nodes import constant_nodes
from passes.normalize.dead_code import dead_code
from passes.normalize.exact_pools import exact_pools
from passes.normalize.fold_sizes import fold_sizes
from passes.normalize.fuse_group_norm import fuse_group_norm
from passes.normalize.infer_shapes import Engines, infer_shapes
from passes.normalize.inline_functions import inline_functions
from passes.normalize.lower_functions import lower_functions
from passes.normalize.toposort import toposort
from passes.normalize.unique_names import unique_names
from passes.plan.cost import ONNXRUNTIME_CPU as COST
from passes.plan.interface import assumed_roles, interface
from passes.plan.plan import Plan, make_plan
from passes.plan.program import Program
from passes.plan.roles import find_roles
from passes.plan.sizes import given_sizes, measured_sizes
from passes.rules.norm import GROUP_NORM

READ, NORMALIZE, PLAN, APPLY = "read", "normalize", "plan", "push"  # stages


@dataclass(frozen=True)
class Request:
    """What was asked for: see ``rewriter.rewrite``.

    ``recorded`` is what the file's own record says of graph inputs and outputs. ``own_weights``: what the file makes of
    weights is not computed.
    """

    to: str
    dialect: Dialect
    choices: Mapping[str, Choice] = field(default_factory=dict)
    recorded: Mapping[str, Recorded] = field(default_factory=dict)
    keep_io: bool = False
    input_shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    time_limit: float = 60.0
    own_weights: bool = False


@dataclass
class Work:
    """A graph on its way through the passes, and what they found out; each gives one part.

    ``seconds`` are by stage; ``measured`` are sizes by symbol; ``bytes_before`` is what the Transposes of the file move
    per inference, ``roles`` those of axes. The graph that the plan is for stays in ``program``.
    """

    graph: gs.Graph
    request: Request
    engines: Engines
    seconds: dict[str, float]
    measured: Mapping[str, int] = field(default_factory=dict)
    bytes_before: int = field(init=False)
    roles: Mapping[str, str] = field(init=False)
    program: Program = field(init=False)
    plan: Plan = field(init=False)

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of symbolic dims, as far as they were given or measured."""
        return {**self.measured, **given_sizes(self.graph, self.request.input_shapes)}


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
    graph = fuse_group_norm(inline_functions(work.graph, work.engines))
    told = {name: entry.now for name, entry in work.request.recorded.items()}
    roles = find_roles(graph, told)
    assumed = assumed_roles(work.graph, roles, work.request.choices)
    return find_roles(graph, {**told, **assumed}) if assumed else roles


def _make_program(work: Work) -> Program:
    request = work.request
    tensors = (*work.graph.inputs, *work.graph.outputs)
    ends = interface(tensors, work.roles, request.to, request.choices, request.recorded, request.keep_io)
    return Program(work.graph, ends, request.dialect, work.sizes)


PASSES = (
    Pass(READ, "unique_names", lambda work: unique_names(work.graph), lint_names),
    Pass(READ, "toposort", lambda work: toposort(work.graph)),
    Pass(READ, "constant_nodes", lambda work: constant_nodes(work.graph)),
    Pass(READ, "exact_pools", lambda work: exact_pools(work.graph, work.engines)),
    Pass(READ, "infer_shapes", lambda work: infer_shapes(work.graph, work.engines)),
    Pass(READ, "fold_sizes", lambda work: fold_sizes(work.graph, work.engines, work.request.own_weights)),
    Pass(READ, "measure_sizes", lambda work: measured_sizes(work.graph, work.sizes, work.engines), gives="measured"),
    Pass(READ, "measure", lambda work: COST.transposed_bytes(work.graph, work.sizes), gives="bytes_before"),
    Pass(NORMALIZE, "dead_code", lambda work: dead_code(work.graph)),
    Pass(NORMALIZE, "lower_functions", lambda work: lower_functions(work.graph)),
    Pass(NORMALIZE, "fuse_group_norm", _fuse_group_norm),
    Pass(PLAN, "find_roles", _find_roles, gives="roles"),
    Pass(PLAN, "make_program", _make_program, gives="program"),
    Pass(PLAN, "make_plan", lambda work: make_plan(work.program, work.request.time_limit), gives="plan"),
    Pass(APPLY, "quantize_as_functions", lambda work: as_functions(work.program.flat, work.plan), gives="plan"),
    Pass(APPLY, "widen_vectors", lambda work: widen_vectors(work.program.flat, work.plan), gives="plan"),
    Pass(APPLY, "push_transposes", lambda work: push(work.graph, work.plan, work.program.ends)),
    Pass(APPLY, "tidy", lambda work: tidy(work.graph)),
    Pass(APPLY, "past_outputs", lambda work: past_outputs(work.graph)),
)
