"""Layers of PyTorch, made from a manifest's entry and filled from its tensors; channels last in and out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from tests.interop.common import Array, Weights, first, last

CONVS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}
AVERAGES = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
MAXIMA = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}


def layer(x: Array, entry: Mapping[str, Any], weights: Weights) -> Array:
    """Any one layer of the manifest."""
    data = torch.from_numpy(np.ascontiguousarray(first(x)))
    given = {name: torch.from_numpy(array.copy()) for name, array in weights.of(entry).items()}
    run: Any = {"conv_transpose": transposed, "average_pool": average, "max_pool": maximum}.get(entry["kind"], conv)
    return last(run(data, entry, **given).numpy())


def padded(x: torch.Tensor, entry: Mapping[str, Any]) -> torch.Tensor:
    return functional.pad(x, entry["pad"], value=float(entry.get("pad_value", 0))) if "pad" in entry else x


def conv(x: torch.Tensor, entry: Mapping[str, Any], weight: torch.Tensor, bias: Any = None) -> torch.Tensor:
    run, settings = (
        CONVS[len(entry["strides"])],
        (entry["strides"], entry["padding"], entry["dilations"], entry["groups"]),
    )
    return run(padded(x, entry), weight, bias, *settings)


def transposed(x: torch.Tensor, entry: Mapping[str, Any], weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    y = TRANSPOSED[len(entry["strides"])](
        x,
        weight,
        None,
        entry["strides"],
        entry["padding"],
        entry["output_padding"],
        entry["groups"],
        entry["dilations"],
    )
    for axis, (before, after) in enumerate(entry.get("crop", []), 2):
        y = y.narrow(axis, before, y.shape[axis] - before - after)
    return padded(y, entry) + bias.reshape(-1, *[1] * len(entry["strides"]))


def average(x: torch.Tensor, entry: Mapping[str, Any]) -> torch.Tensor:
    def run(x: torch.Tensor) -> torch.Tensor:
        return AVERAGES[len(entry["strides"])](
            padded(x, entry),
            entry["kernel_size"],
            entry["strides"],
            entry["padding"],
            entry["ceil_mode"],
            entry["count_include_pad"],
        )

    return run(x) / run(torch.ones_like(x)) if entry.get("divide_by_ones") else run(x)


def maximum(x: torch.Tensor, entry: Mapping[str, Any]) -> torch.Tensor:
    return MAXIMA[len(entry["strides"])](
        padded(x, entry),
        entry["kernel_size"],
        entry["strides"],
        entry["padding"],
        entry["dilations"],
        entry["ceil_mode"],
    )
