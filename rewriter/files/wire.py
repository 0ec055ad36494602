"""A model's protobuf taken apart without reading it as a whole, and put together from parts.

Protobuf's wire format: a message is a row of fields, each a tag (its number and kind), for strings and messages a
length, and the value; fields come in any order (https://protobuf.dev/programming-guides/encoding).
"""

from collections.abc import Iterator
from typing import NamedTuple

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9  # the fields' numbers in ModelProto, GraphProto and TensorProto
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # kinds of values


class Field(NamedTuple):
    """From ``start`` to ``end``; its value begins at ``begin``."""

    number: int
    start: int
    begin: int
    end: int


class Cut(NamedTuple):
    """A model in two: ``light`` is its protobuf but for long data of initializers of the main graph.

    ``data``: where in the whole that is, offset and length, by the number of the initializer.
    """

    light: bytes
    data: dict[int, tuple[int, int]]


def cut(model: memoryview, least: int) -> Cut:
    """Take out raw data of at least so many bytes. Raises ValueError if it is no protobuf."""
    light, data, kept, count = bytearray(), dict[int, tuple[int, int]](), 0, 0
    for field in (field for field in fields(model, 0, len(model)) if field.number == GRAPH):
        graph, found, count = _cut_graph(model, field, least, count)
        light += b"".join((model[kept : field.start], head(GRAPH, len(graph)), graph))
        data |= found
        kept = field.end
    light += model[kept:]
    return Cut(bytes(light), data)


def _cut_graph(
    model: memoryview, graph: Field, least: int, count: int
) -> tuple[bytes, dict[int, tuple[int, int]], int]:
    """The graph without that data, where this is, and the number of the next initializer."""
    light, data, kept = bytearray(), dict[int, tuple[int, int]](), graph.begin
    for field in fields(model, graph.begin, graph.end):
        if field.number != INITIALIZER:
            continue
        raw = [part for part in fields(model, field.begin, field.end) if part.number == RAW_DATA]
        if len(raw) == 1 and raw[0].end - raw[0].begin >= least:
            rest = b"".join((model[field.begin : raw[0].start], model[raw[0].end : field.end]))
            light += b"".join((model[kept : field.start], head(INITIALIZER, len(rest)), rest))
            data[count] = raw[0].begin, raw[0].end - raw[0].begin
            kept = field.end
        count += 1
    light += model[kept : graph.end]
    return bytes(light), data, count


def fields(message: memoryview, start: int, end: int) -> Iterator[Field]:
    """The fields of a message that lies there. Raises ValueError where they do not end with it."""
    while start < end:
        tag, begin = _number(message, start)
        kind = tag & 7
        if kind == VARINT:
            _, stop = _number(message, begin)
        elif kind == BYTES:
            length, begin = _number(message, begin)
            stop = begin + length
        elif kind in (FIXED32, FIXED64):
            stop = begin + (4 if kind == FIXED32 else 8)
        else:
            raise ValueError(f"a field of kind {kind}")
        if stop > end:
            raise ValueError("a field that is longer than its message")
        yield Field(tag >> 3, start, begin, stop)
        start = stop


def head(field: int, length: int) -> bytes:
    """What stands before the value of a field that is a message or bytes."""
    return _varint(field << 3 | BYTES) + _varint(length)


def _number(data: memoryview, place: int) -> tuple[int, int]:
    """The varint there, and where it ends."""
    number = shift = 0
    while place < len(data):
        byte = data[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return number, place
    raise ValueError("a number without an end")


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])
