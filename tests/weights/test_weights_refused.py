"""Targets, types and files of weights that are refused, or hard to write."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from rewriter import UsageError
from rewriter.weights import export_weights, read_weights, save_weights
from tests.support.graphs import model, node, random
from tests.support.layers import one_layer
from tests.weights.test_weights import flattened


def test_an_unknown_target() -> None:
    with pytest.raises(UsageError, match="target is 'caffe'; it must be pytorch"):
        export_weights(flattened([]), "caffe")


def test_transpose_kernel_is_for_flax() -> None:
    with pytest.raises(UsageError, match="transpose_kernel is Flax's"):
        export_weights(flattened([]), "pytorch", transpose_kernel=True)


def test_npz_has_no_bfloat16(tmp_path: Path) -> None:
    export = one_layer("MatMul", {"w": random(7, 4).astype(ml_dtypes.bfloat16)}, [2, 7], "flax")
    with pytest.raises(UsageError, match=r"'w' is bfloat16, which .npz files do not hold: write .safetensors"):
        save_weights(export, tmp_path / "w.npz")
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_hard_for_npz(tmp_path: Path) -> None:
    names = ["file", "/a/b.weight", "c:0", "d.npy"]
    nodes = [node("Add", ["x" if i == 0 else f"v{i}", name], [f"v{i + 1}"]) for i, name in enumerate(names)]
    proto = model(nodes, {"x": [3]}, {f"v{len(names)}": [3]}, {name: random(3) + i for i, name in enumerate(names)})
    save_weights(export_weights(proto, "flax"), tmp_path / "w.npz")
    tensors, _ = read_weights(tmp_path / "w.npz")
    for i, name in enumerate(names):
        np.testing.assert_array_equal(tensors[name], random(3) + i)


def test_a_file_of_something_else(tmp_path: Path) -> None:
    for ending in ("safetensors", "npz"):
        (tmp_path / f"w.{ending}").write_bytes(b"nothing of the kind")
        with pytest.raises(UsageError, match="not a file of weights"):
            read_weights(tmp_path / f"w.{ending}")


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the one aside, in which it is written until it is whole."""

    def write(_: object, path: Path) -> None:
        raise UsageError(f"{path}: no")

    monkeypatch.setattr("rewriter.weights.files.weights.writer", lambda *_: write)
    with pytest.raises(UsageError, match=f"^{tmp_path}/w.npz: no$"):
        save_weights(export_weights("models/torch_resnet.onnx", "keras"), tmp_path / "w.npz")
