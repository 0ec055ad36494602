"""Every example of docs/weights.md that runs a framework."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import pages

EXAMPLES = {name: code for name, code in pages.examples().items() if pages.needs(code)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    pages.run(EXAMPLES[name])
