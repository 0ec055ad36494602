"""Formats by the ending of ``-o``, what each needs, and what is refused; tests/interop/test_loads.py loads them."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.numpy
from onnx import ModelProto

from rewriter import UsageError
from rewriter.weights import export_weights, flax_variables, save_weights
from rewriter.weights.cli import main
from rewriter.weights.layers.order import unordered
from tests.support.graphs import conv, model, node, random

IMAGE = [2, 3, 5, 7]


def net() -> ModelProto:
    """Two convolutions beside each other, then one behind both."""
    nodes = [conv("x", "a", "left.weight"), conv("x", "b", "right.weight"), node("Add", ["a", "b"], ["c"])]
    weights = {name: random(3, 3, 3, 3) for name in ("left.weight", "right.weight", "last.weight")}
    return model([*nodes, conv("c", "y", "last.weight")], {"x": IMAGE}, {"y": None}, weights)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    onnx.save(net(), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def error(capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().err
    assert text.startswith("error: ")
    assert text.count("\n") == 1
    return text


def test_layers_say_what_they_come_after() -> None:
    layers = export_weights(net(), "keras").manifest.layers
    assert {name: layer.after for name, layer in layers.items()} == {"a": (), "b": (), "y": ("a", "b")}
    assert layers["y"].to_json()["after"] == ["a", "b"]
    after = {name: layer.after for name, layer in layers.items()}
    assert list(unordered(after, after)) == [("a", "b")]


def test_flax_variables(tmp_path: Path) -> None:
    save_weights(export_weights(net(), "flax"), tmp_path / "w.safetensors")
    tree = flax_variables(tmp_path / "w.safetensors")
    assert list(tree) == ["params"]
    assert {name: list(held) for name, held in tree["params"].items()} == {
        "left": ["kernel"],
        "right": ["kernel"],
        "last": ["kernel"],
    }


def test_flax_variables_that_cannot_be(tmp_path: Path) -> None:
    save_weights(export_weights(net(), "keras"), tmp_path / "keras.npz")
    with pytest.raises(UsageError, match="written for tensorflow"):
        flax_variables(tmp_path / "keras.npz")
    for name, words in (("right", "has the path params/right/kernel of another"), ("right.kernel.b", "below another")):
        export = export_weights(net(), "flax", names={"left": "right", "right.weight": f"{name}.other"})
        save_weights(export, tmp_path / "w.npz")
        with pytest.raises(UsageError, match=words):
            flax_variables(tmp_path / "w.npz")


@pytest.mark.parametrize(
    ("target", "ending", "words"),
    [
        ("pytorch", "msgpack", "written as .safetensors, .npz, .pt; use one of these"),
        ("keras", "pt", "written as .safetensors, .npz, .weights.h5;"),
        ("keras", "h5", "written as .safetensors, .npz, .weights.h5;"),
        ("tflite", "weights.h5", "written as .safetensors, .npz;"),
    ],
)
def test_a_format_of_another(
    target: str, ending: str, words: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(path), "--for", target, "-o", str(path.with_name(f"w.{ending}"))]) == 2
    assert words in error(capsys)


@pytest.mark.parametrize(
    ("target", "ending", "extra"),
    [
        ("pytorch", "pt", "torch"),
        ("keras", "weights.h5", "keras"),
        ("flax", "msgpack", "flax"),
        ("flax", "orbax", "flax"),
    ],
)
def test_without_an_extra(
    target: str,
    ending: str,
    extra: str,
    path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = importlib.import_module

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] in ("torch", "h5py", "flax", "orbax"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return usual(name, *rest)

    monkeypatch.setattr("rewriter.extras.import_module", without)
    assert main([str(path), "--for", target, "-o", str(path.with_name(f"w.{ending}"))]) == 2
    assert f"pip install 'onnx-layout-rewriter[{extra}]'" in error(capsys)
    assert [entry.name for entry in path.parent.iterdir()] == ["net.onnx"]


# Checkpoints that need no framework


def own(kernel: int = 3) -> dict[str, Any]:
    return {
        name: random(3, 3, kernel, kernel) + i for i, name in enumerate(("left.weight", "right.weight", "last.weight"))
    }


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_values_of_a_checkpoint(ending: str, path: Path) -> None:
    file = path.with_name(f"own.{ending}")
    np.savez(file, **own()) if ending == "npz" else safetensors.numpy.save_file(own(), file)
    line = [str(path), "--for", "keras", "--checkpoint", str(file), "-o", str(path.with_name("w.npz")), "-q"]
    assert main(line) == 0
    with np.load(path.with_name("w.npz")) as data:
        for name, array in own().items():
            np.testing.assert_array_equal(data[name], array.transpose(2, 3, 1, 0))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.npz", "no such file"),
        ("bad.npz", "not a readable checkpoint"),
        ("bad.safetensors", "not a readable checkpoint"),
        ("bad.bin", "checkpoints are read from .safetensors"),
        ("other.npz", "layer 'a' of shape 3x3x3x3 is not in it"),
        ("tf.safetensors", "in the layout of 'tf'"),
    ],
)
def test_checkpoints_that_cannot_be(name: str, words: str, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for bad in ("bad.npz", "bad.safetensors", "bad.bin"):
        path.with_name(bad).write_bytes(b"nothing of the kind")
    np.savez(path.with_name("other.npz"), **own(2))
    safetensors.numpy.save_file(own(), path.with_name("tf.safetensors"), {"format": "tf"})
    assert main([str(path), "--for", "keras", "--checkpoint", str(path.with_name(name))]) == 2
    assert words in error(capsys)


def test_a_checkpoint_is_never_written_over(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(path.with_name("own.npz"), **own())
    file = str(path.with_name("own.npz"))
    assert main([str(path), "--for", "keras", "--checkpoint", file, "-o", file]) == 2
    assert "is the input" in error(capsys)


# Notes


def test_a_bias_of_zeros_is_none() -> None:
    """PyTorch's exporter makes one in the graph for every ``bias=False`` if it is not to optimise."""
    nodes = [
        node("Shape", ["w"], ["s"], start=0, end=1),
        node("CastLike", ["zero", "x"], ["z"]),
        node("Expand", ["z", "s"], ["bias"]),
        node("Conv", ["x", "w", "bias"], ["y"], "layer"),
    ]
    for zero, parameters in ((0.0, ["kernel"]), (1.0, ["kernel", "bias"])):
        constants = {"w": random(10, 3, 3, 3), "zero": np.array(zero, np.float32)}
        manifest = export_weights(model(nodes, {"x": IMAGE}, {"y": None}, constants), "keras").manifest
        assert list(manifest.layers["layer"].parameters) == parameters
        assert any("its value is in the file" in note for note in manifest.notes) == bool(zero)


@pytest.mark.parametrize(
    ("weight", "bias", "rule", "folded"),
    [
        ("0.weight", "0.weight_bias", "", True),
        ("onnx::Conv_25", "onnx::Conv_26", "", True),
        ("0.weight", "0.bias", "FuseBatchNormIntoConv", True),
        ("net_1/c_1/convolution/merged_input:0", "net_1/bn_1/batchnorm/sub:0", "", True),
        ("0.weight", "0.bias", "", False),
    ],
)
def test_folded_parameters_are_told(weight: str, bias: str, rule: str, folded: bool) -> None:
    proto = model(
        [node("Conv", ["x", weight, bias], ["y"], "n")],
        {"x": IMAGE},
        {"y": None},
        {weight: random(4, 3, 3, 3), bias: random(4)},
    )
    if rule:
        proto.graph.node[0].metadata_props.add(key="pkg.onnxscript.rewriter.rule_name", value=rule)
    notes = export_weights(proto, "pytorch").manifest.notes
    assert [f"1 layers have their normalisation folded in by the exporter ({weight!r})" in n for n in notes] == [
        True
    ] * folded
