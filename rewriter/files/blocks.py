"""Bytes on their way from file to file: copied by the kernel where nothing changes, else in blocks."""

import errno
import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from passes.layout.edit import Array

MOST = 2**24  # bytes of a block
LARGE = 2**20  # bytes, of which a cache does not hold many
TILE = 16  # elements of four bytes that a line of the cache has
NOT_HERE = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}  # of a call that this kernel lacks


def copy(source: int, offset: int, length: int, target: int) -> None:
    """Copy bytes of a file to where another one is written, by the kernel if it can. Raises OSError."""
    ways = iter((_copy_file_range, _sendfile, _read_and_write))
    way = next(ways)
    while length:
        try:
            count = way(source, offset, length, target)
        except (AttributeError, OSError) as error:
            if getattr(error, "errno", errno.ENOSYS) not in NOT_HERE:
                raise
            way = next(ways)
            continue
        if not count:
            raise OSError(errno.EIO, "the file ends too early")
        offset, length = offset + count, length - count


def _copy_file_range(source: int, offset: int, length: int, target: int) -> int:
    return os.copy_file_range(source, target, length, offset)


def _sendfile(source: int, offset: int, length: int, target: int) -> int:
    return os.sendfile(target, source, offset, length)


def _read_and_write(source: int, offset: int, length: int, target: int) -> int:
    return os.write(target, os.pread(source, min(length, MOST), offset))


def write(target: int, data: bytes | memoryview) -> None:
    """Write all of it. Raises OSError."""
    view = memoryview(data).cast("B")
    while len(view):
        view = view[os.write(target, view) :]


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files have the same content."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while block := first.read(MOST):
            if block != second.read(MOST):
                return False
    return True


def blocks(array: Array) -> Iterator[Array]:
    """The array's elements in their order, in contiguous pieces of ``MOST`` bytes or, of a long row, less."""
    if array.nbytes <= MOST:
        yield _contiguous(array)
        return
    rows = MOST // (array.nbytes // len(array))
    for start in range(0, len(array), rows or 1):
        part = array[start : start + (rows or 1)]
        yield from blocks(part) if rows else blocks(part[0])


def _contiguous(array: Array) -> Array:
    """A contiguous copy, made in tiles where lines of the processor's cache would be read again for each element."""
    if array.size < 2 or array.nbytes < LARGE:
        return np.asarray(array, order="C")
    lines = np.argmin([stride if size > 1 else np.inf for stride, size in zip(array.strides, array.shape, strict=True)])
    if lines == array.ndim - 1:
        return np.ascontiguousarray(array)
    copy, behind = np.empty_like(array, order="C"), array.shape[lines + 1 :]
    other = lines + 1 + np.argmax(behind)
    step = max(1, TILE * TILE * array.shape[other] // np.prod(behind))
    tile = [slice(None)] * array.ndim
    for i, j in product(range(0, array.shape[lines], TILE), range(0, array.shape[other], step)):
        tile[lines], tile[other] = slice(i, i + TILE), slice(j, j + step)
        copy[(*tile,)] = array[(*tile,)]
    return copy
