"""Models to files that appear whole or not at all; weights beside them, where that is asked for or necessary.

What is written is first complete beside its place, where it can be run; then it takes that.
"""

import hashlib
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto, TensorProto

from rewriter.choices import AUTO, NONE, SPLIT
from rewriter.errors import UsageError
from rewriter.files.blocks import same_bytes, write
from rewriter.files.light import LightModel, Weight, light
from rewriter.files.source import Place, put_at
from rewriter.files.weights_files import remove_old_weights, weights_name
from rewriter.files.whole import folder_beside, put
from rewriter.steps import step

TWO_GIB = 2**31 - 2**20  # protobuf's limit, less some room for what is not weights
PAGE = 2**16  # bytes: what any system can map into memory starts at a multiple
LARGE = 2**20  # bytes of a weight that starts at one, as onnx advises
ALIGNED = 64  # bytes: multiples at which others start
MODEL = "model.onnx"  # a model's name until it has its place
SAMPLE = 2**12  # bytes of a weight, at its start, middle and end, of which a file's name is made


def serialized(model: LightModel) -> bytes | None:
    """The model in one piece; ``None`` if that has no room for it."""
    return model.serialized() if model.nbytes < TWO_GIB else None


def save(model: ModelProto | LightModel, path: Path, external_data: str = AUTO) -> None:
    """Write a model, which is left as it is. Raises what ``staged`` does."""
    with staged(model, path, external_data) as files:
        files.put()


@dataclass(frozen=True)
class Staged:
    """The files of a model, complete, beside their place; ``data``: those of weights."""

    model: Path
    path: Path
    data: Sequence[Path]

    def put(self) -> None:
        """Move them to their place.

        Files of weights have other names for other weights, and the old ones stay until the new model is in its place:
        whenever a run is killed, there is the old model or the new one.
        """
        with step("write", limited=False):
            for file in self.data:
                if not self.path.with_name(file.name).exists():  # else it has the same content
                    put(file, self.path.with_name(file.name))
            put(self.model, self.path)
            remove_old_weights(self.path, {file.name for file in self.data})


@contextmanager
def staged(model: ModelProto | LightModel, path: Path | None, external_data: str = AUTO) -> Iterator[Staged]:
    """Write a model beside its place, or where temporary files are; what is not put there is removed at the end.

    ``external_data``: whether weights are in the model's file, in one of their own, or in as many as they come from;
    ``"auto"``: in one of their own from 2 GiB on. Raises UsageError if there is no room for them, or a file of weights
    has changed since it was read, and OSError.
    """
    model = LightModel(model) if isinstance(model, ModelProto) else model
    model = model if model.weights else light(model.proto)
    path = path or Path(tempfile.gettempdir(), "model.onnx")
    is_inside = external_data == NONE or (external_data == AUTO and model.nbytes < TWO_GIB)
    if is_inside and model.nbytes >= TWO_GIB:
        raise UsageError(f"{path}: a model of 2 GiB or more does not fit in one file; leave out --external-data none")
    with folder_beside(path) as folder:
        with step("write", limited=False):
            _check_room(model.nbytes, path, folder)
            if is_inside:
                data = _write_inside(model, folder / MODEL)
            else:
                data = _write_outside(model, path, folder, is_split=external_data == SPLIT)
        yield Staged(folder / MODEL, path, data)


def _check_room(needed: int, path: Path, folder: Path) -> None:
    """Raises UsageError."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UsageError(f"{path} needs {needed / 1e9:,.1f} GB, its disk has {free / 1e9:,.1f} GB left; free some")


def _write_inside(model: LightModel, file: Path) -> list[Path]:
    """Write all to one file; there are no others."""
    with _created(file) as target:
        for part in model.parts():
            if isinstance(part, Weight):
                part.write(target)
            else:
                write(target, part)
    return []


def _write_outside(model: LightModel, path: Path, folder: Path, is_split: bool) -> list[Path]:
    """Write the model, and its weights to other files, which these are."""
    proto, data = deepcopy(model.proto), list[Path]()
    groups: dict[str, list[tuple[TensorProto, Weight]]] = defaultdict(list)
    for tensor, weight in model.open_tensors(proto.graph):
        groups[weight.location if is_split else ""].append((tensor, weight))
    for group in groups.values():
        places, digest = _write_weights([weight for _, weight in group], folder / "weights")
        data.append(folder / _free_name(folder / "weights", path, digest))
        (folder / "weights").rename(data[-1])
        for (tensor, _), (offset, length) in zip(group, places, strict=True):
            put_at(tensor, Place(data[-1].name, offset, length))
    (folder / MODEL).write_bytes(proto.SerializeToString())
    return data


def _write_weights(weights: Sequence[Weight], file: Path) -> tuple[list[tuple[int, int]], str]:
    """Where in the file each is, offset and length, and a hash of their sizes and samples of them."""
    places, size, digest = list[tuple[int, int]](), 0, hashlib.sha256()
    with _created(file) as target:
        for weight in weights:
            unit = PAGE if weight.nbytes >= LARGE else ALIGNED
            offset = -(-size // unit) * unit
            write(target, bytes(offset - size))
            weight.write(target)
            places.append((offset, weight.nbytes))
            size = offset + weight.nbytes
        for offset, length in places:
            digest.update(f"{offset} {length} ".encode())
            for start in (0, max(0, length // 2 - SAMPLE // 2), max(0, length - SAMPLE)):
                digest.update(os.pread(target, min(SAMPLE, length), offset + start))
    return places, digest.hexdigest()


def _free_name(file: Path, path: Path, digest: str) -> str:
    """A name for a file of a model's weights that no other content has, in its place or beside it here."""
    while True:
        name = weights_name(path, digest)
        others = [other for other in (path.with_name(name), file.with_name(name)) if other.exists()]
        if all(same_bytes(file, other) for other in others):
            return name
        digest = hashlib.sha256(digest.encode()).hexdigest()


@contextmanager
def _created(file: Path) -> Iterator[int]:
    """The descriptor of a new file."""
    target = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        yield target
    finally:
        os.close(target)
