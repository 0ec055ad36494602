"""Every example of docs/weights.md that runs a framework."""

from pathlib import Path

import pytest

from tests.support import pages
from tests.support.graphs import ROOT

EXAMPLES = {name: code for name, code in pages.examples().items() if pages.needs(code)}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.filterwarnings("ignore")  # the frameworks' own
def test_example(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    pages.run(EXAMPLES[name])
