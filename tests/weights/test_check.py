"""``--check`` where no framework is needed: what it says without one, and why layers are not run."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from rewriter.errors import CouldNotValidate, ResultDiffers, UsageError
from rewriter.weights import check_weights, export_weights
from rewriter.weights.check import run as running
from rewriter.weights.check.record import Entry, NotRun, Weights
from rewriter.weights.check.values import values_of
from rewriter.weights.cli import main
from rewriter.weights.manifest.checked import Checked
from rewriter.weights.tensors.letters import Array
from tests.support.graphs import conv, model, random

EXTRAS = {"pytorch": "torch", "tensorflow": "tensorflow", "tflite": "tensorflow", "flax": "flax"}
Layer = Callable[[Array, Entry, Weights], Array]


@pytest.fixture
def net() -> onnx.ModelProto:
    return model([conv("x", "y")], {"x": [2, 3, 5, 7]}, {"y": None}, {"w": random(10, 3, 3, 3)})


@pytest.fixture
def path(net: onnx.ModelProto, tmp_path: Path) -> Path:
    onnx.save(net, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def given(monkeypatch: pytest.MonkeyPatch, layer: Layer) -> None:
    """PyTorch's place taken by ``layer``."""
    fake: Any = SimpleNamespace(layer=layer, version=lambda: "0", LAYERS={"conv": layer})
    monkeypatch.setattr(running, "runner_of", lambda _: (running.ROWS["pytorch"], fake))


def by_onnxruntime(proto: onnx.ModelProto, seed: int = 0) -> Layer:
    """Right by construction, for a model of one layer that gives ``y``."""
    return lambda x, entry, weights: values_of(proto, ["y"], seed)["y"]


def checked(proto: onnx.ModelProto) -> Checked:
    found = check_weights(export_weights(proto, "pytorch"), proto).manifest.checked
    assert found is not None
    return found


@pytest.mark.parametrize("target", EXTRAS)
def test_a_framework_that_is_not_installed(
    target: str, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = running.ROWS[target].packages[0]
    monkeypatch.setitem(sys.modules, package, None)
    assert main([str(path), "--for", target, "--check"]) == 2
    text = capsys.readouterr().err
    assert text.startswith(f"error: --check: this needs {package} (")
    assert text.endswith(f"): pip install 'onnx-layout-rewriter[{EXTRAS[target]}]'\n")
    assert [entry.name for entry in path.parent.iterdir()] == ["net.onnx"]


def test_the_extras_are_in_pyproject() -> None:
    import tomllib

    from tests.support.graphs import ROOT

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for target, row in running.ROWS.items():
        assert row.extra == EXTRAS[target]
        assert row.extra in extras


def test_a_layer_that_differs_writes_nothing(
    path: Path, net: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, lambda x, entry, weights: by_onnxruntime(net)(x, entry, weights) * 1.001)
    assert main([str(path), "--for", "pytorch", "--check"]) == 1
    text = capsys.readouterr().err
    assert text == "error: --check: y in PyTorch differs from onnxruntime by 1.0e-03 of its scale; 1e-04 is allowed\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["net.onnx"]


def test_what_is_printed_and_recorded(
    path: Path, net: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, by_onnxruntime(net))
    assert main([str(path), "--for", "pytorch", "--check"]) == 0
    assert "checked 1 of 1 layers in PyTorch: largest error 0.0e+00 of scale (y)\n" in capsys.readouterr().out
    assert '"checked": {\n  "framework": "PyTorch",' in path.with_name("net.pytorch.json").read_text()


def test_nothing_is_recorded_unasked(net: onnx.ModelProto) -> None:
    assert "checked" not in export_weights(net, "pytorch").manifest.to_json()


def test_a_framework_that_refuses(net: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(x: Array, entry: Entry, weights: Weights) -> Array:
        raise ValueError("no such\nshape")

    given(monkeypatch, refuses)
    with pytest.raises(ResultDiffers, match=r"PyTorch refuses the layer y as exported \(no such shape\)"):
        checked(net)


@pytest.mark.parametrize("found", [np.zeros((2, 10, 5, 6)), np.full((2, 10, 5, 7), np.nan)])
def test_another_shape_and_nan_differ(found: Array, net: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, lambda x, entry, weights: found)
    with pytest.raises(ResultDiffers, match=r"gives shape|by nan"):
        checked(net)


def lacks(x: Array, entry: Entry, weights: Weights) -> Array:
    raise NotRun("there is none")


def others() -> dict[str, tuple[onnx.ModelProto, str]]:
    """Layers that are named with a reason, never counted as checked."""
    image, kernel = {"x": [2, 3, 5, 7]}, {"w": random(10, 3, 3, 3)}
    zero = helper.make_node("Sub", ["x", "x"], ["z"])
    scaled = helper.make_node("Mul", ["w", "s"], ["k"])
    integers = helper.make_node("ConvInteger", ["x", "w"], ["y"])
    pixels = [helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, [2, 3, 5, 7])]
    result = helper.make_tensor_value_info("y", onnx.TensorProto.INT32, None)
    pool = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])
    inner = [conv("x", "t")]
    body = helper.make_graph(inner, "body", [], [helper.make_tensor_value_info("t", 1, None)])
    branches = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)
    condition = {"c": np.array(True)}
    return {
        "the framework has none": (model([conv("x", "y")], image, {"y": None}, kernel), "there is none"),
        "zeros": (model([zero, conv("z", "y")], image, {"y": None}, kernel), "nothing but zeros"),
        "computed": (
            model([scaled, conv("x", "y", "k")], {**image, "s": [1]}, {"y": None}, kernel),
            "its weight is computed in the graph",
        ),
        "integers": (
            model([integers], pixels, [result], {"w": np.ones((4, 3, 3, 3), np.uint8)}),
            "with integers",
        ),
        "another kind": (model([pool], image, {"y": None}), "does not know how PyTorch makes it"),
        "a branch": (model([branches], image, {"y": None}, {**kernel, **condition}), "not in the model's main graph"),
    }


@pytest.mark.parametrize("case", others())
def test_what_is_not_checked(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proto, why = others()[case]
    given(monkeypatch, lacks)
    found = checked(proto)
    assert found.errors == {}
    assert found.others
    assert all(why in reason for reason in found.others.values())


def test_a_model_that_does_not_run(net: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, lacks)
    export = export_weights(net, "pytorch")
    net.graph.node[0].op_type = "Unheard"
    with pytest.raises(CouldNotValidate, match=r"--check: onnxruntime does not run the model"):
        check_weights(export, net)


def test_integers_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    dequantise = helper.make_node("DequantizeLinear", ["w", "s"], ["k"])
    held: dict[str, Array] = {"w": np.ones((10, 3, 3, 3), np.int8), "s": np.array(0.5, np.float32)}
    proto = model([dequantise, conv("x", "y", "k")], {"x": [2, 3, 5, 7]}, {"y": None}, held)
    given(monkeypatch, by_onnxruntime(proto))
    assert checked(proto).errors == {"y": 0}
    kept = check_weights(export_weights(proto, "pytorch", keep_quantized=True), proto).manifest.checked
    assert kept is not None
    assert kept.others == {"y": "its weights stay integers"}


def test_what_is_no_model(net: onnx.ModelProto) -> None:
    export = export_weights(net, "pytorch")
    with pytest.raises(UsageError, match=r"^model is a dict: give an onnx\.ModelProto or the path of a file"):
        check_weights(export, {"a": 1})  # type: ignore[arg-type]


def test_not_with_a_checkpoint(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(path), "--for", "pytorch", "--check", "--checkpoint", str(path)]) == 2
    assert "--checkpoint replaces: leave one out" in capsys.readouterr().err


def test_reasons_are_told_once() -> None:
    from rewriter.weights.check.text import by_reason

    told = [*by_reason(dict.fromkeys("abcde", "why") | {"f": "other"})]
    assert told == ["why (a, b, c, 2 more (-v))", "other (f)"]


def test_every_framework_has_a_row() -> None:
    from rewriter.weights import TARGETS

    assert set(running.ROWS) == set(TARGETS)
