"""Tensors, parameters and variables of the frameworks, as the functions are handed them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
import torch

from rewriter import UsageError, conv_padding, conv_transpose_padding, convert_layout, flatten_order
from rewriter.weights import export_weights
from tests.interop.common import agree, onnx_of, random

KERNEL = random(4, 3, 2, 2)
TENSOR = torch.from_numpy(KERNEL)
HELD: dict[str, Callable[[], Any]] = {
    "a parameter": lambda: torch.nn.Parameter(TENSOR),
    "one of a module": lambda: torch.nn.Conv2d(3, 4, 2).requires_grad_().weight,
    "channels last in memory": lambda: torch.nn.Parameter(TENSOR.to(memory_format=torch.channels_last)),
    "bfloat16": lambda: torch.nn.Parameter(TENSOR.bfloat16()),
    "float8": lambda: TENSOR.to(torch.float8_e4m3fn),
    "a conjugate": lambda: TENSOR.to(torch.complex64).conj(),
    "JAX": lambda: jnp.asarray(KERNEL),
    "bfloat16 of JAX": lambda: jnp.asarray(KERNEL, jnp.bfloat16),
    "TensorFlow": lambda: tf.constant(KERNEL),
    "a variable": lambda: tf.Variable(KERNEL),
    "bfloat16 of TensorFlow": lambda: tf.constant(KERNEL, tf.bfloat16),
}


@pytest.mark.parametrize("what", HELD)
def test_kernels(what: str) -> None:
    held = HELD[what]()
    found = convert_layout(held, "OIHW", "HWIO")
    if torch.is_tensor(held):
        held = held.detach().to(torch.complex64 if held.is_complex() else torch.float32).resolve_conj().numpy()
    expected = np.asarray(held).astype(found.dtype)
    np.testing.assert_array_equal(found, expected.transpose(2, 3, 1, 0))
    assert found.dtype == (ml_dtypes.bfloat16 if "bfloat16" in what else found.dtype)


def test_a_dense() -> None:
    weight = torch.nn.Linear(30, 7).weight
    expected = weight.detach().numpy().reshape(7, 2, 3, 5).transpose(0, 2, 3, 1).reshape(7, 30)
    np.testing.assert_array_equal(flatten_order(weight, 1, torch.Size([2, 3, 5])), expected)


@pytest.mark.parametrize(
    "tensor", [torch.empty(4, 3, 2, 2, device="meta"), torch.zeros(4, 3, 2, 2).to_sparse(), torch.nn.Conv2d(3, 4, 2)]
)
def test_what_has_no_numbers_in_memory(tensor: Any) -> None:
    with pytest.raises(UsageError, match=r"^array is ") as caught:
        convert_layout(tensor, "OIHW", "HWIO")
    assert "\n" not in str(caught.value)


def test_numbers() -> None:
    assert conv_padding(TENSOR.shape[2:], torch.tensor(2), 1, size=torch.tensor(7)) == conv_padding(
        (2, 2), 2, 1, size=7
    )
    assert conv_padding([3], tf.constant(2)) == conv_padding([3], 2)


@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_same_is_pytorchs(kernel: int, dilation: int) -> None:
    """Which it takes without a stride."""
    x, weight = torch.randn(1, 3, 9), torch.randn(5, 3, kernel)
    how = conv_padding(kernel, 1, "same", dilation, to="pytorch")
    padded = torch.nn.functional.pad(x, how.get("pad", [0, 0]))
    y = torch.nn.functional.conv1d(padded, weight, padding=how["padding"], dilation=dilation)
    agree(y, torch.nn.functional.conv1d(x, weight, padding="same", dilation=dilation).numpy())
    with pytest.raises(RuntimeError):
        torch.nn.functional.conv1d(x, weight, stride=2, padding="same")


@pytest.mark.parametrize(
    ("stride", "dilation", "output_padding"), [(2, 1, 2), (2, 3, 2), (1, 3, 2), (1, 1, 1), (3, 2, 3)]
)
def test_output_padding_is_refused_as_pytorch_refuses_it(stride: int, dilation: int, output_padding: int) -> None:
    def ours() -> Any:
        return conv_transpose_padding(3, stride, 1, output_padding, dilation)

    def theirs() -> Any:
        x, weight = torch.zeros(1, 1, 5), torch.zeros(1, 1, 3)
        return torch.nn.functional.conv_transpose1d(x, weight, None, stride, 1, output_padding, 1, dilation)

    if output_padding < max(stride, dilation):
        assert ours()
        assert theirs().numel()
        return
    for call, error in ((ours, UsageError), (theirs, RuntimeError)):
        with pytest.raises(error, match=r"output.padding"):
            call()


def test_data_formats_have_the_same_kernels() -> None:
    """TensorFlow's: HWIO for NCHW, too (its CPU kernels run NHWC only, so Keras's layers are asked for shapes)."""
    layers = [tf.keras.layers.Conv2D(4, 2, data_format=f"channels_{which}") for which in ("first", "last")]
    layers[0].build((None, 3, 6, 6))
    layers[1].build((None, 6, 6, 3))
    assert [tuple(layer.kernel.shape) for layer in layers] == [convert_layout(KERNEL, "OIHW", "HWIO").shape] * 2


class Wrapped(torch.nn.Module):
    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model


def net() -> torch.nn.Module:
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(64, 5)]
    return torch.nn.Sequential(*layers).eval()


def adam(module: torch.nn.Module) -> dict[str, Any]:
    """The state of an optimizer that has made a step."""
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.zeros(1, 3, 6, 6)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


# as training loops save them
CHECKPOINTS: dict[str, Callable[[torch.nn.Module], Any]] = {
    "parallel": lambda net: torch.nn.DataParallel(net).state_dict(),
    "compiled": lambda net: torch.compile(net).state_dict(),
    "lightning": lambda net: {"state_dict": Wrapped(net).state_dict(), "optimizer_states": [adam(net)], "epoch": 1},
    "loop": lambda net: {"optimizer": adam(net), "model": net.state_dict(), "step": torch.tensor(3)},
}


@pytest.mark.parametrize("in_file", [True, False])
@pytest.mark.parametrize("how", CHECKPOINTS)
@pytest.mark.filterwarnings("ignore")  # PyTorch's own, as it compiles
def test_checkpoints_of_wrappers(how: str, in_file: bool, tmp_path: Path) -> None:
    saved, again = net(), net()
    for tensor in again.state_dict().values():
        tensor.zero_()
    proto = onnx_of(saved, torch.zeros(1, 3, 6, 6), dynamo=True)
    held = CHECKPOINTS[how](saved)
    torch.save(held, tmp_path / "own.pt")
    export = export_weights(proto, "pytorch", checkpoint=tmp_path / "own.pt" if in_file else held)
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in export.tensors.items()}
    again.load_state_dict(tensors, strict=True)
    pairs = zip(saved.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
