"""What the original computes, and its noise: how far it differs from itself, and so a right rewrite may, too."""

import math
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from rewriter.validation.compare import RTOL, Array, differences
from rewriter.validation.inputs import InputRequest, make_feeds
from rewriter.validation.session import Feed, Session

NUDGES = 2  # how often per run the last bits of the inputs are changed


@dataclass(frozen=True)
class Reference:
    """What the original does: ``values`` by run and output, ``noise`` by output or item of a sequence."""

    inputs: list[str]
    outputs: list[str]
    metadata: dict[str, str]
    feeds: list[Feed]
    values: list[list[Any]]
    noise: dict[str, float]


def make_reference(original: bytes | str, provider: str, request: InputRequest) -> Reference:
    """Runs the original. Raises ``RunFailed`` and what ``make_feeds`` raises."""
    session = Session(original, provider, "disabled")
    names, outputs, metadata = [spec.name for spec in session.inputs], session.outputs, session.metadata
    feeds = make_feeds(session, request)
    values = [session.run(feed) for feed in feeds]
    noise: dict[str, float] = {}
    rng = np.random.default_rng(request.seed)
    for _ in range(NUDGES):
        _listen(noise, session, [nudged(feed, rng) for feed in feeds], values)
    del session  # before the next one: each holds the weights
    _listen(noise, Session(original, provider, "default"), feeds, values)
    return Reference(names, outputs, metadata, feeds, values, noise)


def nudged(feed: Feed, rng: np.random.Generator) -> Feed:
    """``feed`` with the last bit of every float moved at random; zeros (padding, masks), NaN and inf stay."""

    def nudge(array: Array) -> Array:
        if array.dtype not in RTOL:
            return array
        # Not to inf, which not every float8 has.
        top = ml_dtypes.finfo(array.dtype).max  # type: ignore[no-untyped-call]
        towards = np.where(rng.random(array.shape) < 0.5, -top, top).astype(array.dtype)
        return np.where(np.isfinite(array) & (array != 0), np.nextafter(array, towards), array)

    return {name: nudge(array) for name, array in feed.items()}


def _listen(noise: dict[str, float], session: Session, feeds: list[Feed], values: list[list[Any]]) -> None:
    """Raises ``noise``, by output, to what the outputs of ``feeds`` differ from ``values``."""
    for feed, expected in zip(feeds, values, strict=True):
        for output, value, again in zip(session.outputs, expected, session.run(feed), strict=True):
            for name, most in differences(output, value, again):
                if math.isfinite(most.relative):  # another shape, say, is no measure
                    noise[name] = max(noise.get(name, 0.0), most.relative)
