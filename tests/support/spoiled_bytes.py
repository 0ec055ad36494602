"""Bytes of a model's file, broken where no protobuf library would."""

from collections.abc import Callable
from random import Random

Change = Callable[[bytes, Random], bytes]


def _place(data: bytes, rng: Random) -> int:
    """Any, or one of the first, where the fields of the model stand."""
    return rng.randrange(min(len(data), rng.choice([64, 4096, 2**30])) or 1)


def flip_bits(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        changed[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def set_byte(data: bytes, rng: Random) -> bytes:
    place = _place(data, rng)
    return data[:place] + bytes([rng.choice([0, 1, 0x7F, 0x80, 0xFF])]) + data[place + 1 :]


def cut(data: bytes, rng: Random) -> bytes:
    return data[: _place(data, rng)]


def cut_out(data: bytes, rng: Random) -> bytes:
    place = _place(data, rng)
    return data[:place] + data[place + rng.choice([1, 2, 8, 100]) :]


def double(data: bytes, rng: Random) -> bytes:
    place = _place(data, rng)
    return data[: place + rng.choice([1, 2, 8, 100])] + data[place:]


def insert(data: bytes, rng: Random) -> bytes:
    place = _place(data, rng)
    return data[:place] + rng.randbytes(rng.choice([1, 2, 8])) + data[place:]


def append(data: bytes, rng: Random) -> bytes:
    return data + rng.choice([rng.randbytes(8), data, b"\0", data[: len(data) // 2], b"\x3a\xff\xff\xff\xff\x7f"])


BYTES: tuple[Change, ...] = (flip_bits, set_byte, cut, cut_out, double, insert, append)
