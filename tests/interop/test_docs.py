"""What the pages of docs/ have to paste that needs a framework."""

from pathlib import Path

import pytest

from tests.docs.test_pages import PAGES, run

TITLED = [name for name, found in PAGES.items() if any(block.title and block.runs for block in found)]


def test_some_do() -> None:
    assert "frontends.md" in TITLED


@pytest.mark.parametrize("name", TITLED)
def test_what_needs_a_framework_runs(name: str, tmp_path: Path) -> None:
    run(name, tmp_path, titled=True)
