"""A model as it was read: its protobuf, with the data of large weights still where it lies."""

import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from onnx import ModelProto, TensorProto, external_data_helper, helper, numpy_helper
from onnx.checker import ValidationError

from passes.ir.constants import PACKED
from passes.layout.edit import Array
from rewriter.errors import UsageError

OWN = ""  # the location of what lies in the model's own file


class Place(NamedTuple):
    """Where the data of a tensor lies: from ``offset`` on, in the file that ``location`` is, beside the model's."""

    location: str
    offset: int
    length: int


class Stamp(NamedTuple):
    """What is another if a file is."""

    device: int
    inode: int
    size: int
    changed: int


@dataclass(frozen=True)
class Source:
    """A model. ``path``: its file, if it has one; ``stamps``: what its files were when it was read, by location.

    Tensors that lie in files say where, as ``put_at`` notes it.
    """

    proto: ModelProto
    path: Path | None = None
    stamps: Mapping[str, Stamp] = field(default_factory=dict)

    def read(self, tensor: TensorProto) -> Array:
        """The values of a tensor, which share memory with its file. Raises UsageError if that has changed."""
        place = place_of(tensor)
        if place is None:
            return numpy_helper.to_array(tensor)
        with self.opened(place) as file:
            start = place.offset - place.offset % mmap.ALLOCATIONGRANULARITY
            data = mmap.mmap(file, place.length + place.offset - start, access=mmap.ACCESS_READ, offset=start)
        return values_in(tensor, memoryview(data)[place.offset - start :])

    @contextmanager
    def opened(self, place: Place) -> Iterator[int]:
        """The descriptor of the file. Raises UsageError if it is not the one that was read."""
        path = self.path or Path()
        try:
            file = open_beside(path, place.location)
        except (OSError, ValidationError) as error:
            raise UsageError(f"{path}: its weights are no longer there ({error})") from None
        try:
            if stamp_of(file) != self.stamps[place.location]:
                raise UsageError(f"{path}: the file of its weights has changed since it was read; begin anew")
            yield file
        finally:
            os.close(file)


def place_of(tensor: TensorProto) -> Place | None:
    """Where a tensor of a ``Source`` lies, ``None`` if in memory."""
    if tensor.data_location != TensorProto.EXTERNAL:
        return None
    entries = {entry.key: entry.value for entry in tensor.external_data}
    return Place(entries["location"], int(entries["offset"]), int(entries["length"]))


def put_at(tensor: TensorProto, place: Place) -> None:
    """Note in a tensor where its data lies."""
    tensor.ClearField("raw_data")
    del tensor.external_data[:]
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in place._asdict().items():
        tensor.external_data.add(key=key, value=str(value))


def open_beside(path: Path, location: str) -> int:
    """The descriptor of a file of a model. Raises OSError, or what onnx has against the location."""
    if location == OWN:
        return os.open(path, os.O_RDONLY)
    return external_data_helper._open_external_data_fd(str(path.parent), location, "", True)


def stamp_of(file: int) -> Stamp:
    found = os.fstat(file)
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def values_in(tensor: TensorProto, data: memoryview) -> Array:
    """Raw data as the values of a tensor."""
    if TensorProto.DataType.Name(tensor.data_type) in PACKED:
        return numpy_helper.to_array(TensorProto(dims=tensor.dims, data_type=tensor.data_type, raw_data=bytes(data)))
    values: Array = np.frombuffer(data, helper.tensor_dtype_to_np_dtype(tensor.data_type)).reshape(tensor.dims)
    return values
