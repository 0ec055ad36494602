"""What the original computes, and its noise: what it computes in other ways that are as right."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import ModelProto, helper

from rewriter.errors import RunFailed
from rewriter.files.reader import load, open_model
from rewriter.validation.compare import RTOL, Array, pairs
from rewriter.validation.constants import with_nudged_kernels
from rewriter.validation.frames import Takes, preprocessed
from rewriter.validation.inputs import InputRequest, make_raw_feeds
from rewriter.validation.noise import NOISE_FACTOR, Noise
from rewriter.validation.nudge import nudged
from rewriter.validation.providers import CPU
from rewriter.validation.session import LEVELS, Feed, Session, proto, source
from rewriter.validation.ties import quantizes, with_moved_ties
from rewriter.validation.wider import COARSE, coarse_inputs, coarse_types, widened

NUDGES = 2  # how often per run the last bits of the inputs are changed
LOUD_NUDGES = 8  # how often by ``NOISE_FACTOR`` last bits, to see what jumps


@dataclass(frozen=True)
class Reference:
    """What the original does: ``values`` on the CPU by run and output, ``noise`` by output or item of a sequence.

    To the noise belongs how it differs on ``provider``. ``base``: where the values are from, the provider itself if the
    CPU has not all operators.
    ``raw``: the feeds as they were given or made up, frames that the rewritten model ``takes`` among them.
    ``coarse``: the original again, if it computes in float16 or bfloat16, and could be run in float32.
    """

    original: bytes | str
    provider: str
    base: str
    seed: int
    inputs: list[str]
    outputs: list[str]
    metadata: dict[str, str]
    takes: Takes
    raw: list[Feed]
    feeds: list[Feed]
    values: list[list[Any]]
    coarse: ModelProto | None
    noise: dict[str, Noise]

    def hear(self, session: Session, feeds: list[Feed], *, loud: bool = False) -> None:
        """Add to the noise how the outputs of these feeds, one for each run, differ."""
        for run, feed in enumerate(feeds):
            for output, value, again in zip(self.outputs, self.values[run], session.run(feed), strict=True):
                for name, one, other in pairs(output, value, again):
                    noise = self.noise.setdefault(name, Noise())
                    (noise.hear_jumps if loud else noise.hear)(run, one, other)

    def hear_provider(self) -> None:
        """Add how it differs on the provider. Raises ``RunFailed``."""
        for level in LEVELS if self.provider != self.base else ():
            self.hear(Session(self.original, self.provider, level), self.feeds)

    def hear_rounding(self, *rounds: list[Feed], loud: bool = False) -> None:
        """Add how a coarse original differs in float32. Raises ``RunFailed`` where it does not run so."""
        if self.coarse is None:
            return
        for rounded in (False, True):
            with contextlib.ExitStack() as stack:
                wide = source(widened(self.coarse, rounded=rounded), stack)
                session = Session(wide, self.provider, "disabled")
            for feeds in rounds:
                self.hear(session, [in_float32(feed) for feed in feeds], loud=loud)
            del session  # before the next one: each holds the weights

    def listen_closer(self) -> None:
        """Add what jumps when the inputs, or kernels, change by several last bits. Raises ``RunFailed``."""
        rng = np.random.default_rng([self.seed, 1])
        self._hear_ties()
        if not any(array.dtype in RTOL for array in self.feeds[0].values()):
            self._hear_kernels(rng)
            return
        rounds = [self.nudged(rng, NOISE_FACTOR) for _ in range(LOUD_NUDGES)]
        session = Session(self.original, self.provider, "disabled")
        for feeds in rounds:
            self.hear(session, feeds, loud=True)
        del session
        self.hear_rounding(*rounds, loud=True)

    def _hear_kernels(self, rng: np.random.Generator) -> None:
        """Add how it differs when kernels change, where all inputs are integers, which have no last bits."""
        model = proto(self.original)
        for bits in (*[1] * NUDGES, *[NOISE_FACTOR] * LOUD_NUDGES):
            with contextlib.ExitStack() as stack:
                session = Session(source(with_nudged_kernels(model, rng, bits), stack), self.provider, "disabled")
            self.hear(session, self.feeds, loud=bits > 1)
            del session

    def _hear_ties(self) -> None:
        """Add what else is there when what is quantised changes by last bits."""
        read = proto if isinstance(self.original, bytes) else lambda path: open_model(path).proto  # without weights
        moved = with_moved_ties(proto(self.original)) if quantizes(read(self.original)) else None
        if moved is None:
            return
        model, moves = moved
        with contextlib.ExitStack() as stack:
            session = Session(source(model, stack), self.provider, "disabled")
        for move in moves:
            for run, feed in enumerate(self.feeds):
                results = session.run({**feed, **move})
                for output, value, again in zip(self.outputs, self.values[run], results, strict=True):
                    for name, one, other in pairs(output, value, again):
                        self.noise.setdefault(name, Noise()).hear_tie(run, one, other)

    def nudged(self, rng: np.random.Generator, bits: int = 1) -> list[Feed]:
        """The inputs with their last bits changed, those that come to be float16 in that type."""
        types = coarse_inputs(self.coarse) if self.coarse else {}
        feeds = [nudged(feed, rng, bits, types) for feed in self.feeds]
        for feed, raw in zip(feeds, self.raw, strict=True):
            feed |= {name: self._nudged_frames(name, raw[name], rng, bits) for name in self.takes}
        return feeds

    def _nudged_frames(self, name: str, frame: Array, rng: np.random.Generator, bits: int) -> Array:
        return self.takes[name].nudged(frame, lambda term: nudged({name: term}, rng, bits)[name])


def make_reference(original: bytes | str, provider: str, request: InputRequest) -> Reference:
    """Runs the original, on the CPU if that has its operators. Raises ``RunFailed``, and as ``make_raw_feeds``."""
    base, session = _first_session(original, provider)
    names, outputs, metadata = [spec.name for spec in session.inputs], session.outputs, session.metadata
    takes, raw = request.takes, make_raw_feeds(session, request)
    feeds = [preprocessed(feed, takes) for feed in raw]
    values = [session.run(feed) for feed in feeds]
    coarse = _coarse(original)
    made = takes, raw, feeds, values
    reference = Reference(original, provider, base, request.seed, names, outputs, metadata, *made, coarse, {})
    rng = np.random.default_rng(request.seed)
    for _ in range(NUDGES):
        reference.hear(session, reference.nudged(rng))
    del session
    reference.hear(Session(original, base, "default"), feeds)
    try:
        reference.hear_rounding(feeds)
    except RunFailed:  # of what has no float32: the tolerance of its type stands for what cannot be measured
        return replace(reference, coarse=None, noise=_presumed(reference))
    return reference


def _first_session(original: bytes | str, provider: str) -> tuple[str, Session]:
    """Where the original runs without optimisation, and that session."""
    try:
        return CPU, Session(original, CPU, "disabled")
    except RunFailed:
        if provider != CPU:
            with contextlib.suppress(RunFailed):  # its own fault is told: a broken model has the same on both
                return provider, Session(original, provider, "disabled")
        raise


def in_float32(feed: Mapping[str, Array]) -> Feed:
    """The inputs of the model in float32."""
    coarse = [helper.tensor_dtype_to_np_dtype(kind) for kind in COARSE]
    return {name: array.astype(np.float32) if array.dtype in coarse else array for name, array in feed.items()}


def _coarse(original: bytes | str) -> ModelProto | None:
    """The model, if it computes in a type coarser than float32."""
    if isinstance(original, bytes):
        model = ModelProto.FromString(original)
        return model if coarse_types(model) else None
    return load(original) if coarse_types(open_model(original).proto) else None


def _presumed(reference: Reference) -> dict[str, Noise]:
    kinds = coarse_types(reference.coarse) if reference.coarse else ()
    level = max(RTOL[helper.tensor_dtype_to_np_dtype(kind)] for kind in kinds) / NOISE_FACTOR
    return {name: replace(noise, level=max(noise.level, level)) for name, noise in reference.noise.items()}
