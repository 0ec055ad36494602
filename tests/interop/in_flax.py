"""Layers of Flax, made from a manifest's entry and filled from its tensors."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from tests.interop.common import Array, Weights


def variables(entry: Mapping[str, Any], weights: Weights) -> dict[str, dict[str, Array]]:
    """A layer's collections: ``params`` and ``batch_stats``."""
    found: dict[str, dict[str, Array]] = {}
    for parameter, name in entry["parameters"].items():
        found.setdefault(weights.manifest["tensors"][name]["collection"], {})[parameter] = jnp.asarray(
            weights.tensors[name]
        )
    return found


def module(entry: Mapping[str, Any], weights: Weights) -> nn.Module:
    bias = "bias" in entry["parameters"]
    if entry["kind"] == "dense":
        return nn.Dense(width(entry, weights), use_bias=bias)
    if entry["kind"] == "batch_norm":
        return nn.BatchNorm(use_running_average=True, epsilon=entry["epsilon"], momentum=entry["momentum"])
    shared = {
        "kernel_size": entry["kernel_size"],
        "strides": entry["strides"],
        "padding": [tuple(pair) for pair in entry["padding"]],
        "kernel_dilation": entry["dilations"],
        "use_bias": bias,
    }
    if entry["kind"] == "conv_transpose":
        out = width(entry, weights, -2 if entry["transpose_kernel"] else -1)
        return nn.ConvTranspose(out, transpose_kernel=entry["transpose_kernel"], **shared)
    return nn.Conv(width(entry, weights), feature_group_count=entry["groups"], **shared)


def width(entry: Mapping[str, Any], weights: Weights, axis: int = -1) -> int:
    """Output features, which a kernel has along its last axis."""
    return weights.of(entry)["kernel"].shape[axis]


def layer(x: Any, entry: Mapping[str, Any], weights: Weights) -> Any:
    """Any one layer of the manifest."""
    if entry["kind"] in ("average_pool", "max_pool"):
        return pool(x, entry)
    return module(entry, weights).apply(variables(entry, weights), x)


def pool(x: Any, entry: Mapping[str, Any]) -> Any:
    window, strides = tuple(entry["kernel_size"]), tuple(entry["strides"])
    padding = [tuple(pair) for pair in entry["padding"]]
    if entry["kind"] == "max_pool":
        return nn.max_pool(x, window, strides, padding)
    return nn.avg_pool(x, window, strides, padding, count_include_pad=entry["count_include_pad"])
