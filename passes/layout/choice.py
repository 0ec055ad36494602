"""What is asked of the layout of one graph input or output, and what a file that we wrote records of it."""

from typing import NamedTuple

from passes.layout.perm import Perm


class Choice(NamedTuple):
    """A target (``"nhwc"``, ``"nchw"``, ``"keep"``) or a perm; ``letters`` as it shall be stored, if given so."""

    to: str
    perm: Perm | None = None
    letters: str = ""


class Recorded(NamedTuple):
    """Roles of axes as stored now and as they were (empty: unknown), and the perm back to these."""

    now: str
    origin: str
    back: Perm
