"""What a framework is given of a file of weights, in one call: Flax's variables, a Keras model's layers."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rewriter.errors import UsageError
from rewriter.weights.files.flax import Tree, nested
from rewriter.weights.files.weights import read_weights
from rewriter.weights.manifest.manifest import parts_of


def flax_variables(file: str | Path) -> Tree:
    """``{"params": {"conv1": {"kernel": ...}}, "batch_stats": ...}`` for ``module.apply``, NumPy arrays in it.

    ``file``: .safetensors or .npz, written for flax. Modules are nested where their names have dots or slashes.
    Raises UsageError on another file, and where one name is both a module and an array.
    """
    tensors, manifest = read_weights(file)
    if manifest["target"] != "flax":
        raise UsageError(f"{file}: written for {manifest['target']}; export it --for flax")
    return nested(tensors, manifest["tensors"])


def fill_keras(model: Any, file: str | Path) -> None:
    """Give each layer of a Keras model the parameters of the module of the same name in ``file``.

    ``file``: .safetensors or .npz, written for tensorflow. Dots and slashes of a name may be underscores.
    Raises UsageError, and changes nothing, if a layer with weights or a module has no counterpart, or shapes differ.
    """
    tensors, manifest = read_weights(file)
    if manifest["target"] != "tensorflow":
        raise UsageError(f"{file}: written for {manifest['target']}; export it --for tensorflow")
    if not hasattr(model, "layers"):
        raise UsageError(f"model is a {type(model).__name__}: give a Keras model")
    layers = {plain(layer.name): layer for layer in leaves(model) if layer.weights}
    modules = {plain(name): parameters for name, parameters in modules_in(manifest).items()}
    if layers.keys() != modules.keys():
        without, unused = sorted(layers.keys() - modules.keys()), sorted(modules.keys() - layers.keys())
        raise UsageError(f"{file}: not in it: {without}, not in the model: {unused}; name them alike, or use --names")
    given = {name: [tensors[tensor] for tensor in modules[name]] for name in layers}
    for name, layer in layers.items():
        expected, shapes = [tuple(w.shape) for w in layer.weights], [array.shape for array in given[name]]
        if shapes != expected:
            raise UsageError(f"{file}: layer {name!r} has weights of shapes {expected}, the file {shapes}")
    for name, layer in layers.items():
        layer.set_weights(given[name])


def modules_in(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """By module: the tensors of its parameters, in Keras's order."""
    entries = ((name, list(entry["parameters"].values())) for name, entry in manifest["layers"].items())
    return {parts_of(tensors[0])[0] or name: tensors for name, tensors in entries if tensors}


def leaves(model: Any) -> Iterator[Any]:
    """The layers of a model and of the models in it."""
    for layer in model.layers:
        yield from leaves(layer) if hasattr(layer, "layers") else (layer,)


def plain(name: str) -> str:
    """A name without what Keras and PyTorch write between its parts."""
    return name.replace(".", "_").replace("/", "_")
