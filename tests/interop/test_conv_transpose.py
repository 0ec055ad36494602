"""Transposed convolutions: PyTorch (or onnxruntime) against TensorFlow, Keras, LiteRT and Flax with both kernels."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, helper

from rewriter import conv_transpose_padding, convert_layout
from rewriter.weights.check import flax, tensorflow, tflite
from rewriter.weights.check.record import Weights
from tests.interop import in_keras, in_torch
from tests.interop.common import agree, first, last, onnx_of, ort_run, random, torch_run, written

NETS = {1: torch.nn.ConvTranspose1d, 2: torch.nn.ConvTranspose2d, 3: torch.nn.ConvTranspose3d}
SIZES = (7, 6, 5)
RUNS: dict[str, Any] = {
    "tensorflow": (tensorflow.conv_transpose, {}),
    "keras": (in_keras.conv_transpose, {}),
    "tflite": (tflite.layer, {}),
    "flax": (flax.layer, {}),
    "pytorch": (in_torch.layer, {}),
    "flax-transpose-kernel": (flax.layer, {"transpose_kernel": True}),
}
# kernel, stride, padding, output_padding, dilation
CASES = [
    (3, 1, 0, 0, 1),
    (3, 1, 1, 0, 1),
    (3, 1, 2, 0, 1),
    (4, 2, 1, 0, 1),
    (3, 2, 1, 1, 1),
    (3, 2, 0, 1, 1),
    (3, 3, 5, 2, 1),
    (2, 3, 0, 0, 1),
    (2, 3, 1, 2, 1),
    (2, 2, 0, 0, 1),
    (5, 2, 2, 0, 1),
    (3, 1, 0, 1, 2),
    (3, 2, 1, 1, 2),
    (3, 2, 0, 2, 3),
    (3, 1, 2, 1, 2),
]


def run(name: str, model: ModelProto, x: Any, folder: Path) -> Any:
    """What the framework computes, channels first."""
    call, options = RUNS[name]
    target = {"keras": "tensorflow"}.get(name, name.split("-")[0])
    weights = written(model, target, folder, **options)
    (entry,) = weights.layers()
    if name in ("tensorflow", "keras"):
        return first(np.asarray(call(last(x), entry, weights.of(entry))))
    return first(np.asarray(call(last(x), entry, weights)))


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize(("kernel", "stride", "padding", "output_padding", "dilation"), CASES)
@pytest.mark.parametrize("dims", NETS)
def test_conv_transpose(
    dims: int, kernel: int, stride: int, padding: int, output_padding: int, dilation: int, name: str, tmp_path: Path
) -> None:
    torch.manual_seed(kernel)
    net = NETS[dims](6, 4, kernel, stride, padding, output_padding, 1, True, dilation)
    x = random(2, 6, *SIZES[:dims])
    model = onnx_of(net, torch.from_numpy(x))
    if (name == "keras" and stride > 1 and dilation > 1) or (name == "tflite" and dilation > 1):
        told_why_not(model, name, tmp_path)
    else:
        agree(run(name, model, x, tmp_path), torch_run(net, x))


def told_why_not(model: ModelProto, name: str, folder: Path) -> None:
    """Keras takes no stride with a dilation; TFLite's TRANSPOSE_CONV has no dilation."""
    target, why = ("tflite", "has no dilation") if name == "tflite" else ("tensorflow", "no strides with dilations")
    (note,) = written(model, target, folder).manifest["notes"]
    assert why in note


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize(
    ("channels", "length", "kernel", "stride", "padding", "output_padding"),
    [(258, 7, 3, 3, 5, 2), (258, 249, 7, 6, 9, 4), (6, 31, 256, 128, 64, 0), (6, 31, 256, 128, 0, 0)],
)
def test_conv_transpose1d_of_the_questions(
    channels: int, length: int, kernel: int, stride: int, padding: int, output_padding: int, name: str, tmp_path: Path
) -> None:
    torch.manual_seed(kernel)
    net = NETS[1](channels, 11, kernel, stride, padding, output_padding)
    x = random(1, channels, length)
    agree(run(name, onnx_of(net, torch.from_numpy(x)), x, tmp_path), torch_run(net, x))


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(
    "attributes",
    [
        {"pads": [1, 0]},
        {"pads": [0, 2]},
        {"pads": [2, 1], "output_padding": [1]},
        {"auto_pad": "SAME_UPPER"},
        {"auto_pad": "SAME_LOWER"},
        {"auto_pad": "VALID"},
        {"output_shape": [13]},
        {"output_shape": [14]},
        {"output_shape": [14], "auto_pad": "SAME_UPPER"},
        {"output_shape": [14], "auto_pad": "SAME_LOWER"},
    ],
    ids=str,
)
def test_attributes_that_only_onnx_has(attributes: dict[str, Any], dims: int, name: str, tmp_path: Path) -> None:
    spread: dict[str, Any] = {
        key: value if isinstance(value, str) else [v for v in value for _ in range(dims)]
        for key, value in attributes.items()
    }
    shape = [7] * dims
    node = helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], "up", strides=[2] * dims, **spread)
    held = [onnx.numpy_helper.from_array(random(*s), n) for n, s in (("w", (6, 4, *[3] * dims)), ("b", (4,)))]
    graph = helper.make_graph(
        [node],
        "net",
        [helper.make_tensor_value_info("x", 1, [2, 6, *shape])],
        [helper.make_tensor_value_info("y", 1, None)],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = random(2, 6, *shape)
    agree(run(name, model, x, tmp_path), ort_run(model, x))


@pytest.mark.parametrize("groups", [2, 6])
@pytest.mark.parametrize("name", [name for name in RUNS if name != "pytorch"])
def test_groups_are_split_as_the_note_says(groups: int, name: str, tmp_path: Path) -> None:
    """No framework but PyTorch has them: parts of the input's channels, and of the kernel along I."""
    net = NETS[2](6, 12, 3, 2, 1, groups=groups, bias=False)
    x = random(2, 6, 7, 5)
    call, options = RUNS[name]
    target = {"keras": "tensorflow"}.get(name, name.split("-")[0])
    weights = written(onnx_of(net, torch.from_numpy(x)), target, tmp_path, **options)
    assert any("no grouped transposed convolution" in note for note in weights.manifest["notes"])
    (entry,) = weights.layers()
    (tensor,) = entry["parameters"].values()
    along = weights.manifest["tensors"][tensor]["letters"].index("I")
    parts, alone = [], {**entry, "groups": 1}
    for part, kernel in zip(np.split(x, groups, 1), np.split(weights.tensors[tensor], groups, along), strict=True):
        mine = Weights({tensor: np.ascontiguousarray(kernel)}, weights.manifest)
        given = mine.of(entry) if name in ("tensorflow", "keras") else mine
        parts.append(first(np.asarray(call(last(part), alone, given))))
    agree(np.concatenate(parts, 1), torch_run(net, x))


def test_the_api_alone() -> None:
    """``tf.nn.conv1d_transpose`` by hand: the kernel by its letters, the rest from the helper."""
    import tensorflow as tf

    net = NETS[1](6, 4, 3, 3, 5, 2)
    x = random(2, 6, 7)
    how = conv_transpose_padding(3, 3, 5, 2, to="tensorflow")
    (scale,), (offset,) = how["output_size"]["scale"], how["output_size"]["offset"]
    kernel = convert_layout(net.weight.detach().numpy(), "IOW", "WOI")
    y = tf.nn.conv1d_transpose(last(x), kernel, [2, 7 * scale + offset, 4], 3, how["padding"])
    ((before, after),) = how["crop"]
    agree(first(y[:, before : y.shape[1] - after].numpy() + net.bias.detach().numpy()), torch_run(net, x))
