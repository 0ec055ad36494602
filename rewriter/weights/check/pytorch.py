"""Layers of PyTorch: ``layer`` takes and gives arrays channels first, recurrent ones [batch, steps, features]."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from rewriter.weights.check.record import Entry, NotRun, Weights, in_order, scaled
from rewriter.weights.tensors.letters import Array

CONVS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}
AVERAGES = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
MAXIMA = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}

Tensors = dict[str, Any]


def version() -> str:
    """Of the framework."""
    return str(torch.__version__)


def layer(x: Array, entry: Entry, weights: Weights) -> Array:
    """What any one layer of the manifest makes of ``x``. Raises NotRun."""
    given = {name: torch.from_numpy(array.copy()) for name, array in weights.of(entry).items()}
    with torch.no_grad():
        return np.asarray(LAYERS[entry["kind"]](torch.from_numpy(np.array(x)), entry, given))


def padded(x: Any, entry: Entry) -> Any:
    return functional.pad(x, entry["pad"], value=float(entry.get("pad_value", 0))) if "pad" in entry else x


def conv(x: Any, entry: Entry, given: Tensors) -> Any:
    settings = entry["strides"], entry["padding"], entry["dilations"], entry["groups"]
    return CONVS[len(entry["strides"])](padded(x, entry), given["weight"], given.get("bias"), *settings)


def conv_transpose(x: Any, entry: Entry, given: Tensors) -> Any:
    """Its bias is added to what ``pad`` adds, too."""
    dims = len(entry["strides"])
    settings = entry["strides"], entry["padding"], entry["output_padding"], entry["groups"], entry["dilations"]
    y = TRANSPOSED[dims](x, given["weight"], None, *settings)
    for axis, (before, after) in enumerate(entry.get("crop", []), 2):
        y = y.narrow(axis, before, y.shape[axis] - before - after)
    y = padded(y, entry)
    return y + given["bias"].reshape(-1, *[1] * dims) if "bias" in given else y


def average_pool(x: Any, entry: Entry, _: Tensors) -> Any:
    settings = entry["strides"], entry["padding"], entry["ceil_mode"], entry["count_include_pad"]

    def run(x: Any) -> Any:
        return AVERAGES[len(entry["strides"])](padded(x, entry), entry["kernel_size"], *settings)

    return run(x) / run(torch.ones_like(x)) if entry.get("divide_by_ones") else run(x)


def max_pool(x: Any, entry: Entry, _: Tensors) -> Any:
    settings = entry["strides"], entry["padding"], entry["dilations"], entry["ceil_mode"]
    return MAXIMA[len(entry["strides"])](padded(x, entry), entry["kernel_size"], *settings)


def dense(x: Any, entry: Entry, given: Tensors) -> Any:
    return functional.linear(x.T if entry.get("transpose_input") else x, *scaled(entry, given))


def batch_norm(x: Any, entry: Entry, given: Tensors) -> Any:
    statistics = given["running_mean"], given["running_var"]
    return functional.batch_norm(x, *statistics, given["weight"], given["bias"], eps=entry["epsilon"])


def layer_norm(x: Any, entry: Entry, given: Tensors) -> Any:
    shape = x.shape[entry["axis"] :]
    given = {name: tensor.reshape(shape) for name, tensor in given.items()}
    return functional.layer_norm(x, shape, eps=entry["epsilon"], **given)


def group_norm(x: Any, entry: Entry, given: Tensors) -> Any:
    return functional.group_norm(x, entry["groups"], eps=entry["epsilon"], **given)


def instance_norm(x: Any, entry: Entry, given: Tensors) -> Any:
    return functional.instance_norm(x, eps=entry["epsilon"], **given)


def prelu(x: Any, _: Entry, given: Tensors) -> Any:
    if given["weight"].ndim > 1:
        raise NotRun("torch.nn.PReLU has one slope for a channel")
    return functional.prelu(x, given["weight"].reshape(-1))


def shuffle(x: Any, entry: Entry, _: Tensors) -> Any:
    """``pixel_shuffle``, or back."""
    if entry["mode"] != "CRD":
        raise NotRun("the model does it by Reshapes, as PyTorch has to")
    run = functional.pixel_shuffle if entry["kind"] == "depth_to_space" else functional.pixel_unshuffle
    y = run(torch.from_numpy(in_order(x.numpy(), entry, "input", 1)), entry["block_size"])
    return in_order(y.numpy(), entry, "result", 1)


def embedding(x: Any, _: Entry, given: Tensors) -> Any:
    return functional.embedding(x, given["weight"])


def recurrent(x: Any, entry: Entry, given: Tensors) -> Any:
    hidden, direction = entry["hidden_size"], entry["direction"]
    made = getattr(torch.nn, entry["kind"].upper())(
        x.shape[-1],
        hidden,
        bidirectional=direction == "bidirectional",
        batch_first=True,
        bias="bias_ih_l0" in given,
        dtype=x.dtype,
    )
    made.load_state_dict(given)
    if direction == "reverse":
        return made(x.flip(1))[0].flip(1)
    return made(x)[0]


LAYERS: dict[str, Callable[[Any, Entry, Tensors], Any]] = {
    "conv": conv,
    "depthwise_conv": conv,
    "conv_transpose": conv_transpose,
    "average_pool": average_pool,
    "max_pool": max_pool,
    "dense": dense,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
    "prelu": prelu,
    "depth_to_space": shuffle,
    "space_to_depth": shuffle,
    "embedding": embedding,
    "lstm": recurrent,
    "gru": recurrent,
}
