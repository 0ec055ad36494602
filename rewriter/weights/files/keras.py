"""Keras 3's ``.weights.h5``.

Source: ``keras/src/saving/saving_lib.py``: a Sequential or Functional model keeps ``layers/conv2d_1/vars/0``, named by
the class of a layer and its number among those of that class in ``model.layers``, whatever names layers are given.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from rewriter.errors import UsageError
from rewriter.extras import needed
from rewriter.weights.layers.order import unordered
from rewriter.weights.manifest.manifest import Export, LayerEntry
from rewriter.weights.tensors.letters import Array

# kind of layer -> its class as Keras writes it in a file; {n}: spatial axes
CLASSES = {
    "conv": "conv{n}d",
    "depthwise_conv": "depthwise_conv{n}d",
    "conv_transpose": "conv{n}d_transpose",
    "dense": "dense",
    "batch_norm": "batch_normalization",
    "layer_norm": "layer_normalization",
    "group_norm": "group_normalization",
    "instance_norm": "group_normalization",
    "prelu": "p_re_lu",
    "embedding": "embedding",
    "lstm": "lstm",
    "gru": "gru",
}
CELL = ("kernel", "recurrent_kernel", "bias")  # the parameters of both of its recurrent layers
BOTH = "bidirectional"  # the class of a layer around two, and the direction of one that is such
SECOND = "backward."  # what names of its second layer's parameters begin with


def write_h5(export: Export, path: Path) -> None:
    """For ``model.load_weights`` of a Sequential or Functional model with the same layers.

    Raises UsageError without h5py, where a tensor belongs to no layer of Keras's, and where layers of one class and
    shape do not depend on each other, so that Keras may count them either way.
    """
    h5py = needed("h5py", "keras", path)
    layers = keras_layers(export, path)
    counts: dict[str, int] = {}
    with h5py.File(path, "w") as file:
        for name, entry in layers.items():
            made = class_of(entry)
            number = counts[made] = counts.get(made, -1) + 1
            place = f"layers/{made}_{number}" if number else f"layers/{made}"
            file.create_group(f"{place}/vars").attrs["name"] = name
            for part, tensors in parts_of_layer(entry).items():
                group = file.require_group(f"{place}/{part}vars")
                for i, tensor in enumerate(tensors):
                    group[str(i)] = export.tensors[tensor]


def parts_of_layer(entry: LayerEntry) -> dict[str, list[str]]:
    """Tensors by where in a layer their variables are: those of recurrent ones in their cells."""
    if entry.kind not in ("lstm", "gru"):
        return {"": [*entry.parameters.values()]}
    if entry.settings.get("direction") != BOTH:
        return {"cell/": [*entry.parameters.values()]}
    second = {key for key in entry.parameters if key.startswith(SECOND)}
    return {
        "forward_layer/cell/": [tensor for key, tensor in entry.parameters.items() if key not in second],
        "backward_layer/cell/": [tensor for key, tensor in entry.parameters.items() if key in second],
    }


def keras_layers(export: Export, path: Path) -> dict[str, LayerEntry]:
    """The layers with parameters, each once, in an order that any Keras model of them has. Raises UsageError."""
    manifest = export.manifest
    entries = {name: layer for name, layer in manifest.layers.items() if layer.parameters}
    firsts = {tuple(layer.parameters.values()): name for name, layer in reversed(entries.items())}
    layers = {name: entries[name] for name in entries if name in firsts.values()}
    held = {tensor for layer in layers.values() if layer.kind in CLASSES for tensor in layer.parameters.values()}
    if others := [name for name in manifest.tensors if name not in held]:
        raise UsageError(f"{path}: {others[0]!r} is in no layer of Keras's: write .safetensors and use fill_keras")
    before = {name: layer.after for name, layer in manifest.layers.items()}
    for alike in alike_layers(export, layers):
        for a, b in unordered(before, alike):
            raise UsageError(
                f"{path}: {a!r} and {b!r} have the same shapes and do not depend on each other, so Keras may count "
                "them either way: write .safetensors and use rewriter.weights.fill_keras, which goes by names"
            )
    return layers


def alike_layers(export: Export, layers: Mapping[str, LayerEntry]) -> Iterator[list[str]]:
    """Names of layers whose class and shapes are the same, by these."""

    def looks(name: str) -> tuple[str, str]:
        shapes = [export.tensors[tensor].shape for tensor in layers[name].parameters.values()]
        return class_of(layers[name]), str(shapes)

    order = {name: number for number, name in enumerate(layers)}
    for _, names in groupby(sorted(layers, key=lambda name: (looks(name), order[name])), looks):
        yield list(names)


def class_of(entry: LayerEntry) -> str:
    """The class of a layer, as files have it: a depthwise convolution in 3-D is one with groups."""
    if entry.settings.get("direction") == BOTH:
        return BOTH
    n = len(entry.settings.get("kernel_size", ()))
    kind = "conv" if entry.kind == "depthwise_conv" and n > 2 else entry.kind
    return CLASSES[kind].format(n=n)


def read_h5(path: Path) -> dict[str, Array]:
    """The variables of a file, by ``layer/kernel``, the layer as its model calls it. Raises UsageError without h5py."""
    from rewriter.weights.frameworks.tensorflow import TensorFlow

    h5py = needed("h5py", "keras", path)
    classes = {name.format(n=n): kind for kind, name in CLASSES.items() for n in (1, 2, 3)}
    found: dict[str, Array] = {}

    def visit(place: str, group: Any) -> None:
        if not isinstance(group, h5py.Group) or not place.endswith("vars") or not len(group):
            return
        owner = place.removesuffix("/vars").removesuffix("/cell")  # a recurrent layer's variables are its cell's
        part = owner.split("/")[-1].replace("forward_layer", "lstm").replace("backward_layer", "lstm")
        base, _, number = part.rpartition("_")
        kind = classes.get(base if number.isdigit() else part, "")
        names = CELL if kind in ("lstm", "gru") else TensorFlow.parameters.get(kind, ())
        named = kind in ("conv", "depthwise_conv", "conv_transpose", "dense", "embedding", "lstm", "gru") or len(
            group
        ) == len(names)
        layer = group.file[f"{owner}/vars"].attrs.get("name", part)
        for i in range(len(group)):
            found[f"{layer}/{names[i] if named else i}"] = group[str(i)][()]

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found
