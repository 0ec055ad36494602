"""How users write the layout of an input or output: a target, letters, or a perm as einops writes it."""

import re

from passes.layout.choice import Choice
from rewriter.choices import LAYOUTS
from rewriter.errors import UsageError

LETTERS = re.compile("N?T?(?:C(?:D?H)?W|(?:D?H)?WC)")  # batches, then channels before or behind positions
FORMS = "write nhwc, nchw, keep, the letters wanted (NTHWC), or a perm (n c h w -> n h w c)"


def parse_choice(name: str, text: str) -> Choice:
    """What is asked of the input or output ``name``. Raises UsageError."""
    if text in LAYOUTS:
        return Choice(text)
    if "->" in text:
        return Choice("perm", _perm(name, text))
    if LETTERS.fullmatch(text):
        return Choice("nhwc" if text.endswith("C") else "nchw", letters=text)
    raise UsageError(f"the layout of {name!r} is {text!r}: {FORMS}")


def _perm(name: str, text: str) -> tuple[int, ...]:
    """The perm of ``n c h w -> n h w c``."""
    before, after = (side.split() for side in text.split("->", 1))
    if not before or len(set(before)) < len(before) or sorted(before) != sorted(after):
        raise UsageError(f"the layout of {name!r} is {text!r}: both sides must name the same axes, each once")
    return tuple(before.index(axis) for axis in after)
