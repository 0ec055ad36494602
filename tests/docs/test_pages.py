"""Every command and every piece of Python on a page of docs/ runs, page by page, as a reader would paste it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rewriter.choices import RUNTIMES
from tests.docs.blocks import NEEDS, pages
from tests.support.graphs import ROOT
from tests.tools import make_options

PAGES = pages()
PLAIN = {name: [block for block in found if not block.title] for name, found in PAGES.items()}


def run(name: str, folder: Path, titled: bool) -> None:
    """Run what can be run of a page's blocks in turn, in a folder with the models and what lies beside pages."""
    shutil.copytree(ROOT / "models", folder / "models", ignore=shutil.ignore_patterns("zoo", "full", "*.py"))
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("*.md", "images"))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    for block in (block for block in PAGES[name] if block.runs and bool(block.title) == titled):
        command = ["bash", "-euc", block.text] if block.language == "sh" else [sys.executable, "-c", block.text]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{block.text}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}"


@pytest.mark.no_cover
@pytest.mark.parametrize("name", [name for name, found in PLAIN.items() if found])
def test_what_is_to_paste_runs(name: str, tmp_path: Path) -> None:
    run(name, tmp_path, titled=False)


def test_there_is_much_to_paste() -> None:
    assert sum(map(len, PLAIN.values())) >= 20
    assert {block.title for found in PAGES.values() for block in found} <= {"", *NEEDS}


def test_a_command_that_fails_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [block._replace(text="python -m rewriter no.onnx --to nhwc\ntrue") for block in PLAIN["index.md"][:1]]
    monkeypatch.setitem(PAGES, "index.md", broken)
    with pytest.raises(AssertionError, match=r"no\.onnx"):
        run("index.md", tmp_path, titled=False)


def test_the_options_are_those_of_the_commands() -> None:
    assert make_options.page() == make_options.PATH.read_text(), "run `make options`"
    assert all(name in make_options.page() for name in RUNTIMES)


def test_all_pages_are_in_the_menu() -> None:
    menu = (ROOT / ".mkdocs.yml").read_text()
    assert [page.name for page in (ROOT / "docs").glob("*.md") if page.name not in menu] == []
