"""Keras models in .keras and .h5 files. tf2onnx's own ``from_keras`` knows Keras 2 only: so by a function of it."""

import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rewriter.errors import UsageError
from rewriter.extras import needed
from rewriter.frontends import Asked
from rewriter.frontends.converting import Converted, plain, shortened
from rewriter.frontends.tf_graph import EXTRA, of_function, refuse_unknown, sized, tensorflow

CONFIG = "config.json"  # in a .keras file, which is a zip
CODE = ("Lambda", "__lambda__")  # classes whose config holds Python code


def convert(path: Path, asked: Asked) -> Converted:
    """The model of a file. Raises UsageError if it holds none, or one with code in it."""
    small = path.with_suffix(path.suffix.lower())
    if path.name != small.name:
        raise UsageError(f"{path}: Keras reads no such suffix; call the file {small.name}")
    refuse_code(path)
    tf, keras = tensorflow(path), needed("keras", EXTRA, path)
    with _told_of_classes(path):
        loaded = keras.models.load_model(path, compile=False, safe_mode=True)
    if not getattr(loaded, "inputs", None):
        raise UsageError(
            f"{path}: the model has no inputs of known shapes; call it once and save it, or export(folder)"
        )
    model = keras.Model(loaded.inputs, loaded.outputs)  # takes and gives lists, whatever the model itself does
    inputs, outputs = [tensor.name for tensor in model.inputs], _own_names(model.outputs)
    refuse_unknown(path, asked, inputs)
    specs = [tf.TensorSpec(sized(path, asked, t.name, tf.TensorShape(t.shape)), t.dtype) for t in model.inputs]
    function = tf.function(lambda *given: model([*given], training=False), input_signature=specs)

    def run(feed: Any) -> list[Any]:
        return [np.asarray(value) for value in tf.nest.flatten(function(*(feed[name] for name in inputs)))]

    with _told_of_open_sizes(path, inputs, specs):
        concrete = function.get_concrete_function()
    return Converted(of_function(path, asked, concrete, inputs, outputs), run)


@contextmanager
def _told_of_classes(path: Path) -> Iterator[None]:
    """A file names classes that are not Keras's, and has no code of them. Raises UsageError then."""
    try:
        yield
    except Exception as error:  # of Keras, which says so in many words
        known = (node for node in _nodes(_config(path)) if str(node.get("module")).startswith("keras"))
        own = {node["registered_name"] for node in _nodes(_config(path)) if node.get("registered_name")}
        own -= {node.get("registered_name") for node in known}
        if not own:
            raise
        raise UsageError(
            f"{path}: Keras does not load it, for it does not know {', '.join(sorted(own))}; give its SavedModel "
            "(model.export(folder))"
        ) from error


@contextmanager
def _told_of_open_sizes(path: Path, names: list[str], specs: list[Any]) -> Iterator[None]:
    """Keras's layers may fail on sizes that are open, as its bilinear UpSampling2D does. Raises UsageError then."""
    try:
        yield
    except Exception as error:  # of the user's layers
        sizes = [(name, [*spec.shape]) for name, spec in zip(names, specs, strict=True)]
        open_ones = [f"--input-shape {name}={_example(dims)}" for name, dims in sizes if None in dims[1:]]
        if not open_ones:
            raise
        raise UsageError(
            f"{path}: Keras makes no graph of the model while sizes are open ({shortened(plain(error), 200)}); "
            f"fix them, as with {' '.join(open_ones)}"
        ) from error


def _example(dims: list[int | None]) -> str:
    return ",".join(str(dim or (64 if axis else 1)) for axis, dim in enumerate(dims))


def refuse_code(path: Path) -> None:
    """Raises UsageError if loading the file would need code in it, before it is loaded."""
    for name in (layer["config"].get("name", "?") for layer in _nodes(_config(path)) if _is_code(layer)):
        raise UsageError(
            f"{path}: the layer {name!r} is a Lambda, whose Python code is in the file and is not run; save the model "
            "with a layer of Keras in its place, or give its SavedModel (model.export(folder))"
        )


def _config(path: Path) -> Any:
    if path.suffix == ".h5":
        return _h5_config(path)
    if not zipfile.is_zipfile(path):
        raise UsageError(f"{path}: not a Keras model (it is no .keras archive)")
    with zipfile.ZipFile(path) as archive:
        if CONFIG not in archive.namelist():
            raise UsageError(f"{path}: not a Keras model (there is no {CONFIG} in it)")
        return json.loads(archive.read(CONFIG))


def _h5_config(path: Path) -> Any:
    h5py = needed("h5py", EXTRA, path)
    try:
        with h5py.File(path) as file:
            text = file.attrs.get("model_config")
    except OSError as error:
        raise UsageError(f"{path}: not a Keras model ({error})") from None
    if text is None:
        raise UsageError(f"{path}: it holds weights only, and no model; save that with model.save('net.keras')")
    return json.loads(text)


def _nodes(config: Any) -> Iterator[dict[str, Any]]:
    """All objects in a config."""
    if isinstance(config, dict):
        yield config
    for part in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        yield from _nodes(part)


def _is_code(node: dict[str, Any]) -> bool:
    return node.get("class_name") in CODE and isinstance(node.get("config"), dict)


def _own_names(outputs: list[Any]) -> list[str]:
    """Those of the layers that give them, as in Keras's ``output_names``; of a layer that gives several, numbered."""
    names, seen = [], Counter[str]()
    for tensor in outputs:
        name = tensor._keras_history.operation.name
        names.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names
