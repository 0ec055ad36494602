"""The formats of images, channels first and channels last, by rank: the one table of NWC, NHWC and NDHWC."""

from typing import NamedTuple


class Format(NamedTuple):
    """How images of one rank are written, in letters: N batch, C channels, D H W positions."""

    first: str
    last: str

    @property
    def name(self) -> str:
        """Channels last, as in the names of domains."""
        return self.last.lower()


ROLES = {"N": "B", "T": "B", "C": "C", "D": "S", "H": "S", "W": "S"}  # of axes, by letter: see plan/roles.py
FORMATS = {3: Format("NCW", "NWC"), 4: Format("NCHW", "NHWC"), 5: Format("NCDHW", "NDHWC")}


def letters_of(roles: str) -> str:
    """The letters of the axes of an image with these roles: N, then T, of batches; D, H, W, as many as there are."""
    spelled = {"B": iter("NT"), "C": iter("C"), "S": iter("DHW"[3 - roles.count("S") :])}
    return "".join(next(spelled[role]) for role in roles)


def roles_of(letters: str) -> str:
    """The roles of axes by their letters. ``KeyError`` if one is none of N, T, C, D, H, W."""
    return "".join(ROLES[letter] for letter in letters)
