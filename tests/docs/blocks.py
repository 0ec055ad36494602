"""What the pages of docs/ have to paste: shell commands and Python.

A fence of ``sh`` is run as it stands; one with a title needs what that says, and is run where this is at hand.
"""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tests.support.graphs import ROOT

FENCE = re.compile(r'^```(sh|python)(?: title="([^"]*)")?\n(.*?)^```$', re.M | re.S)
ELSEWHERE = {"weights.md", "plugins.md"}  # their Python: by tests/weights and tests/interop, tests/rules/test_plugin.py
# Titles, and the modules that must be there; None: it is not to be had in any test.
NEEDS = {
    "needs TensorFlow and tf2onnx": ("tensorflow", "tf2onnx"),
    "needs TensorFlow": ("tensorflow",),
    "needs PyTorch": ("torch",),
    "on a machine with an NVIDIA GPU": None,
    "on a cluster": None,
}


class Block(NamedTuple):
    """A fence: its language, its title and its text."""

    language: str
    title: str
    text: str

    @property
    def runs(self) -> bool:
        """Whether what it needs is here."""
        modules = NEEDS[self.title] if self.title else ()
        return modules is not None and all(map(find_spec, modules))


def pages() -> dict[str, list[Block]]:
    """The blocks of each page, in order."""
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return {path.name: found for path in paths if (found := blocks(path))}


def blocks(path: Path) -> list[Block]:
    found = [Block(*parts) for parts in FENCE.findall(path.read_text())]
    return [block for block in found if block.language == "sh" or path.name not in ELSEWHERE]
