"""Layers of Flax: ``layer`` takes and gives arrays channels last, recurrent ones [batch, steps, features]."""

from collections.abc import Callable
from typing import Any

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from rewriter.weights.check.record import Entry, NotRun, Weights, scaled
from rewriter.weights.tensors.letters import Array

CELLS = {"lstm": nn.LSTMCell, "gru": nn.GRUCell}
BACKWARD = "backward."  # before the parameters of the second direction

Collections = dict[str, dict[str, Any]]


def version() -> str:
    """Of the framework."""
    return f"{flax.__version__}, jax {jax.__version__}"


def layer(x: Array, entry: Entry, weights: Weights) -> Array:
    """What any one layer of the manifest makes of ``x``; in float64 if that is. Raises NotRun."""
    with jax.enable_x64(x.dtype == np.float64), jax.default_device(jax.local_devices(backend="cpu")[0]):
        return np.asarray(LAYERS[entry["kind"]](jnp.asarray(x), entry, variables(entry, weights)))


def variables(entry: Entry, weights: Weights) -> Collections:
    """A layer's collections: ``params`` and ``batch_stats``."""
    found: Collections = {"params": {}}
    for parameter, name in entry["parameters"].items():
        collection = weights.manifest["tensors"][name]["collection"]
        found.setdefault(collection, {})[parameter] = jnp.asarray(weights.tensors[name])
    return found


def conv(x: Any, entry: Entry, given: Collections) -> Any:
    made = nn.Conv(given["params"]["kernel"].shape[-1], feature_group_count=entry["groups"], **windows(entry, given))
    return made.apply(given, x)


def conv_transpose(x: Any, entry: Entry, given: Collections) -> Any:
    if entry["groups"] > 1:
        raise NotRun("Flax has no grouped transposed convolution")
    kept = entry["transpose_kernel"]
    out = given["params"]["kernel"].shape[-2 if kept else -1]
    return nn.ConvTranspose(out, transpose_kernel=kept, **windows(entry, given)).apply(given, x)


def windows(entry: Entry, given: Collections) -> dict[str, Any]:
    """What convolutions are built with."""
    return {
        "kernel_size": entry["kernel_size"],
        "strides": entry["strides"],
        "padding": entry["padding"],
        "kernel_dilation": entry["dilations"],
        "use_bias": "bias" in given["params"],
    }


def average_pool(x: Any, entry: Entry, _: Collections) -> Any:
    window = tuple(entry["kernel_size"]), tuple(entry["strides"]), entry["padding"]
    return nn.avg_pool(x, *window, count_include_pad=entry["count_include_pad"])


def max_pool(x: Any, entry: Entry, _: Collections) -> Any:
    if max(entry["dilations"]) > 1:
        raise NotRun("flax.linen.max_pool has no dilation")
    return nn.max_pool(x, tuple(entry["kernel_size"]), tuple(entry["strides"]), entry["padding"])


def dense(x: Any, entry: Entry, given: Collections) -> Any:
    params = dict(zip(given["params"], scaled(entry, given["params"]), strict=True))
    made = nn.Dense(params["kernel"].shape[-1], use_bias="bias" in params)
    return made.apply({"params": params}, x.T if entry.get("transpose_input") else x)


def batch_norm(x: Any, entry: Entry, given: Collections) -> Any:
    made = nn.BatchNorm(use_running_average=True, epsilon=entry["epsilon"], momentum=entry["momentum"])
    return made.apply(given, x)


def layer_norm(x: Any, entry: Entry, given: Collections) -> Any:
    axes = tuple(range(entry["axis"] % x.ndim, x.ndim))
    params = {name: array.reshape([x.shape[axis] for axis in axes]) for name, array in given["params"].items()}
    made = nn.LayerNorm(reduction_axes=axes, feature_axes=axes, **of_norm(entry, given))
    return made.apply({"params": params}, x)


def group_norm(x: Any, entry: Entry, given: Collections) -> Any:
    """Each channel is a group of its own in an InstanceNormalization."""
    groups = {"num_groups": entry["groups"]} if "groups" in entry else {"num_groups": None, "group_size": 1}
    return nn.GroupNorm(**groups, **of_norm(entry, given)).apply(given, x)


def of_norm(entry: Entry, given: Collections) -> dict[str, Any]:
    """The variance as it is defined: the default's short cut loses digits where the mean is large."""
    params = given["params"]
    used = {"use_bias": "bias" in params, "use_scale": "scale" in params}
    return {"epsilon": entry["epsilon"], "use_fast_variance": False, **used}


def prelu(x: Any, _: Entry, given: Collections) -> Any:
    """As the manifest's note says: the module has one slope for all channels."""
    return jnp.where(x >= 0, x, x * given["params"]["negative_slope"])


def embedding(x: Any, _: Entry, given: Collections) -> Any:
    return nn.Embed(*given["params"]["embedding"].shape).apply(given, x)


def recurrent(x: Any, entry: Entry, given: Collections) -> Any:
    """A cell for each direction; the manifest calls a parameter ``hi.kernel`` that is one of the Dense ``hi``."""
    cell, direction = CELLS[entry["kind"]], entry["direction"]
    results = []
    for prefix in ("", BACKWARD) if direction == "bidirectional" else ("",):
        params: Collections = {}
        for name, array in given["params"].items():
            if name.startswith(BACKWARD) == bool(prefix):
                dense, parameter = name.removeprefix(prefix).split(".")
                params.setdefault(dense, {})[parameter] = array
        reverse = bool(prefix) or direction == "reverse"
        made = nn.RNN(cell(entry["hidden_size"], param_dtype=x.dtype), reverse=reverse, keep_order=True)
        results.append(made.apply({"params": {"cell": params}}, x))
    return jnp.concatenate(results, axis=-1)


LAYERS: dict[str, Callable[[Any, Entry, Collections], Any]] = {
    "conv": conv,
    "depthwise_conv": conv,
    "conv_transpose": conv_transpose,
    "average_pool": average_pool,
    "max_pool": max_pool,
    "dense": dense,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "instance_norm": group_norm,
    "prelu": prelu,
    "embedding": embedding,
    "lstm": recurrent,
    "gru": recurrent,
}
