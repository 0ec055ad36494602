"""The examples of docs/weights.md that need no framework; tests/interop/test_page.py runs all."""

import re
from pathlib import Path

import pytest

from rewriter.weights import TARGETS
from rewriter.weights.frameworks import framework_of
from rewriter.weights.tensors.letters import perm_between
from tests.support import pages
from tests.support.graphs import ROOT

PLAIN = {name: code for name, code in pages.examples().items() if not pages.needs(code)}


def test_there_are_examples() -> None:
    assert len(PLAIN) >= 4
    assert len(pages.examples()) >= 12


@pytest.mark.parametrize("name", PLAIN)
def test_example(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    pages.run(PLAIN[name])


def table() -> dict[str, list[str]]:
    """Cells by the first one, of the rows of the page's table."""
    rows = [line.strip("| ").split(" | ") for line in pages.PAGE.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in rows}


@pytest.mark.parametrize(
    ("row", "kind", "spatial"),
    [
        ("Conv 1-D", "conv", 1),
        ("Conv 2-D", "conv", 2),
        ("Conv 3-D", "conv", 3),
        ("depthwise Conv", "depthwise_conv", 2),
        ("ConvTranspose", "conv_transpose", 2),
        ("Linear, Dense", "dense", 0),
    ],
)
def test_the_table_is_the_one_that_is_used(row: str, kind: str, spatial: int) -> None:
    cells = table()[row]
    first = framework_of("pytorch").kernel_letters(kind, spatial)
    for target, cell in zip(TARGETS, cells, strict=True):
        letters = framework_of(target).kernel_letters(kind, spatial)
        assert cell.startswith(letters)
        perms = re.findall(r"`\(([\d, ]+)\)`", cell)
        if perms:
            assert tuple(map(int, perms[0].split(","))) == perm_between(first, letters)
