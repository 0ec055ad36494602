"""Files of weights: .safetensors (the manifest in its metadata) or .npz, and the manifest beside it as .json."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
import safetensors.numpy

from rewriter.errors import UsageError
from rewriter.files.whole import folder_beside, put
from rewriter.weights.export import Export
from rewriter.weights.frameworks import FRAMEWORKS
from rewriter.weights.letters import Array

MANIFEST = "manifest"  # the key in the safetensors metadata
NUMBERS = [np.dtype(code) for code in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1")]
DTYPES: dict[str, Any] = {f"{dtype.kind}{8 * dtype.itemsize}".upper(): dtype for dtype in NUMBERS} | {
    "BOOL": np.bool_,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}


def save_weights(export: Export, path: str | Path) -> Path:
    """Write ``path`` (.safetensors or .npz) and the manifest beside it, whose path is returned.

    Both files appear whole or not at all. Raises UsageError on another ending, or a type that the format does not hold.
    """
    path = Path(path)
    write = writer(path)
    described = path.with_suffix(".json")
    with folder_beside(path) as folder:
        weights, manifest = folder / path.name, folder / described.name
        with weights.open("wb") as file:
            write(export, file)
        manifest.write_text(export.manifest.dumps(lines=True), encoding="utf-8")
        put(manifest, described)
        put(weights, path)
    return described


def read_weights(path: str | Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The tensors of a file that ``save_weights`` wrote, and its manifest. Raises UsageError if it cannot be read."""
    path = Path(path)
    writer(path)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as data:
                return dict(data), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        with safetensors.safe_open(path, framework="np") as opened:
            manifest = json.loads(opened.metadata()[MANIFEST])
        tensors = safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
        return {n: np.frombuffer(t["data"], DTYPES[t["dtype"]]).reshape(t["shape"]) for n, t in tensors}, manifest
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path}: not a file of weights from this tool ({error})") from None


def writer(path: Path) -> Callable[[Export, IO[bytes]], None]:
    """What writes files with the ending of ``path``. Raises UsageError on an unknown one."""
    writers = {".safetensors": write_safetensors, ".npz": write_npz}
    if path.suffix not in writers:
        raise UsageError(f"{path}: weights are written as .safetensors or .npz; give the file one of these endings")
    return writers[path.suffix]


def write_safetensors(export: Export, file: IO[bytes]) -> None:
    """With the manifest in the metadata."""
    dtypes = {np.dtype(dtype) for dtype in DTYPES.values()}
    refuse_others(export, dtypes.__contains__, ".safetensors")
    metadata = {"format": FRAMEWORKS[export.manifest.target].safetensors_format, MANIFEST: export.manifest.dumps()}
    file.write(safetensors.numpy.save(export.tensors, metadata))


def write_npz(export: Export, file: IO[bytes]) -> None:
    """As ``np.savez``, which takes names for keyword arguments and so refuses ``file``."""
    refuse_others(export, lambda dtype: dtype.isbuiltin == 1, ".npz")
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in export.tensors.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def refuse_others(export: Export, holds: Callable[["np.dtype[Any]"], bool], ending: str) -> None:
    """Raises UsageError on a tensor of a type that is not held."""
    advice = "write .safetensors instead" if ending == ".npz" else "dequantise the model first"
    for name, array in export.tensors.items():
        if not holds(array.dtype):
            raise UsageError(f"the tensor {name!r} is {array.dtype}, which {ending} files do not hold: {advice}")
