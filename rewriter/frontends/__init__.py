"""Models that are no ONNX files, and who converts each: nothing of a framework is imported until one is converted."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

SAVED = "saved_model.pb"  # in the folder of a SavedModel
WEIGHTS = ".weights.h5"  # of Keras, without a graph
GRAPH_DEF = b"\x0a"  # how a GraphDef begins: field 1, nodes; a ModelProto (.pb, too) with field 1, a number


class FrontEnd(NamedTuple):
    """A kind of model. ``module``: of this package, with ``convert(path, asked) -> Converted``; ``takes``: of Asked."""

    kind: str
    framework: str
    converter: str
    module: str
    takes: tuple[str, ...] = ()


SAVED_MODEL = FrontEnd("a SavedModel", "TensorFlow", "tf2onnx", "saved_model", ("signature", "shapes"))
FRONT_ENDS = {
    ".keras": FrontEnd("a Keras model", "Keras", "tf2onnx", "keras_file", ("shapes",)),
    ".h5": FrontEnd("a Keras model", "Keras", "tf2onnx", "keras_file", ("shapes",)),
    ".pb": FrontEnd("a frozen graph", "TensorFlow", "tf2onnx", "frozen_graph", ("inputs", "outputs", "shapes")),
    ".tflite": FrontEnd("a TFLite model", "TFLite", "tf2onnx", "tflite_file"),
    ".pt2": FrontEnd("an exported program", "PyTorch", "torch.onnx", "exported_program"),
}


class Asked(NamedTuple):
    """What is said of a model besides its path.

    ``verbose``: what the converter logs is shown; ``optimise``: it may fold constants, as is good for a graph, and
    changes weights. ``shapes``: by input, those that it gets for good; who does not take them leaves sizes open.
    """

    signature: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    verbose: bool = False
    optimise: bool = True
    shapes: Mapping[str, Sequence[int]] = MappingProxyType({})


NOTHING = Asked()
OF_TENSORFLOW = ("signature", "inputs", "outputs")  # of these; as --tf-signature and so on


def front_end_of(path: Path) -> FrontEnd | None:
    """Who converts this file or folder; ``None`` if it is to be read as ONNX."""
    if os.path.isfile(path / SAVED):
        return SAVED_MODEL
    name, suffix = path.name.lower(), path.suffix.lower()
    is_none = name.endswith(WEIGHTS) or (suffix == ".pb" and not _is_graph_def(path))
    return None if is_none else FRONT_ENDS.get(suffix)


def files_of(path: Path) -> list[Path]:
    """The files that a model is made of."""
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]


def kinds() -> Iterator[str]:
    """What may be given, for ``--help``."""
    yield "an .onnx file, a SavedModel's folder"
    yield from FRONT_ENDS


def _is_graph_def(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(1) == GRAPH_DEF
