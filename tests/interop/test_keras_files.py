"""``model.load_weights`` of nets with recurrent layers, normalisations, embeddings, slopes, and of integers."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

from rewriter.weights import export_weights, fill_keras, read_weights, save_weights
from tests.interop.common import agree, last, onnx_of, random, torch_run
from tests.interop.test_norms import of_keras

L = keras.layers
NETS: dict[str, Any] = {
    "lstm": lambda: [keras.Input((7, 6)), L.LSTM(5, return_sequences=True), L.LayerNormalization(), L.LSTM(4)],
    "gru": lambda: [keras.Input((7, 6)), L.GRU(5, return_sequences=True), L.GRU(4, reset_after=False), L.Dense(3)],
    "both": lambda: [keras.Input((7, 6)), L.Bidirectional(L.LSTM(5, return_sequences=True)), L.LSTM(4)],
    "embedding": lambda: [keras.Input((7,)), L.Embedding(10, 6), L.LSTM(4), L.Dense(3), L.PReLU()],
    "norms": lambda: [
        keras.Input((7, 6, 3)),
        L.Conv2D(8, 3),
        L.PReLU(shared_axes=[1, 2]),
        L.GroupNormalization(4),
        L.Conv2D(6, 2),
        L.PReLU(),
        L.LayerNormalization(center=False),
        L.Flatten(),
        L.Dense(3),
        L.LayerNormalization(),
    ],
}


def net_of(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs, *layers = NETS[name]()
    net = keras.Sequential([keras.Input(inputs.shape[1:], batch_size=2), *layers])
    net.set_weights([random(*array.shape) / 3 + i / 50 for i, array in enumerate(net.get_weights())])
    return net


@pytest.mark.parametrize("name", NETS)
def test_of_keras(name: str, tmp_path: Path) -> None:
    """There and back through tf2onnx's file: as it was."""
    net = net_of(name)
    save_weights(export_weights(of_keras(net), "keras"), tmp_path / "w.weights.h5")
    again = keras.models.clone_model(net)
    again.load_weights(tmp_path / "w.weights.h5")
    x = np.abs(random(*net.input_shape)) * 3
    agree(again(x), np.asarray(net(x)), 2e-6)


class Recurrent(torch.nn.Module):
    """An Embedding, two layers in both directions, a GRU and a Linear."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(6, 5, 2, batch_first=True, bidirectional=True)
        self.gru = torch.nn.GRU(10, 4, batch_first=True)
        self.fc = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.gru(self.lstm(x)[0])[0])


def recurrent_keras() -> keras.Model:
    layers = [L.LSTM(5, return_sequences=True) for _ in range(2)]
    names = ("lstm", "lstm_l1")
    both = [L.Bidirectional(layer, name=name) for layer, name in zip(layers, names, strict=True)]
    return keras.Sequential(
        [keras.Input((7, 6)), *both, L.GRU(4, return_sequences=True, name="gru"), L.Dense(3, name="fc")]
    )


def test_recurrent_layers_of_pytorch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, x = Recurrent(), random(2, 7, 6)
    model = onnx_of(net, torch.from_numpy(x), fold=False, dynamo=True)
    export = export_weights(model, "keras")
    save_weights(export, tmp_path / "w.weights.h5")
    save_weights(export, tmp_path / "w.safetensors")
    for by_name in (False, True):
        made = recurrent_keras()
        if by_name:
            fill_keras(made, tmp_path / "w.safetensors")
        else:
            made.load_weights(tmp_path / "w.weights.h5")
        agree(made(x), torch_run(net, x))
    save_weights(export_weights(model, "pytorch"), tmp_path / "own.safetensors")
    tensors = {
        name: torch.from_numpy(array.copy()) for name, array in read_weights(tmp_path / "own.safetensors")[0].items()
    }
    empty = Recurrent()
    empty.load_state_dict(tensors, strict=True)
    assert all(torch.equal(tensor, empty.state_dict()[name]) for name, tensor in net.state_dict().items())


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("wrap", [torch.nn.utils.parametrizations.weight_norm, torch.nn.utils.weight_norm])
def test_weight_norms_load_strictly(wrap: Any, tmp_path: Path) -> None:
    def made() -> torch.nn.Module:
        return torch.nn.Sequential(
            wrap(torch.nn.Conv2d(3, 6, 3)), torch.nn.ReLU(), wrap(torch.nn.ConvTranspose2d(6, 4, 3))
        )

    torch.manual_seed(0)
    net, again, x = made(), made(), random(2, 3, 9, 8)
    model = onnx_of(net, torch.from_numpy(x), fold=False, dynamo=True)
    held = export_weights(model, "pytorch").tensors
    again.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in held.items()}, strict=True)
    agree(torch_run(again, x), torch_run(net, x), 0)
    layers = [keras.Input((9, 8, 3)), L.Conv2D(6, 3, activation="relu"), L.Conv2DTranspose(4, 3)]
    other = keras.Sequential(layers)
    save_weights(export_weights(model, "keras"), tmp_path / "w.weights.h5")
    other.load_weights(tmp_path / "w.weights.h5")
    agree(other(last(x)), last(torch_run(net, x)))
    assert list(export_weights(model, "keras").tensors) == ["0.weight", "0.bias", "2.weight", "2.bias"]


class Images(CalibrationDataReader):
    """One."""

    def __init__(self, name: str, x: Any) -> None:
        self.given = iter([{name: x}])

    def get_next(self) -> Any:
        return next(self.given, None)


@pytest.mark.parametrize("form", QuantFormat)
def test_integers(form: QuantFormat, tmp_path: Path) -> None:
    """Layers hold what integers stand for: the net is right to a few steps."""
    keras.utils.set_random_seed(0)
    layers = [L.Conv2D(8, 3, activation="relu"), L.Conv2D(4, 3), L.Flatten(), L.Dense(3)]
    net = keras.Sequential([keras.Input((7, 6, 3), batch_size=2), *layers])
    net.set_weights([random(*array.shape) / 3 + i / 50 for i, array in enumerate(net.get_weights())])
    model, x = of_keras(net), random(2, 7, 6, 3)
    assert isinstance(model, ModelProto)
    onnx.save(model, tmp_path / "net.onnx")
    quantize_static(tmp_path / "net.onnx", tmp_path / "q.onnx", Images(model.graph.input[0].name, x), form)
    save_weights(export_weights(tmp_path / "q.onnx", "keras"), tmp_path / "w.weights.h5")
    again = keras.models.clone_model(net)
    again.load_weights(tmp_path / "w.weights.h5")
    for found, own in zip(again.get_weights(), net.get_weights(), strict=True):
        assert np.abs(found - own).max() <= max(np.abs(own).max(), 1e-3) / 120
    agree(again(x), np.asarray(net(x)), 0.03)
