"""``--checkpoint``: an export that folded or renamed, and the weights of the module itself, give the module's own."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import safetensors.torch
import tensorflow as tf
import tf2onnx
import torch
from onnx import ModelProto

from rewriter import UsageError
from rewriter.weights import Export, export_weights, fill_keras, save_weights
from tests.interop.common import agree, last, onnx_of, random, torch_run
from tests.interop.test_flax import randomise
from tests.interop.test_loads import Net, X, branch, keras_net, torch_net

pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # Keras's own, as it saves

EXPORTS: dict[str, Callable[[torch.nn.Module], ModelProto]] = {
    "dynamo": lambda net: onnx_of(net, torch.from_numpy(X), dynamo=True),
    "dynamo, not optimised": lambda net: onnx_of(net, torch.from_numpy(X), dynamo=True, fold=False),
    "script": lambda net: onnx_of(net, torch.from_numpy(X)),
    "script, not folded": lambda net: onnx_of(net, torch.from_numpy(X), fold=False),
}


def saved(net: torch.nn.Module, folder: Path, ending: str) -> Path:
    """The module's own weights."""
    path, state = folder / f"own.{ending}", net.state_dict()
    if ending == "pt":
        torch.save({"epoch": 3, "model": state}, path)
    elif ending == "npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in state.items()})
    else:
        safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    return path


def tuned(net: torch.nn.Module) -> torch.nn.Module:
    """The same with other values everywhere."""
    torch.manual_seed(1)
    with torch.no_grad():
        for tensor in net.state_dict().values():
            if tensor.is_floating_point():
                tensor.mul_(1 + 0.3 * torch.rand_like(tensor))
    return net


@pytest.mark.parametrize("ending", ["pt", "safetensors", "npz"])
@pytest.mark.parametrize("exporter", EXPORTS)
def test_a_module_comes_back_as_it_is(exporter: str, ending: str, tmp_path: Path) -> None:
    net = torch_net()
    export = export_weights(EXPORTS[exporter](net), "pytorch", checkpoint=saved(net, tmp_path, ending))
    own = net.state_dict()
    assert export.tensors.keys() == own.keys()
    assert all(np.array_equal(array, own[name].numpy()) for name, array in export.tensors.items())


@pytest.mark.parametrize("exporter", EXPORTS)
def test_tuned_weights_need_no_new_export(exporter: str, tmp_path: Path) -> None:
    """Into Keras, whose model has the normalisations that the export may have folded."""
    proto, net = EXPORTS[exporter](torch_net()), tuned(torch_net())
    save_weights(export_weights(proto, "keras", checkpoint=saved(net, tmp_path, "pt")), tmp_path / "w.safetensors")
    model = keras_net()
    fill_keras(model, tmp_path / "w.safetensors")
    agree(model(last(X)), torch_run(net, X))


def unnamed(proto: ModelProto) -> ModelProto:
    """What some converters leave: no names of modules at all."""
    new = {t.name: f"t{i}" for i, t in enumerate(proto.graph.initializer)}
    for tensor in proto.graph.initializer:
        tensor.name = new[tensor.name]
    for i, node in enumerate(proto.graph.node):
        node.name = f"n{i}"
        node.input[:] = [new.get(name, name) for name in node.input]
    return proto


@pytest.mark.parametrize("exporter", EXPORTS)
def test_by_value(exporter: str, tmp_path: Path) -> None:
    """Also of kernels into which a normalisation was folded: each output channel is scaled."""
    net = torch_net(branch(8))
    export = export_weights(unnamed(EXPORTS[exporter](net)), "pytorch", checkpoint=saved(net, tmp_path, "pt"))
    own = net.state_dict()
    assert all(np.array_equal(array, own[name].numpy()) for name, array in export.tensors.items())
    assert export.tensors.keys() == own.keys()


def test_by_shape_where_there_is_one(tmp_path: Path) -> None:
    proto, net = unnamed(EXPORTS["script"](torch_net())), tuned(torch_net())
    tensors = export_weights(proto, "pytorch", checkpoint=saved(net, tmp_path, "pt")).tensors
    assert all(np.array_equal(tensors[name], tensor.numpy()) for name, tensor in net.state_dict().items())


def test_what_may_be_either_is_refused(tmp_path: Path) -> None:
    proto, net = unnamed(EXPORTS["script"](torch_net(branch(8)))), tuned(torch_net(branch(8)))
    with pytest.raises(UsageError, match=r"own.pt: layer .* of shape 8x8x3x3 may be 'middle.left', 'middle.right'"):
        export_weights(proto, "pytorch", checkpoint=saved(net, tmp_path, "pt"))


def test_a_layer_that_is_not_in_the_checkpoint(tmp_path: Path) -> None:
    state = torch_net().state_dict()
    del state["fc.weight"], state["fc.bias"]
    torch.save(state, tmp_path / "own.pt")
    with pytest.raises(UsageError, match="layer 'node_linear' of shape 5x1920 is not in it"):
        export_weights(EXPORTS["dynamo"](torch_net()), "pytorch", checkpoint=tmp_path / "own.pt")


def test_vectors_of_a_length_that_is_reordered_are_left_out(tmp_path: Path) -> None:
    """It is not known whether they are of that axis."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten(), torch.nn.Linear(160, 5)).eval()
    torch.save({**net.state_dict(), "extra": torch.ones(160), "other": torch.ones(7)}, tmp_path / "own.pt")
    proto = onnx_of(net, torch.from_numpy(X), dynamo=True, fold=False)
    export = export_weights(proto, "tensorflow", checkpoint=tmp_path / "own.pt")
    assert export.manifest.notes[:1] == ["'extra' of the checkpoint is not in the graph, and left out"]
    assert list(export.tensors) == ["0.weight", "0.bias", "2.weight", "2.bias", "other"]


class Code:
    """What a pickle may run."""

    def __reduce__(self) -> Any:
        return (Path("ran").touch, ())


def test_no_code_of_a_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"w": Code()}, tmp_path / "bad.pt")
    np.savez(tmp_path / "bad.npz", w=np.array([Code()], dtype=object))
    for name in ("bad.pt", "bad.npz"):
        with pytest.raises(UsageError, match=name):
            export_weights(EXPORTS["script"](torch_net()), "pytorch", checkpoint=tmp_path / name)
    assert not (tmp_path / "ran").exists()


# Keras


def keras_onnx(model: keras.Model) -> ModelProto:
    model.output_names = ["out"]  # tf2onnx looks for it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        proto, _ = tf2onnx.convert.from_keras(model, [tf.TensorSpec((1, 12, 10, 3), tf.float32)], opset=17)
    return proto


def randomised_keras() -> keras.Model:
    model = keras_net()
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.5, 1.5, array.shape) * 0.3 for array in model.get_weights()])
    return model


@pytest.fixture
def trained(tmp_path: Path) -> keras.Model:
    model = randomised_keras()
    model.save_weights(tmp_path / "own.weights.h5")
    return model


def test_a_keras_model_comes_back_as_it_is(trained: keras.Model, tmp_path: Path) -> None:
    """Normalisations that tf2onnx folded too."""
    export = export_weights(keras_onnx(trained), "keras", checkpoint=tmp_path / "own.weights.h5")
    own = {f"{layer.name}/{w.name}": w.numpy() for layer in trained.layers for w in layer.weights}
    assert export.tensors.keys() == own.keys()
    assert all(np.array_equal(array, own[name]) for name, array in export.tensors.items())


def test_a_keras_checkpoint_for_pytorch(trained: keras.Model, tmp_path: Path) -> None:
    export = export_weights(keras_onnx(trained), "pytorch", checkpoint=tmp_path / "own.weights.h5")
    save_weights(export, tmp_path / "w.pt")
    net = Net(torch.nn.Identity())
    missing = net.load_state_dict(torch.load(tmp_path / "w.pt", weights_only=True), strict=True)
    assert not missing.missing_keys
    x = random(1, 3, 12, 10)
    agree(torch_run(net, x), np.asarray(trained(last(x))))


def test_names_of_tf2onnx(trained: keras.Model) -> None:
    """Without a checkpoint; what was folded is told."""

    def names(target: str) -> Export:
        return export_weights(keras_onnx(trained), target)

    assert {"depthwise/kernel", "conv1/kernel", "up/kernel", "fc/kernel", "fc/bias"} <= names("keras").tensors.keys()
    assert {"conv1.weight", "up.weight", "fc.weight", "fc.bias"} <= names("pytorch").tensors.keys()
    assert any("folded in by the exporter" in note for note in names("keras").manifest.notes)
    assert names("flax").manifest.tensors["conv1/kernel"].source.startswith("functional")


def test_script_names(tmp_path: Path) -> None:
    """PyTorch's exporter with dynamo=False: names of its own where it folded."""
    net = torch_net(
        torch.nn.Sequential(torch.nn.Sequential(torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.BatchNorm2d(8)))
    )
    export = export_weights(EXPORTS["script"](net), "pytorch")
    assert {"middle.0.0.weight", "middle.0.0.bias", "conv1.weight", "up.weight"} <= export.tensors.keys()
    assert any("export with torch.onnx.export(..., dynamo=True, optimize=False)" in n for n in export.manifest.notes)
    assert randomise(net) is net
    onnx.save(EXPORTS["dynamo"](net), tmp_path / "net.onnx")
    notes = export_weights(tmp_path / "net.onnx", "pytorch").manifest.notes
    assert [note for note in notes if "folded" in note] == notes != []
