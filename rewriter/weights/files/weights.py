"""Files of weights: .safetensors (the manifest in its metadata), .npz or a framework's own; the manifest as .json."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from rewriter.errors import UsageError
from rewriter.files.whole import folder_beside, put
from rewriter.weights.coercion import path_of
from rewriter.weights.files.flax import write_msgpack, write_orbax
from rewriter.weights.files.keras import write_h5
from rewriter.weights.files.safetensors import DTYPES, safetensors_arrays
from rewriter.weights.files.torch import write_pt
from rewriter.weights.frameworks import FRAMEWORKS
from rewriter.weights.manifest.manifest import Export
from rewriter.weights.tensors.letters import Array

MANIFEST = "manifest"  # the key in the safetensors metadata


def save_weights(export: Export, path: str | Path) -> Path:
    """Write ``path``, in the format that its ending names, and the manifest beside it, whose path is returned.

    Endings: .safetensors and .npz for every target, the others of ``FORMATS`` for one. Both appear whole or not at all.
    Raises UsageError on another ending, without the package it needs, or on a type that the format does not hold.
    """
    path = path_of(path, "path")
    write = writer(path, export.manifest.target)
    described = path.with_suffix(".json")
    with folder_beside(path) as folder:
        weights, manifest = folder / path.name, folder / described.name
        try:
            write(export, weights)
        except UsageError as error:  # of the file aside, which nobody has named
            raise UsageError(str(error).replace(str(weights), str(path))) from None
        manifest.write_text(export.manifest.dumps(lines=True), encoding="utf-8")
        put(manifest, described)
        put(weights, path)
    return described


def read_weights(path: str | Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The tensors of a .safetensors or .npz file that ``save_weights`` wrote, and its manifest.

    Raises UsageError if it cannot be read.
    """
    path = path_of(path, "path")
    if path.suffix not in PLAIN:
        raise UsageError(f"{path}: only {' and '.join(PLAIN)} files are read back; write one of these")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as data:
                return dict(data), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return read_safetensors(path)
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path}: not a file of weights from this tool ({error})") from None


def read_safetensors(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Raises KeyError or TypeError without a manifest, and what safetensors does."""
    with safetensors.safe_open(path, framework="np") as opened:
        manifest = json.loads(opened.metadata()[MANIFEST])
    return safetensors_arrays(path), manifest


def writer(path: Path, target: str) -> Callable[[Export, Path], None]:
    """What writes files with the ending of ``path``. Raises UsageError on one that is unknown or another target's."""
    ending = next((ending for ending in FORMATS if path.name.endswith(ending)), None)
    held = [known for known, (owner, _) in FORMATS.items() if owner in (None, target)]
    if ending not in held:
        raise UsageError(f"{path}: weights for {target} are written as {', '.join(held)}; use one of these endings")
    return FORMATS[ending][1]


def write_safetensors(export: Export, path: Path) -> None:
    """With the manifest in the metadata."""
    dtypes = {np.dtype(dtype) for dtype in DTYPES.values()}
    refuse_others(export, dtypes.__contains__, ".safetensors")
    metadata = {"format": FRAMEWORKS[export.manifest.target].safetensors_format, MANIFEST: export.manifest.dumps()}
    path.write_bytes(safetensors.numpy.save(export.tensors, metadata))


def write_npz(export: Export, path: Path) -> None:
    """In the order of layers. As ``np.savez``, which takes names for keyword arguments and so refuses ``file``."""
    refuse_others(export, lambda dtype: dtype.isbuiltin == 1, ".npz")
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in export.tensors.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def refuse_others(export: Export, holds: Callable[["np.dtype[Any]"], bool], ending: str) -> None:
    """Raises UsageError on a tensor of a type that is not held."""
    advice = "write .safetensors instead" if ending == ".npz" else "dequantise the model first"
    for name, array in export.tensors.items():
        if not holds(array.dtype):
            raise UsageError(f"the tensor {name!r} is {array.dtype}, which {ending} files do not hold: {advice}")


PLAIN = (".safetensors", ".npz")
FORMATS: dict[str, tuple[str | None, Callable[[Export, Path], None]]] = {
    ".safetensors": (None, write_safetensors),
    ".npz": (None, write_npz),
    ".pt": ("pytorch", write_pt),
    ".weights.h5": ("tensorflow", write_h5),
    ".msgpack": ("flax", write_msgpack),
    ".orbax": ("flax", write_orbax),
}  # by ending: the target, where it is one framework's
