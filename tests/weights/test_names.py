"""What tensors are called: modules' names where an exporter has others, and one's own."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from rewriter import UsageError
from rewriter.weights import export_weights, read_weights
from rewriter.weights.cli import main
from rewriter.weights.names.names import legacy_module, shared_module, traced_module
from tests.support.graphs import COMMITTED, conv, model, node, random


def named(weight: str, node_name: str) -> ModelProto:
    """Two Convs, the second one of a module's own names."""
    first = node("Conv", ["x", weight], ["a"], node_name)
    return model(
        [first, conv("a", "y", "own.weight")],
        {"x": [2, 3, 5, 7]},
        {"y": None},
        {weight: random(3, 3, 3, 3), "own.weight": random(3, 3, 1, 1)},
    )


@pytest.mark.parametrize(
    ("weight", "node_name", "pytorch", "keras"),
    [
        ("net_1/c1_1/convolution/merged_input:0", "Conv__7", "c1.weight", "c1/kernel"),
        ("net_1/c1_1/convolution/ReadVariableOp:0", "net_1/c1_1/BiasAdd", "c1.weight", "c1/kernel"),
        ("net_1/c1_1_2/convolution/ReadVariableOp:0", "net_1/c1_1_2/BiasAdd", "c1_1.weight", "c1_1/kernel"),
        ("net_1/enc_1/c_1/convolution/ReadVariableOp:0", "Conv__7", "enc.c.weight", "enc/c/kernel"),
        ("const_fold_opt__63", "net_1/dw_1/depthwise", "dw.weight", "dw/kernel"),
        ("net/c1/Conv2D/ReadVariableOp:0", "net/c1/Conv2D", "c1.weight", "c1/kernel"),
        ("onnx::Conv_25", "/layer1/layer1.0/conv1/Conv", "layer1.0.conv1.weight", "layer1.0.conv1.weight"),
        ("const_fold_opt__63", "net_1/bn_1/batchnorm/mul_1", None, None),
        ("onnx::Conv_25", "Conv_3", None, None),
        ("onnx::Conv_25", "/Conv", None, None),
        ("w", "/conv1/Conv", None, None),
        ("a.b.weight", "/c/Conv", None, None),
    ],
)
def test_names_of_exporters(weight: str, node_name: str, pytorch: str | None, keras: str | None) -> None:
    for target, name in (("pytorch", pytorch), ("keras", keras), ("tflite", None)):
        export = export_weights(named(weight, node_name), target)
        assert list(export.tensors) == [name or weight, "own.weight"]
        assert export.manifest.tensors[name or weight].source == weight
        assert list(export.manifest.layers[node_name].parameters.values()) == [name or weight]


def test_two_that_would_have_one_name_keep_their_own() -> None:
    paths = ["net_1/c1_1/a/ReadVariableOp:0", "net_1/c1_1/b/ReadVariableOp:0"]
    nodes = [node("Conv", ["x", paths[0]], ["a"], "n0"), node("Conv", ["a", paths[1]], ["y"], "n1")]
    weights = {path: random(3, 3, 3, 3) for path in paths}
    export = export_weights(model(nodes, {"x": [2, 3, 5, 7]}, {"y": None}, weights), "keras")
    assert list(export.tensors) == paths


def test_parts_of_paths() -> None:
    assert legacy_module("/features/features.0/features.0.1/Conv") == ["features.0.1"]
    assert traced_module(["net_1", "Conv2D"]) == []
    assert shared_module(["net", "a", "b"], ["net", "a"]) == ["a"]


def test_a_keras_model_of_the_repository() -> None:
    names = list(export_weights(COMMITTED["keras_flatten"], "keras").tensors)
    assert names[:4] == ["conv2d/kernel", "conv2d/bias", "conv2d_1/kernel", "conv2d_1/bias"]


# One's own


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"own.weight": "last"}, ["w", "last"]),
        ({"own": "a/b"}, ["w", "a/b.weight"]),
        ({"own.weight": "b", "w": "c"}, ["c", "b"]),
    ],
)
def test_names(wanted: dict[str, str], expected: list[str], tmp_path: Path) -> None:
    onnx.save(named("w", "n"), tmp_path / "net.onnx")
    (tmp_path / "names.json").write_text(json.dumps(wanted))
    line = [str(tmp_path / "net.onnx"), "--for", "keras", "--names", str(tmp_path / "names.json"), "-q"]
    assert main([*line, "-o", str(tmp_path / "w.npz")]) == 0
    tensors, manifest = read_weights(tmp_path / "w.npz")
    assert list(tensors) == list(manifest["tensors"]) == expected
    np.testing.assert_array_equal(tensors[expected[0]], random(3, 3, 3, 3).transpose(2, 3, 1, 0))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"ow": "a"}, "no tensor and no module is called 'ow'"),
        ({"w": "own.weight"}, "more than one tensor would be called 'own.weight'"),
    ],
)
def test_names_that_cannot_be(wanted: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        export_weights(named("w", "n"), "keras", names=wanted)


@pytest.mark.parametrize("text", ["[]", '{"a": 1}', "no JSON", None])
def test_files_of_names_that_are_none(text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(named("w", "n"), tmp_path / "net.onnx")
    if text is not None:
        (tmp_path / "names.json").write_text(text)
    assert main([str(tmp_path / "net.onnx"), "--for", "keras", "--names", str(tmp_path / "names.json")]) == 2
    assert capsys.readouterr().err.startswith(f"error: --names {tmp_path}")


def test_aliases() -> None:
    for alias, target in (("keras", "tensorflow"), ("jax", "flax")):
        assert export_weights(named("w", "n"), alias).manifest.target == target
