"""The report as a page: one file that asks for nothing, in which no name of a model is more than text."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import onnx
import pytest

from rewriter.cli import main
from rewriter.report.page import SCRIPTS, page
from tests.report.models import HOSTILE, hostile_net
from tests.support.command import convert, folder
from tests.support.graphs import KINDS

PARTS = files("rewriter.report").joinpath("html")
ELEMENTS = [
    "html", "head", "meta", "meta", "meta", "meta", "title", "style",
    "body", "header", "nav", "button", "main", "noscript", "script", "script",
]  # fmt: skip


class Outline(HTMLParser):
    """All elements that a page has before its scripts run, their attributes, and the text of those with text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attrs: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self.is_open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attrs.append(dict(attrs))
        self.texts.append("")
        self.is_open = True

    def handle_endtag(self, tag: str) -> None:
        self.is_open = False

    def handle_data(self, data: str) -> None:
        if self.is_open:
            self.texts[-1] += data


def written(path: Path, out: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """The page and the JSON of one run."""
    argv = [str(path), "--to", "nhwc", "--dry-run", "--no-validate", "--report", str(out / "r.html")]
    assert main([*argv, "--json", str(out / "r.json"), *options]) == 0
    return (out / "r.html").read_text(encoding="utf-8"), json.loads((out / "r.json").read_text())


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[str, dict[str, Any]]:
    onnx.save(hostile_net(), tmp_path / "{{script}}<b>.onnx")
    return written(tmp_path / "{{script}}<b>.onnx", tmp_path)


def test_the_page_holds_the_facts_of_the_json(tmp_path: Path) -> None:
    text, data = written(KINDS["torch_sam"], tmp_path)
    assert json.loads(Outline(text).texts[-2]) == data


def test_names_are_data_only(hostile: tuple[str, dict[str, Any]]) -> None:
    text, data = hostile
    outline = Outline(text)
    assert outline.tags == ELEMENTS
    held = json.loads(outline.texts[-2])
    assert held == data
    assert [node["name"] for node in held["rewrite"]["graphs"]["before"]] == list(HOSTILE)


def test_the_policy_names_the_page_s_own_style_and_script(hostile: tuple[str, dict[str, Any]]) -> None:
    outline = Outline(hostile[0])
    policy = next(attrs["content"] for attrs in outline.attrs if "http-equiv" in attrs)
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert set(rules) == {"default-src", "style-src", "script-src", "base-uri", "form-action"}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for rule, text in (("style-src", outline.texts[outline.tags.index("style")]), ("script-src", outline.texts[-1])):
        assert rules[rule] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def parts() -> Iterator[tuple[str, str]]:
    for part in sorted(PARTS.iterdir(), key=lambda part: part.name):
        yield part.name, part.read_text(encoding="utf-8")


def test_no_part_asks_for_anything() -> None:
    for name, text in parts():
        assert not re.search(r"https?:|//[a-z]|url\(|@import|src=|fetch\(|XMLHttp|import\(|<link|<img|<iframe", text), (
            name
        )


def test_no_script_makes_markup_or_code_of_text() -> None:
    for name, text in parts():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|srcdoc", text), name


def test_all_parts_are_in_the_page() -> None:
    assert {name for name, _ in parts()} == {"page.html", "style.css", *SCRIPTS}
    assert "{{" not in page({}).replace("{{}}", "")


# The file is under the protection that all outputs have


def test_the_page_is_written_with_the_model(path: Path) -> None:
    report = path.with_name("new") / "report.html"
    assert convert(path, "--report", str(report), "--no-validate") == 0
    assert folder(path) == {"net.onnx", "net.nhwc.onnx", "new"}
    assert convert(path, "--report", str(report), "--no-validate") == 0  # over an old one
    assert [entry.name for entry in report.parent.iterdir()] == ["report.html"]
