"""What became of an input that takes frames, in words."""

from collections.abc import Sequence

from passes.normalize.preprocess import Preprocessed
from rewriter.report.data import Preprocessing

MOST_NAMED = 3


def preprocessing(one: Preprocessed) -> Preprocessing:
    """The facts, and a sentence of them all."""
    text = str(one.frames)
    if one.folded:
        text += f"; folded into {_some(one.into)}: {', '.join(one.folded)}"
    if one.nodes:
        text += f"; nodes in front: {', '.join(one.nodes)}"
    if one.apart:
        text += f"; not folded: {', '.join(one.apart)}, for {one.reason}"
    words = one.folded, one.into, one.apart, one.reason, one.nodes
    return Preprocessing(one.name, str(one.frames), *words, f"{text}.")


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return " and ".join([", ".join(names[:MOST_NAMED]), *[f"{more} more"] * (more > 0)])
