"""What is asked of the layout of one graph input or output."""

from typing import NamedTuple

from passes.layout.perm import Perm


class Choice(NamedTuple):
    """A target (``"nhwc"``, ``"nchw"``, ``"keep"``) or a perm; ``letters`` as it shall be stored, if given so."""

    to: str
    perm: Perm | None = None
    letters: str = ""
