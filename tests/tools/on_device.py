"""What a device makes of one model: `tests.tools.cuda` runs these in child processes."""

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto

from passes.ir.declared import every_node_proto
from rewriter import CouldNotValidate, RewriteResult, rewrite, validate
from rewriter.errors import RunFailed
from rewriter.validation.inputs import InputRequest, make_feeds
from rewriter.validation.latency import Rounds, rounds_of
from rewriter.validation.layouts import recorded, stored
from rewriter.validation.providers import require, runtime
from rewriter.validation.session import Feed, Session, check_provider
from rewriter.validation.wider import coarse_types
from tests.support.float16 import in_float16
from tests.support.modes import DIRECTIONS

ORIGINAL = "original"
ROUNDS = Rounds(5, 20, 1000)


@dataclass(frozen=True)
class Variant:
    """A provider with options, as ``--providers`` takes it, and what is said of it."""

    label: str
    spec: str


CPU = Variant("CPU", "cpu")


@dataclass(frozen=True)
class Job:
    """A model, and the variants of the device that it is to run on, by its precision.

    ``folder``: for what is kept; ``device``: where onnxruntime has the inputs and outputs of a race; ``seconds``: how
    long that takes.
    """

    path: Path
    folder: Path
    variants: Mapping[str, Sequence[Variant]]
    device: str = "cpu"
    seconds: float = 0.2

    @property
    def name(self) -> str:
        """The model's, with the folder that tells it from others."""
        return f"{self.path.parent.name}/{self.path.stem}"

    def kept(self, precision: str, way: str) -> Path:
        """Where a model is kept from the checks to the races."""
        return self.folder / f"{self.name} {precision} {way}.onnx".replace("/", " ")


@dataclass(frozen=True)
class Checked:
    """The verdict on one result; numbers as of ``ProviderResult``.

    ``status``: its own, ``none`` without a verdict; of a whole model ``unchanged`` or ``skipped``.
    """

    model: str
    precision: str
    variant: str
    way: str
    status: str
    reason: str
    error: float | None = None
    allowed: float = 0.0
    noise: float = 0.0
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Raced:
    """Milliseconds per inference of each way and of the original, and Transposes left in what the device ran.

    ``ratio``: over the original, the median of the rounds. ``reason``: why there are none of these.
    """

    model: str
    precision: str
    variant: str
    way: str
    milliseconds: float = 0.0
    ratio: float = 0.0
    transposes: int | None = None
    reason: str = ""


def checks(job: Job) -> Iterator[Checked]:
    """Every way to convert the model, on every variant; original and results are kept in ``folder`` for the races."""
    for precision, variants in job.variants.items():
        head = partial(Checked, job.name, precision)
        try:
            original = _original(job.path, precision, [CPU, *variants])
        except Exception as error:  # of the converter to float16
            yield head("", "", "skipped", f"not converted to {precision}: {_line(error)}")
            continue
        onnx.save(original, job.kept(precision, ORIGINAL))
        results = dict(_results(original))
        if not results:
            yield head("", "", "unchanged", "nothing to convert")
        for way, result in results.items():
            onnx.save(result.model, job.kept(precision, way))
            for variant in dict.fromkeys((CPU, *variants)):
                yield _checked(partial(head, variant.label, way), original, result, variant.spec)


def races(job: Job) -> Iterator[Raced]:
    """The original against every way to convert it, as `checks` kept them, on every variant."""
    for precision, variants in job.variants.items():
        ways = [way for way in (ORIGINAL, *DIRECTIONS) if job.kept(precision, way).exists()]
        models = {way: onnx.load(job.kept(precision, way)) for way in ways}
        if len(models) < 2:  # nothing to convert, or it died before
            continue
        for variant in variants:
            head = partial(Raced, job.name, precision, variant.label)
            try:
                yield from _race(models, head, variant.spec, job)
            except Exception as error:  # of onnxruntime, which are of any type
                yield head(ORIGINAL, reason=_line(error))


def _original(path: Path, precision: str, variants: Sequence[Variant]) -> ModelProto:
    """The model; in float16, if it has no such types itself. Raises what the converter does, also with its result."""
    model = onnx.load(path)
    if precision == "float32":
        return model
    if coarse_types(model):
        raise ValueError("it has coarser types than float32 already")
    half = in_float16(model, keep_io=False)
    faults = []
    for variant in variants:
        try:
            Session(half.SerializeToString(), variant.spec, "disabled")
            return half
        except RunFailed as error:
            faults.append(str(error))
    raise ValueError(f"what the converter makes does not load: {faults[0]}")


def _results(original: ModelProto) -> Iterator[tuple[str, RewriteResult]]:
    """Each way that changes the model, but for those with the result of one before."""
    seen = set()
    for way, (to, dialect) in DIRECTIONS.items():
        result = rewrite(original, to, dialect=dialect)
        text = result.model.SerializeToString(deterministic=True)
        if result.report.changed and text not in seen:
            seen.add(text)
            yield way, result


def _checked(head: Callable[..., Checked], original: ModelProto, result: RewriteResult, spec: str) -> Checked:
    try:
        report = validate(original, result.model, layouts=result.layouts, providers=[spec], runs=2)
    except CouldNotValidate as error:
        return head("none", _line(error))
    found = report.providers[0]
    return head(found.status, found.reason, found.max_rel, found.rtol, found.noise, found.notes)


def _race(models: Mapping[str, ModelProto], head: Callable[..., Raced], spec: str, job: Job) -> Iterator[Raced]:
    """The original, the first, and each way that runs, in turn. Raises what onnxruntime does if the original fails."""
    original = models[ORIGINAL]
    feed = make_feeds(Session(original.SerializeToString(), "cpu", "disabled"), InputRequest(1, 0, {}, {}))[0]
    runs: dict[str, Callable[[], None]] = {}
    counts: dict[str, int | None] = {}
    for way, model in models.items():
        layouts = recorded(_metadata(original), _metadata(model))
        turned = {name: np.asarray(stored(name, array, layouts), order="C") for name, array in feed.items()}
        try:
            session, counts[way] = _loaded(model, spec)
            runs[way] = _bound(session, turned, job.device)
            runs[way]()
        except Exception as error:
            if way == ORIGINAL:
                raise
            runs.pop(way, None)
            yield head(way, reason=_line(error))
    times = rounds_of(list(runs.values()), ROUNDS, job.seconds)
    for i, way in enumerate(runs):
        median = 1000 * statistics.median(taken[i] for taken in times)
        yield head(way, median, statistics.median(taken[i] / taken[0] for taken in times), counts[way])


def _metadata(model: ModelProto) -> dict[str, str]:
    return {prop.key: prop.value for prop in model.metadata_props}


def _loaded(model: ModelProto, spec: str) -> tuple[Any, int | None]:
    """A session, and the Transposes in its graph; ``None`` if the provider compiled that, which cannot be written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "optimised.onnx")
        try:
            session = _session(model, spec, str(path))
        except Exception:  # this one, or the model's own, which comes again
            return _session(model, spec, ""), None
        nodes = every_node_proto(onnx.load(path, load_external_data=False).graph)
    return session, sum(node.op_type == "Transpose" for node in nodes)


def _session(model: ModelProto, spec: str, optimised: str) -> Any:
    """onnxruntime's own, at its default level; it writes the graph that it runs to ``optimised``."""
    ort, row = runtime(), require(spec)
    options = ort.SessionOptions()
    options.log_severity_level = 4  # errors come as exceptions, which say the same
    options.optimized_model_filepath = optimised
    session = ort.InferenceSession(model.SerializeToString(), options, providers=row.chain, enable_fallback=0)
    check_provider(session, spec, row)
    return session


def _bound(session: Any, feed: Feed, device: str) -> Callable[[], None]:
    """A run whose inputs lie on the device already, and whose outputs stay there."""
    ort, binding = runtime(), session.io_binding()
    outputs = [output.name for output in session.get_outputs()]
    for name, array in feed.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, device, 0))

    def run() -> None:
        binding.clear_binding_outputs()  # else the memory of the last run is taken, whatever size an output has now
        for name in outputs:
            binding.bind_output(name, device)
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return run


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:150]} … {text[-147:]}"
