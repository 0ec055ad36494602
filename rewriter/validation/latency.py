"""How long the original and the rewritten model take, run in turn."""

import contextlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from onnx import ModelProto

from rewriter.errors import CouldNotValidate, RunFailed
from rewriter.steps import step
from rewriter.validation.compare import Array
from rewriter.validation.frames import frames_between, preprocessed
from rewriter.validation.inputs import InputRequest, make_raw_feeds
from rewriter.validation.layouts import Layouts, stored
from rewriter.validation.providers import USUAL, missing
from rewriter.validation.session import Session, source


class Rounds(NamedTuple):
    """Of a race: that are not counted; counted at least, and made at most."""

    warm: int
    least: int
    most: int


ROUNDS = Rounds(3, 10, 1000)
SECONDS = 3.0  # in which rounds are counted, if they are enough


@dataclass(frozen=True)
class Latency:
    """Medians and least of ``rounds``, in milliseconds per inference; ``ratio`` is the median of the rounds' own.

    ``reason``: why there are none (then all are 0).
    """

    provider: str
    rounds: int = 0
    before: float = 0.0
    after: float = 0.0
    least_before: float = 0.0
    least_after: float = 0.0
    ratio: float = 0.0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """The times as a plain dict."""
        return asdict(self)


def measure_latency(
    original: ModelProto | str | Path,
    rewritten: ModelProto | str | Path,
    layouts: Layouts,
    *,
    providers: Sequence[str] | None = None,
    seed: int = 0,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    inputs: Mapping[str, Array] | None = None,
) -> list[Latency]:
    """The times on each provider, by default on all that there are; arguments as of ``validate``.

    Both run in turn, first one and then the other, at onnxruntime's default level of optimisation and number of
    threads. The time that it takes to preprocess frames for the original is not counted. Raises nothing for what cannot
    be measured: ``reason`` says why.
    """
    with contextlib.ExitStack() as stack:
        models = [source(model, stack) for model in (original, rewritten)]
        request = InputRequest(1, seed, input_shapes or {}, inputs or {}, frames_between(original, rewritten))
        asked = providers or [provider for provider in USUAL if not missing(provider)]
        timed = []
        for provider in asked:
            with step(f"on {provider}"):
                timed.append(_on(provider, models, layouts, request))
        return timed


def _on(provider: str, models: Sequence[bytes | str], layouts: Layouts, request: InputRequest) -> Latency:
    try:
        before, after = (Session(model, provider, "default") for model in models)
        raw = make_raw_feeds(before, request)[0]
        feed = preprocessed(raw, request.takes)
        turned = {name: np.asarray(stored(name, array, layouts), order="C") for name, array in raw.items()}
        rounds = rounds_of([lambda: before.run(feed), lambda: after.run(turned)], ROUNDS, SECONDS)
    except (RunFailed, CouldNotValidate) as error:
        return Latency(provider, reason=str(error))
    return _summary(provider, rounds)


def rounds_of(runs: Sequence[Callable[[], object]], rounds: Rounds, seconds: float) -> list[list[float]]:
    """Seconds of each run in each round that counts, in which they take turns to begin."""
    taken: list[list[float]] = []
    begin = time.perf_counter()
    while len(taken) < rounds.warm + rounds.least or (
        len(taken) < rounds.most and time.perf_counter() - begin < seconds
    ):
        first, each = len(taken) % len(runs), [0.0] * len(runs)
        for i in (*range(first, len(runs)), *range(first)):
            start = time.perf_counter()
            runs[i]()
            each[i] = time.perf_counter() - start
        taken.append(each)
    return taken[rounds.warm :]


def _summary(provider: str, rounds: Sequence[Sequence[float]]) -> Latency:
    firsts, seconds = ([1000 * one for one in side] for side in zip(*rounds, strict=True))
    ratio = statistics.median(second / first for first, second in rounds)
    medians = statistics.median(firsts), statistics.median(seconds)
    return Latency(provider, len(rounds), *medians, min(firsts), min(seconds), ratio)
