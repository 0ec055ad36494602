"""Files of weights beside a model: whose they are, and those of a model that is no longer there."""

import mmap
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

MOST_NAME_BYTES = 255  # of a file
HASH = 16  # letters of the hash in the name of a file of weights
# An entry {key: "location", value: ...} of TensorProto.external_data as every protobuf writer writes it: tag, length,
# key, tag, length of the value.
LOCATION = re.compile(rb"\n\x08location\x12([\x01-\x7f]|[\x80-\xff][\x01-\x7f])")


def weights_name(path: Path, digest: str) -> str:
    """The name of the file for a model's weights: another for other weights, so that no model meets those of another.

    It has room in a folder wherever the model's name has.
    """
    return f"{_beginning(path)}.{digest[:HASH]}.data"


def remove_old_weights(path: Path, used: Collection[str]) -> None:
    """Remove what earlier runs wrote as weights of the model ``path``, if no model beside it uses them.

    ``used``: the names of those that are used now.
    """
    name = re.compile(re.escape(_beginning(path)) + rf"\.[0-9a-f]{{{HASH}}}\.data")
    for old in [entry for entry in path.parent.iterdir() if name.fullmatch(entry.name)]:
        if old.name not in used and not old.is_symlink() and user_of(old) is None:
            old.unlink()


def user_of(path: Path) -> Path | None:
    """The first model (.onnx) beside a file that keeps weights in it."""
    models = (model for model in sorted(path.parent.glob("*.onnx")) if model.is_file())
    return next((model for model in models if any(_is_same(place, path) for place in _locations(model))), None)


def _locations(model: Path) -> Iterator[Path]:
    """Where a model keeps weights, without reading it as a whole."""
    if not model.stat().st_size:
        return
    with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for found in LOCATION.finditer(data):
            length = found[1][0] if len(found[1]) == 1 else (found[1][0] & 0x7F) + (found[1][1] << 7)
            yield model.parent / os.fsdecode(data[found.end() : found.end() + length])


def _is_same(one: Path, other: Path) -> bool:
    return one.name == other.name and one.exists() and one.samefile(other)


def _beginning(path: Path) -> str:
    """The model's name, as much of it as leaves room for what follows."""
    room = MOST_NAME_BYTES - HASH - len("..data")
    return os.fsencode(path.name)[:room].decode(errors="ignore")
