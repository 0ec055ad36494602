"""`make runtimes`, as far as onnxruntime alone goes: files, a runtime in a process of its own, and the page."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.tools.elsewhere import __main__ as command
from tests.tools.elsewhere import asked, files, page, ways
from tests.tools.elsewhere.asked import RUNTIMES, Runtime, Unable, called, sentence
from tests.tools.elsewhere.nets import COMMITTED, Net

NET = next(net for net in COMMITTED if net.stem == "torch_vocoder")
ONNXRUNTIME = RUNTIMES[0]


def planted(net: Net, folder: Path) -> tuple[Path, files.Layouts]:
    """A channels-last file that is wrong in one weight."""
    file, layouts = files.ours("onnx")(net, folder)
    model = onnx.load(file)
    weight = next(one for one in model.graph.initializer if len(one.dims) > 2)
    weight.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(weight), weight.name))
    onnx.save(model, folder / "planted.onnx")
    return folder / "planted.onnx", layouts


def foreign(net: Net, folder: Path) -> tuple[Path, files.Layouts]:
    """A file that no runtime reads."""
    (folder / "foreign.onnx").write_bytes(b"no model")
    return folder / "foreign.onnx", {}


def unable(net: Net, folder: Path) -> tuple[Path, files.Layouts]:
    raise Unable("the converter says why")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page of one net in onnxruntime."""
    makers = {name: files.MAKERS[name] for name in ("original", "function")}
    monkeypatch.setattr(files, "MAKERS", {**makers, "onnx": planted, "tflite": foreign, "saved": unable})
    monkeypatch.setattr(files, "transposes", lambda file: 0)  # which cannot read what is none
    for module in (files, command):
        monkeypatch.setattr(module, "BUILD", tmp_path)
    monkeypatch.setattr(command, "NETS", [NET])
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "SECONDS", 0.001)
    mine = Runtime("onnxruntime", "", ("original", "onnx", "function", "tflite", "saved"))
    for module in (command, files, page):
        monkeypatch.setattr(module, "RUNTIMES", [mine, Runtime("litert", "nowhere", ("tflite",))])
    monkeypatch.setattr(Runtime, "python", Path(sys.executable))
    monkeypatch.setattr(Runtime, "is_installed", property(lambda self: self is mine))
    (tmp_path / "docs").mkdir()
    command.main([])
    return (tmp_path / "docs/runtimes.md").read_text()


def test_a_net_in_a_runtime(told: str) -> None:
    row = next(line for line in told.splitlines() if line.startswith("| torch_vocoder"))
    name, original, wrong, function, refused, none = (cell.strip() for cell in row.strip("|").split("|"))
    assert (name, refused, none) == ("torch_vocoder", "(1)", "(2)")
    assert original.endswith(" ms")
    assert wrong.startswith("**wrong**")
    assert 0.1 < float(function.strip("*")) < 10
    assert "No such file: the converter says why" in told
    assert "Not installed here." in told
    assert "| onnxruntime | 1 of 1 | 0 of 1 | 1 of 1, " in told


def test_only_the_files_that_are_asked_for_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BUILD", tmp_path)
    monkeypatch.setattr(files, "MAKERS", {"original": files.original, "tflite": unable, "onnx2tf": foreign})
    monkeypatch.setattr(files, "transposes", lambda file: 0)
    folder, net = tmp_path / NET.stem, NET._replace(runtimes=("litert",))
    files.make(net)
    (folder / "foreign.onnx").unlink()
    files.make(net, ["tflite"])
    made = json.loads((folder / "made.json").read_text())
    assert made["tflite"] == {"refused": "the converter says why"}
    assert made["onnx2tf"]["bytes"] == len(b"no model")
    assert not (folder / "foreign.onnx").exists()


def test_a_net_for_litert_alone_has_the_files_that_litert_reads() -> None:
    assert files.forms_of(NET._replace(runtimes=("litert",))) == ["original", "tflite", "onnx2tf", "litert-torch"]
    assert files.forms_of(NET) == [*files.MAKERS]


def test_ours_beside_onnx2tf_in_words() -> None:
    right = {"runs": 1e-6, "times": [[0.002, 0.002]]}
    nets: dict[str, dict[str, Any]] = {
        "one": {"tflite": {**right, "times": [[0.001, 0.0012]]}, "onnx2tf": right},
        "two": {"tflite": right, "onnx2tf": {"runs": 0.5}},
    }
    count = {"one": (0, 3), "two": (0, 0)}
    made = {
        name: {form: {"transposes": one} for form, one in zip(("tflite", "onnx2tf"), both, strict=True)}
        for name, both in count.items()
    }
    assert [*ways.beside(nets, made)] == [
        "- Both files are right on 1 nets: ratio 0.55 (0.55 to 0.55).",
        "- Of these onnx2tf leaves Transposes on 1 nets: ratio 0.55 (0.55 to 0.55).",
        "- Of these it leaves more than ours on 1 nets: ratio 0.55 (0.55 to 0.55).",
        "- our .tflite is missing, or not right, on 0.",
        "- onnx2tf's .tflite is missing, or not right, on 1: two.",
        "",
    ]


def test_what_is_not_installed_is_told() -> None:
    with pytest.raises(Unable, match=r"^\.venv-none/bin/python is not installed here\.$"):
        called([Path("/somewhere/.venv-none/bin/python")])


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"its process dies \(SIGSEGV\)"),
        ("raise ValueError('no such operator. Look elsewhere')", "^ValueError: no such operator$"),
        ("while True: pass", "nothing in 1 s of processor time"),
        ("import time; time.sleep(600)", "nothing in 5 s$"),
        ("print('ERROR: this'); print('(that is all)'); exit(3)", "^ERROR: this$"),
    ],
)
def test_what_a_process_says_when_it_fails(script: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "PATIENCE", 1)
    monkeypatch.setattr(asked, "ASLEEP", 5.0)
    with pytest.raises(Unable, match=why):
        called([sys.executable, "-c", script])


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("OpenCV(5.0.0) /io/dnn/importer.cpp:10: error: (-2:Unspecified error) in function 'f' > no", "no"),
        ("Could not open '/home/me/models/a.tflite'.", "Could not open 'a.tflite'."),
        ("Exception from src/core.cpp:10:\nCheck 'a == b' failed at src/b.cpp:20:\nno | conversion", "no / conversion"),
        ("a" * 500, "a" * asked.LONGEST + " …"),
    ],
)
def test_a_sentence_names_no_place(text: str, want: str) -> None:
    assert sentence(text) == want


def test_an_output_may_be_channels_last_and_nothing_else() -> None:
    want = np.arange(2 * 3 * 5 * 7, dtype=np.float32).reshape(2, 3, 5, 7)
    assert files.error(want.transpose(0, 2, 3, 1), want) == 0
    assert files.error(want.transpose(0, 3, 2, 1), want) == np.inf
    assert files.error(want + 1, want) == pytest.approx(1 / (want.size - 1))


@pytest.mark.parametrize("net", COMMITTED, ids=lambda net: net.stem)
def test_committed_nets_fit_their_shapes(net: Net) -> None:
    model = files.fixed(onnx.load(net.path), net.shape)
    assert [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [*net.shape]
    assert all(value.name in {"input", "output"} for value in (*model.graph.input, *model.graph.output))


def test_each_runtime_has_its_file() -> None:
    folder = Path(asked.__file__).parent
    names: Sequence[str] = [path.stem.removeprefix("in_") for path in folder.glob("in_*.py")]
    assert sorted(names) == sorted(runtime.name for runtime in RUNTIMES)
    assert {form for runtime in RUNTIMES for form in runtime.reads} == set(files.MAKERS)


def test_a_page_is_renewed_by_runtime() -> None:
    """Rows and tables of the others stay, in their order."""

    def text(word: str) -> str:
        rows = "\n".join(f"| {runtime.name} | {word} |" for runtime in RUNTIMES)
        return page.TABLE.join([f"head {word}\n{rows}", *(f"{runtime.name}\n\n{word}" for runtime in RUNTIMES)])

    both = page.renewed(text("before"), text("after"), RUNTIMES[1:2])
    assert both.startswith("head after\n")
    for place, runtime in enumerate(RUNTIMES):
        word = "after" if place == 1 else "before"
        assert f"| {runtime.name} | {word} |" in both
        assert f"{page.TABLE}{runtime.name}\n\n{word}" in both
