"""The page in a browser: no overflow, no complaint, no request, and no name of a model that is more than text."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest

from passes.ir.exporter import export_model
from rewriter.cli import main
from tests.report.models import HOSTILE, hostile_net, large_net
from tests.support.chromium import WITHOUT, Page, chromium, executable
from tests.support.graphs import KINDS
from tests.support.planting import with_attribute

pytestmark = pytest.mark.skipif(executable() is None, reason=WITHOUT)

WINDOWS = [(1280, 900), (768, 1024), (360, 780)]
SCHEMES = ["light", "dark"]
# Of the page, and of what must hold its text without scrolling
OVERFLOW = """
Math.max(document.documentElement.scrollWidth - innerWidth,
  ...[...document.querySelectorAll("h1, h2, p, .tile, .tools, dl, summary")].map((one) =>
    one.scrollWidth - one.clientWidth))
"""
# Opens and presses all that there is, and chooses nodes
EVERYTHING = """
for (const one of document.querySelectorAll("details")) one.open = true;
for (const one of document.querySelectorAll("#main button, #theme")) if (!one.disabled) one.click();
for (const one of document.querySelectorAll(".row.leaf")) one.click();
new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => 0)
"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with chromium() as page:
        yield page


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    onnx.save(hostile_net(), folder / "hostile.onnx")
    onnx.save(large_net(), folder / "large.onnx")
    sources = {"hostile": folder / "hostile.onnx", "large": folder / "large.onnx", "sam": KINDS["torch_sam"]}
    for name, source in sources.items():
        checked = ["--bench"] if name == "sam" else ["--no-validate"]
        argv = [
            str(source),
            "--to",
            "nhwc",
            "--dry-run",
            "--report",
            str(folder / f"{name}.html"),
            "--runs",
            "1",
            *checked,
        ]
        assert main(argv) == 0
    return {name: folder / f"{name}.html" for name in sources}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("name", ["sam", "hostile"])
def test_nothing_overflows_complains_or_asks(
    tab: Page, reports: dict[str, Path], name: str, window: tuple[int, int], scheme: str
) -> None:
    tab.open(reports[name], *window, scheme)
    assert tab.value(OVERFLOW) <= 0
    tab.value(EVERYTHING)
    assert tab.value(OVERFLOW) <= 0
    assert tab.complaints() == []
    dark = tab.value("matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark == (scheme == "dark")


def test_names_are_text(tab: Page, reports: dict[str, Path]) -> None:
    tab.open(reports["hostile"], 1280, 4000, "light")
    tab.value(EVERYTHING)
    assert tab.value("document.title") == "hostile.onnx to NHWC"
    assert tab.value("document.querySelectorAll('main img, main script, main style, main a, main title').length") == 0
    shown = tab.value("[...document.querySelectorAll('.row.leaf .what')].map((one) => one.title)")
    tab.value("document.querySelector('.choice button').click()")
    shown += tab.value("[...document.querySelectorAll('.row.leaf .what')].map((one) => one.title)")
    assert {name[:2000] for name in HOSTILE} <= set(shown)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_large_graph_is_usable(tab: Page, reports: dict[str, Path], window: tuple[int, int]) -> None:
    """Only what is in sight is drawn, however many nodes there are, and each can be found."""
    tab.open(reports["large"], *window, "light")
    tab.value("[...document.querySelectorAll('.tools .quiet')].pop().click()")  # expand all
    assert tab.value("document.querySelector('.canvas').clientHeight") > 300_000
    assert tab.value("document.querySelectorAll('.row').length") < 80
    assert tab.value("document.querySelectorAll('*').length") < 5_000
    tab.value("document.querySelector('.tools input').value = 'conv_19202'")
    tab.value("document.querySelector('.tools input').dispatchEvent(new Event('input'))")
    assert tab.value("document.querySelector('.count').textContent") == "1 of 20,000"
    assert "Conv_19202" in tab.value("document.querySelector('.row.leaf').textContent")
    assert tab.complaints() == []


def test_transposes_are_found_one_after_the_other(tab: Page, reports: dict[str, Path]) -> None:
    """Each tells its bytes, why, and who is the reason."""
    tab.open(reports["sam"], 1280, 900, "light")
    data = json.loads(tab.value("document.getElementById('data').textContent"))["rewrite"]
    seen = []
    for _ in data["remaining"]:
        tab.value("document.querySelectorAll('.steps button')[1].click()")
        seen.append(tab.value("document.querySelector('dl.why').textContent"))
        assert tab.value("document.querySelectorAll('.row.red.selected').length") == 1
    assert len(set(seen)) == len(seen)
    for change in data["remaining"]:
        assert any(f"{change['bytes']:,} bytes" in text and change["reason"] in text for text in seen)


@pytest.fixture(scope="module")
def differing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a result in which the last Conv is padded otherwise, in scopes that are closed."""
    folder, of_conv = tmp_path_factory.mktemp("differing"), with_attribute("Conv", -1, "pads", [0, 1, 2, 1])
    onnx.save(large_net(120), folder / "net.onnx")

    def wrong(graph: Any, weights: Any) -> onnx.ModelProto:
        result = export_model(graph)
        of_conv(result)
        return result

    argv = [str(folder / "net.onnx"), "--to", "nhwc", "--dialect", "onnx", "--runs", "1", "--providers", "cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rewriter.pipeline.export_model", wrong)
        assert main([*argv, "--report", str(folder / "report.html")]) == 1
    return folder / "report.html"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_the_verdict_leads_to_where_the_models_part(
    tab: Page, differing: Path, window: tuple[int, int], scheme: str
) -> None:
    tab.open(differing, *window, scheme)
    found = json.loads(tab.value("document.getElementById('data').textContent"))["values"]["located"]
    assert tab.value("document.querySelectorAll('.row.leaf.located').length") == 0
    assert tab.value("document.querySelectorAll('.row.group .chip.located').length") > 0  # what hides it tells
    tab.value("document.querySelector('#verdict .parts button').click()")
    assert tab.value("document.querySelectorAll('.row.leaf.located.selected').length") == 1
    assert (
        found["nodes"][-1]
        .split("'")[1]
        .endswith(tab.value("document.querySelector('.located .after .what').textContent"))
    )
    assert tab.value("document.querySelector('.located .after .chip.located').textContent") == "differs here"
    told = tab.value("document.querySelector('dl.parts').textContent")
    for side in ("original", "rewritten"):
        shape = "\u00d7".join(map(str, found[side]["shape"]))
        assert f"{found[side]['dtype']} {shape}" in told
    assert found["text"] in told
    assert "differs here" in tab.value("document.querySelector('.legend').textContent")
    assert tab.value(OVERFLOW) <= 0
    assert tab.complaints() == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_where_the_models_part_has_a_colour_of_its_own(tab: Page, differing: Path, scheme: str) -> None:
    tab.open(differing, 1280, 900, scheme)
    tab.value("document.querySelector('#verdict .parts button').click()")
    grounds = (
        "['.row.located .after', '.row:not(.located) .after', '.chip.red'].map((one) => document.querySelector(one))"
    )
    colours = tab.value(f"{grounds}.map((one) => getComputedStyle(one).backgroundColor)")
    assert len(set(colours)) == 3


def test_a_right_result_has_no_such_mark(tab: Page, reports: dict[str, Path]) -> None:
    tab.open(reports["sam"], 1280, 900, "light")
    assert tab.value("document.querySelectorAll('.located, .parts').length") == 0


def test_the_colours_can_be_chosen(tab: Page, reports: dict[str, Path]) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    for scheme, other in (("light", "dark"), ("dark", "light")):
        tab.open(reports["sam"], 1280, 900, scheme)
        first = tab.value(ground)
        presses = ["auto", "light", "dark"].index(other)
        for _ in range(presses):
            tab.value("document.getElementById('theme').click()")
        assert tab.value(ground) != first
