"""Every example of docs/weights.md that runs a framework."""

import pytest

from tests.support import pages

EXAMPLES = {name: code for name, code in pages.examples().items() if pages.needs(code)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    pages.run(EXAMPLES[name])
