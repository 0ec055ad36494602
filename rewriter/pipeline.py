"""The way of a model from file to file: read, passes, written, verified, reported."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx_graphsurgeon as gs
from onnx import ModelProto

from passes import dialects
from passes.dialects.base import Dialect
from passes.dialects.respell import Words
from passes.ir.constants import Stored
from passes.ir.exporter import export_model
from passes.ir.importer import import_model
from passes.ir.lint import LintError
from passes.layout.choice import Choice
from passes.layout.edit import Array
from passes.layout.formats import FORMATS
from passes.normalize.infer_shapes import Engines
from passes.normalize.preprocess import FramesError
from passes.pipeline import APPLY, NORMALIZE, PASSES, PLAN, READ, Request, Work
from passes.plan.cost import runtime as prices_of
from passes.plan.milp import PlanError
from rewriter.choices import RUNTIMES, TARGETS, WEIGHT_LAYOUTS, dialect_fault
from rewriter.dialect_file import words_of
from rewriter.errors import RunFailed, UsageError, refused
from rewriter.faults.blame import blaming
from rewriter.faults.find import refuse_broken
from rewriter.files.light import LightModel, Weight, lacking, light_of
from rewriter.files.reader import OnRead, source_of
from rewriter.files.source import Source
from rewriter.frontends import Asked
from rewriter.interface import InterfaceValue, interface_value, read_record, record, recorded_layouts
from rewriter.layouts import parse_choice
from rewriter.preprocess import as_floats, asked_frames, record_frames
from rewriter.report.build import make_report
from rewriter.result import RewriteResult
from rewriter.shapes.check import verify_model
from rewriter.shapes.infer import infer
from rewriter.spelling import STOOD_IN, prepare, read_spelled, refuse_spelled, runs_itself, spelled
from rewriter.stayed import why_it_stayed
from rewriter.steps import step
from rewriter.validation.inputs import InputRequest
from rewriter.validation.measure import measure
from rewriter.validation.session import Session


def rewrite(
    model: ModelProto | str | Path,
    to: str = "nhwc",
    *,
    dialect: str | Words | None = None,
    runtime: str = RUNTIMES[0],
    weight_layout: str = "ohwi",
    layouts: Mapping[str, str] | None = None,
    keep_io: bool = False,
    preprocess: Mapping[str, str] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    time_limit: float = 60.0,
    explain: Sequence[str] = (),
    measure_on: Mapping[str, Array] | None = None,
    on_read: OnRead | None = None,
    save_to: str | Path | None = None,
    graphs: bool = True,
) -> RewriteResult:
    """Convert a model (or the file of one) to channels-last (``nhwc``) or channels-first (``nchw``).

    ``model``: what is no ONNX file is converted first (docs/frontends.md).
    ``dialect``: how channels-last operators are written: ``"function"`` (default for ``nhwc``) as model-local
    functions with kernels in ``weight_layout``, ``"onnx"`` (default for ``nchw``) as standard operators only;
    ``"onnxruntime"`` is as ``"onnx"``, with the file raised to opset 23 for Attention where that spares Transposes;
    ``"qonnx"``, ``"onnxruntime-cuda"`` or a ``"FILE.toml"`` (or what ``words_of`` has read of one) are the words of a
    toolchain, with ``nchw`` such a file those that the model may come in (docs/dialects.md); onnxruntime runs
    ``RewriteResult.runnable`` in their place.
    ``runtime``: whose prices the plan is the least at: ``"bytes"`` that Transposes move, or the time that
    ``"onnxruntime"`` or ``"openvino"`` takes on a CPU; the default dialect is then the one that this runtime reads.
    ``layouts``: by name of a graph input or output ``"nhwc"``, ``"nchw"`` or ``"keep"``, the letters wanted
    (``"NTHWC"``) or a perm (``"n c h w -> n h w c"``); others flip where their axes are known to be those of an image,
    none with ``keep_io`` (docs/interface.md). ``preprocess``: by name of an input (``""``: the only image) the frames
    that it takes in the result, as in ``"uint8,bgr,mean=127.5,std=58"`` (docs/preprocess.md).
    ``input_shapes``: sizes by input, to price dynamic dims; a TensorFlow model is converted with these, and keeps them.
    ``time_limit``: seconds for the planner. ``explain``: names of values whose layouts the report explains.
    ``measure_on``: inputs (``{}``: made-up ones) for one run of the original, to measure sizes that nobody infers, for
    prices; else they are guessed. ``on_read``: is told the files of the model before anything else is done with them.
    ``save_to``: a file for the result, which is written as by ``RewriteResult.save``.
    ``graphs``: whether the report has both graphs.

    The given model is left as it is; the result is structurally verified but not run: see ``validate``. Large weights
    of a file are not read, but for ``RewriteResult.model``: it must stay as it is until then.
    Raises UsageError (options, unreadable model) or VerificationError (a bug of a pass).
    """
    written, words = _dialects(to, dialect, weight_layout, runtime)
    choices = {name: parse_choice(name, text) for name, text in (layouts or {}).items()}
    seconds: dict[str, float] = {}
    shapes = input_shapes or {}
    original, is_read = _read(partial(source_of, model, on_read, Asked(shapes=shapes)), seconds, words)
    frames = asked_frames(original.proto, preprocess or {})
    measure_on = as_floats(original.proto, frames, measure_on)
    recorded = recorded_layouts(original.proto)
    request = Request(to, written, choices, recorded, keep_io, shapes, time_limit, runtime=runtime, frames=frames)
    with blaming(original, InputRequest(1, 0, request.input_shapes, measure_on or {})):
        work = start(original, request, seconds, measure_on)
        result = _convert(work, original, explain, graphs)
    if is_read:
        report = replace(result.report, notes=[*result.report.notes, STOOD_IN])
        result = replace(result, report=report, original=light_of(original))
    if save_to is not None:
        result.save(save_to)
    return result


def _read(read: Callable[[], Source], seconds: dict[str, float], words: Words | None) -> tuple[Source, bool]:
    """The model in words that we know, and whether it came in others."""
    with timed(seconds, "load"):
        opened = read()
        original = read_spelled(opened, words)
        refuse_spelled(original.proto)
        refuse_broken(original.proto)
    return original, original is not opened


def plan_of(model: ModelProto, to: str) -> Work:
    """The plan that ``rewrite`` makes for a model, which is left as it is; its weights keep their names.

    Raises what ``rewrite`` does.
    """
    refuse_broken(model)
    refuse_spelled(model)
    original = Source(model)
    with blaming(original, InputRequest(1, 0, {}, {})):
        spelled = dialects.make(dialects.DEFAULTS[to])
        work = start(original, Request(to, spelled, recorded=recorded_layouts(model), own_weights=True))
        run_passes(work, READ, NORMALIZE, PLAN)
    return work


def start(
    original: Source,
    request: Request,
    seconds: dict[str, float] | None = None,
    measure_on: Mapping[str, Array] | None = None,
) -> Work:
    """The model's graph, before any pass; ``seconds`` by stage go on from those given."""
    seconds = {} if seconds is None else seconds
    engines = Engines(infer, evaluate)
    if measure_on is not None:
        run = InputRequest(1, 0, request.input_shapes, measure_on)
        engines = engines._replace(measure=partial(measure, light_of(original), run))
    with timed(seconds, f"{READ}/import"):
        return Work(import_model(original.proto, original.read), request, engines, seconds)


def run_passes(work: Work, *stages: str) -> None:
    """Run the passes of these stages, checking the graph after each. Raises VerificationError, naming the culprit."""
    for one in (one for one in PASSES if one.stage in stages):
        with timed(work.seconds, f"{one.stage}/{one.name}"):
            try:
                setattr(work, one.gives, one.run(work))
                one.check(work.graph)
            except LintError as error:
                raise refused(f"after pass {one.name}: {error}") from None
            except (PlanError, FramesError) as error:
                raise UsageError(str(error)) from None


def _convert(work: Work, original: Source, explain: Sequence[str], graphs: bool) -> RewriteResult:
    run_passes(work, READ, NORMALIZE)
    _check_names(work)
    run_passes(work, PLAN, APPLY)
    inputs, outputs = interface_of(work)
    _check_letters([*inputs, *outputs], work.request.choices)
    with timed(work.seconds, "write"):
        weights: dict[str, Stored] = {}
        result = export_model(work.graph, weights if original.path else None)  # what is in memory may change
        prepare(result, work.request.dialect)
        dialects.bring_functions(result)
        record_frames(result, work.preprocessed, read_record(original.proto))
        record(result, [*inputs, *outputs])
        final = spelled(result, work.request.dialect)
    with timed(work.seconds, "verify"):
        contract = [{value.name: value.new_shape for value in side} for side in (inputs, outputs)]
        verify_model(result, contract[0], contract[1], original.proto, work.request.frames)
        if runs_itself(final):
            verify_model(final, contract[0], contract[1], original.proto, work.request.frames)
    with timed(work.seconds, "report"):
        report = make_report(work, result, final, inputs, outputs, explain, graphs)
    stored = {**work.kept[1].stored, **work.program.ends}
    held = tuple(Weight(weights[tensor.name], original) for tensor in lacking(result.graph))
    equivalent = None if runs_itself(final) else LightModel(result, held)
    return RewriteResult(LightModel(final, held), inputs, outputs, work.plan, report, stored, equivalent)


def evaluate(model: ModelProto) -> Sequence[Array] | None:
    """What a model without inputs gives, by onnx's own evaluator, or onnxruntime where that does not know an operator.

    ``None`` if neither can run it, as at an opset that they do not know.
    """
    from onnx.reference import ReferenceEvaluator  # where it is needed: it takes a while to import

    try:
        with np.errstate(all="ignore"):
            return [np.asarray(result) for result in ReferenceEvaluator(model).run(None, {})]
    except Exception:  # it raises what numpy does, of operators that it has in other opsets only
        with suppress(RunFailed):
            return [np.asarray(result) for result in Session(model.SerializeToString(), "cpu", "disabled").run({})]
    return None


def interface_of(work: Work) -> tuple[list[InterfaceValue], list[InterfaceValue]]:
    """The graph's inputs, and its outputs."""

    def value(tensor: gs.Tensor) -> InterfaceValue:
        roles, layout = work.roles.get(tensor.name, ""), work.program.ends[tensor.name]
        return interface_value(tensor, layout, roles, why_it_stayed(tensor, layout, roles, work.request))

    graph = work.program.graph
    return [*map(value, graph.inputs)], [*map(value, graph.outputs)]


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long a stage, or a pass, takes."""
    begin = time.perf_counter()
    with step(stage):
        yield
    seconds[stage] = time.perf_counter() - begin


def _dialects(to: str, dialect: str | Words | None, weight_layout: str, runtime: str) -> tuple[Dialect, Words | None]:
    """The dialect to be written, and the words of a file that the model may come in.

    Raises UsageError if one of the options is none that there is.
    """
    words = words_of(dialect)
    name = dialect if isinstance(dialect, str) and not words else None
    for option, value, allowed in (
        ("to", to, TARGETS),
        ("dialect", name, (None, *dialects.DIALECTS)),
        ("weight_layout", weight_layout, WEIGHT_LAYOUTS),
        ("runtime", runtime, RUNTIMES),
    ):
        if value not in allowed:
            names = " or ".join(str(a) for a in allowed if a)
            raise UsageError(f"{option} is {value!r}; it must be {names}")
    if fault := dialect_fault(to, name):
        raise UsageError(f"the {fault}")
    if words and to == "nhwc":
        return words(weight_layout), words
    return dialects.make(name or prices_of(runtime).dialect or dialects.DEFAULTS[to], weight_layout), words


def _check_names(work: Work) -> None:
    """What is asked of inputs and outputs, they must be there for."""
    tensors = {t.name: t for t in (*work.graph.inputs, *work.graph.outputs)}
    for name in (*work.request.choices, *work.request.input_shapes):
        if name not in tensors:
            raise UsageError(f"the model has no input or output {name!r}; it has {', '.join(map(repr, tensors))}")
    for name, choice in work.request.choices.items():
        if tensors[name].shape is None and choice != Choice("keep"):
            raise UsageError(f"how many axes {name!r} has is not known; it can only stay (--layout {name}=keep)")
        rank = len(tensors[name].shape or ())
        asked = len(choice.perm or choice.letters)
        if asked and asked != rank:
            raise UsageError(f"{name!r} has {rank} axes, the layout asked for it has {asked}")
        if choice.to in TARGETS and rank not in FORMATS:
            raise UsageError(f"{name!r} has {rank} axes; {choice.to} is for 3, 4 or 5 (--layout {name}=keep leaves it)")


def _check_letters(interface: Sequence[InterfaceValue], choices: Mapping[str, Choice]) -> None:
    """What was asked for in letters must have come out so: a known image may have other axes."""
    for value in interface:
        wanted = choices[value.name].letters if value.name in choices else ""
        if wanted and value.new_layout != wanted:
            raise UsageError(
                f"{value.name!r} is {value.old_layout}, which cannot be stored as {wanted}; write a perm of its axes"
            )
