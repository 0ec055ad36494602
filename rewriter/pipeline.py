"""Runs the passes in order, checks the graph after each, and names the culprit."""

import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx_graphsurgeon as gs
from onnx import ModelProto

import passes.rules  # noqa: F401  (fills the registry)
from passes import dialects
from passes.apply.push_transposes import push
from passes.apply.tidy import tidy
from passes.dialects.base import Dialect
from passes.layout.formats import FORMATS
from passes.layout.layout import Layout
from passes.normalize import group_norm
from passes.normalize.lower import lower
from passes.plan.explain import explain as explain_value
from passes.plan.milp import PlanError
from passes.plan.plan import Plan, make_plan, make_program
from passes.plan.program import Program
from passes.plan.roles import find_roles, interface
from rewriter.choices import LAYOUTS, TARGETS, WEIGHT_LAYOUTS
from rewriter.errors import UsageError
from rewriter.files import model_io
from rewriter.interface import InterfaceValue, interface_value, record
from rewriter.report import summary
from rewriter.report.data import Explained, Report
from rewriter.verify import onnx_fault, verify_graph, verify_model


@dataclass(frozen=True)
class RewriteResult:
    """The rewritten model, its interface, the plan that led to it and a report."""

    model: ModelProto
    inputs: list[InterfaceValue]
    outputs: list[InterfaceValue]
    plan: Plan
    report: Report

    @property
    def layouts(self) -> dict[str, tuple[int, ...]]:
        """The perm from the original's storage, by name, of each graph input and output that flipped."""
        return {p.name: p.perm for p in (*self.inputs, *self.outputs) if p.flipped and p.perm is not None}


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    to: str
    dialect: Dialect
    choices: Mapping[str, str]
    keep_io: bool
    input_shapes: Mapping[str, Sequence[int]]
    time_limit: float
    explain: Sequence[str]


@dataclass(frozen=True)
class Planned:
    """A graph with the roles of its axes, the layouts of its ``ends``, its program and plan.

    ``bytes_before``: what the Transposes of the file move per inference.
    """

    graph: gs.Graph
    roles: Mapping[str, str]
    ends: Mapping[str, Layout]
    program: Program
    plan: Plan
    bytes_before: int


def rewrite(
    model: ModelProto | str | Path,
    to: str = "nhwc",
    *,
    dialect: str | None = None,
    weight_layout: str = "ohwi",
    layouts: Mapping[str, str] | None = None,
    keep_io: bool = False,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    time_limit: float = 60.0,
    explain: Sequence[str] = (),
) -> RewriteResult:
    """Convert a model (or the file of one) to channels-last (``nhwc``) or channels-first (``nchw``).

    ``dialect``: how channels-last operators are written: ``"function"`` (default for ``nhwc``) as model-local
    functions with kernels in ``weight_layout``, ``"onnx"`` (default for ``nchw``) as standard operators only.
    ``layouts``: ``"nhwc"``, ``"nchw"`` or ``"keep"`` by name of a graph input or output; others flip where their axes
    are known to be those of an image, none with ``keep_io``. ``input_shapes``: sizes by input, to price dynamic dims.
    ``time_limit``: seconds for the planner. ``explain``: names of values whose layouts the report explains.

    The given model is left as it is; the result is structurally verified but not run: see ``validate``.
    Raises UsageError (options, unreadable model) or VerificationError (a bug of a pass).
    """
    choices = layouts or {}
    _check_options(to, dialect, weight_layout, choices)
    clock = Clock()
    with clock("load"):
        original = model if isinstance(model, ModelProto) else model_io.load(model)
    spelled = dialects.make(dialect or dialects.DEFAULTS[to], weight_layout)
    options = Options(to, spelled, choices, keep_io, input_shapes or {}, time_limit, explain)
    with blaming(original):
        result = _convert(original, options, clock)
    if original is not model:
        del original
        gc.collect()  # graphs hold reference cycles, and these hold the original's weights
    return result


def plan_of(model: ModelProto, to: str) -> Planned:
    """The plan that ``rewrite`` makes for a model, which is left as it is; its weights keep their names.

    Raises what ``rewrite`` does.
    """
    options = Options(
        to, dialects.make(dialects.DEFAULTS[to]), {}, keep_io=False, input_shapes={}, time_limit=60.0, explain=()
    )
    with blaming(model):
        read = model_io.to_graph(model, own_weights=True)
        graph = _checked(lower(read, options.dialect.spells(group_norm.NAME)), "lower")
        return _planned(graph, options, summary.transposed_bytes(read, {}))


def _convert(original: ModelProto, options: Options, clock: "Clock") -> RewriteResult:
    with clock("read"):
        read = model_io.to_graph(original)
        graph = _checked(lower(read, options.dialect.spells(group_norm.NAME)), "lower")
        _check_names(graph, options.choices, options.input_shapes)
    with clock("plan"):
        planned = _planned(graph, options, summary.transposed_bytes(read, hints(read, options.input_shapes)))
    with clock("push"):
        moved = _checked(tidy(_checked(push(graph, planned.plan, planned.ends), "push")), "tidy")
    inputs, outputs = interface_of(planned)
    with clock("write"):
        result = model_io.to_model(moved, original)
        record(result, [*inputs, *outputs])
    with clock("verify"):
        contract = [{value.name: value.new_shape for value in side} for side in (inputs, outputs)]
        verify_model(result, contract[0], contract[1], original)
    with clock("explain"):
        explained = [_explained(planned, name) for name in options.explain]
    report = _report(original, result, options, (inputs, outputs), planned, explained, clock.seconds)
    return RewriteResult(result, inputs, outputs, planned.plan, report)


def interface_of(planned: Planned) -> list[list[InterfaceValue]]:
    """The graph's inputs, and its outputs."""
    return [
        [interface_value(tensor, planned.ends[tensor.name], planned.roles.get(tensor.name)) for tensor in tensors]
        for tensors in (planned.graph.inputs, planned.graph.outputs)
    ]


@contextmanager
def blaming(model: ModelProto) -> Iterator[None]:
    """Whatever goes wrong is the model's fault, if onnx finds one in it."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # an invalid model may break anything
        fault = onnx_fault(model)
        if fault is None:
            raise
        raise UsageError(f"the model is not valid ONNX: {fault}") from error


class Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - begin


def hints(graph: gs.Graph, input_shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Sizes of symbolic dims, from the shapes given for graph inputs."""
    sizes: dict[str, int] = {}
    for tensor in graph.inputs:
        given = input_shapes.get(tensor.name, ())
        sizes.update({d: n for d, n in zip(tensor.shape or (), given, strict=False) if isinstance(d, str)})
    return sizes


def _planned(graph: gs.Graph, options: Options, before: int) -> Planned:
    roles = find_roles(graph)
    inputs, outputs = interface(graph, roles, options.to, options.choices, options.keep_io)
    program = make_program(graph, inputs, outputs, options.dialect, hints(graph, options.input_shapes))
    try:
        plan = make_plan(program, options.time_limit)
    except PlanError as error:
        raise UsageError(str(error)) from None
    return Planned(graph, roles, {**inputs, **outputs}, program, plan, before)


def _explained(planned: Planned, name: str) -> Explained:
    try:
        found = explain_value(planned.program, planned.plan, name)
    except KeyError:
        raise UsageError(f"--explain {name}: the model computes no value of that name") from None
    return summary.explained(found, planned.roles.get(name))


def _checked(graph: gs.Graph, after: str) -> gs.Graph:
    verify_graph(graph, after)
    return graph


def _check_options(to: str, dialect: str | None, weight_layout: str, choices: Mapping[str, str]) -> None:
    for option, value, allowed in (
        ("to", to, TARGETS),
        ("dialect", dialect, (None, *dialects.DIALECTS)),
        ("weight_layout", weight_layout, WEIGHT_LAYOUTS),
        *((f"layout of {name!r}", choice, LAYOUTS) for name, choice in choices.items()),
    ):
        if value not in allowed:
            names = " or ".join(str(a) for a in allowed if a)
            raise UsageError(f"{option} is {value!r}; it must be {names}")


def _check_names(graph: gs.Graph, choices: Mapping[str, str], input_shapes: Mapping[str, Sequence[int]]) -> None:
    tensors = {t.name: t for t in (*graph.inputs, *graph.outputs)}
    for name in (*choices, *input_shapes):
        if name not in tensors:
            raise UsageError(f"the model has no input or output {name!r}; it has {', '.join(map(repr, tensors))}")
    for name, choice in choices.items():
        rank = len(tensors[name].shape or ())
        if choice != "keep" and rank not in FORMATS:
            raise UsageError(f"{name!r} has {rank} axes; {choice} is for 3, 4 or 5 (--layout {name}=keep leaves it)")


def _report(
    original: ModelProto,
    result: ModelProto,
    options: Options,
    ends: tuple[Sequence[InterfaceValue], Sequence[InterfaceValue]],
    planned: Planned,
    explained: list[Explained],
    seconds: Mapping[str, float],
) -> Report:
    plan, notes = planned.plan, []
    if any(options.dialect.owns(function.domain) for function in result.functions):
        notes.append(options.dialect.note)
    if not plan.optimal:
        notes.append("The planner's time limit was reached: fewer bytes than these may be possible.")
    return Report(
        to=options.to,
        dialect=options.dialect.name,
        changed=summary.changed(original, result) or any(value.flipped for side in ends for value in side),
        inputs=ends[0],
        outputs=ends[1],
        ops=summary.count_ops(original, result),
        remaining=summary.remaining(plan, planned.roles),
        barriers=summary.barriers(planned.graph),
        bytes_before=planned.bytes_before,
        bytes=plan.bytes,
        inside=plan.inside,
        bound=plan.bound,
        optimal=plan.optimal,
        explained=explained,
        seconds=dict(seconds),
        notes=notes,
    )
