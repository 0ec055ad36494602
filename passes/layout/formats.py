"""The formats of images, channels first and channels last, by rank: the one table of NWC, NHWC and NDHWC."""

from typing import NamedTuple


class Format(NamedTuple):
    """How images of one rank are written, in letters: N batch, C channels, D H W positions."""

    first: str
    last: str

    @property
    def spatial(self) -> str:
        """The letters of the spatial axes."""
        return self.first[2:]

    @property
    def name(self) -> str:
        """Channels last, as in the names of domains."""
        return self.last.lower()


FORMATS = {3: Format("NCW", "NWC"), 4: Format("NCHW", "NHWC"), 5: Format("NCDHW", "NDHWC")}
